"""The table: what runs, how often, and which jobs a worker takes."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING
from uuid import UUID

from recon.alerts import SealWatch, Sparing, find_alerts, forget_alerts, send_due
from recon.bets import resolve_all, wake_bets
from recon.clock import now
from recon.db import load
from recon.jobs import Worker
from recon.payments import Overdue, find_overdue
from recon.reconciliation import (
    CUT_JOB,
    SWEEP_JOBS,
    RunScope,
    climb_all,
    cut_run,
    fail_run,
    fold_tallies,
    forget_ranges,
    forget_seen,
    reopen_expired,
    resume_stale_ranges,
    start_due_run,
    sweep_range,
)
from recon.seals import VERIFY_JOB, forget_verifications
from recon.settlements import Explained
from recon.webhooks.backfill import ApiAccount, backfill_due
from recon.webhooks.redact import Retention, redact_payloads
from recon.webhooks.waiting import find_waiting

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Mapping, Sequence

    from recon.alerts import Alerting
    from recon.db import Pool
    from recon.game import GameClient
    from recon.game.stream import News
    from recon.reconciliation import Reconciler
    from recon.seals import Sealer, Verifier

__all__ = ["Kept", "Lookout", "build_worker", "settle_by_news"]

# Six fields: the last one counts seconds.
_EVERY_SECOND = "* * * * * *"
_EVERY_TEN_SECONDS = "* * * * * */10"
_EVERY_MINUTE = "* * * * *"
_HOURLY = "17 * * * *"
_HOURLY_LATER = "47 * * * *"

_KEEP_ANSWERS = timedelta(days=7)
_KEEP_JOB_LOGS = timedelta(days=3)
_KEEP_SESSIONS = timedelta(days=30)
_KEEP_RANGES = timedelta(days=7)
_KEEP_VERIFICATIONS = timedelta(days=400)
# Of each scope, among all workers; each asks for as many balances at once as `sweep_concurrency`
# says.
_RANGES_AT_ONCE = 4


@dataclass(frozen=True, slots=True, kw_only=True)
class Lookout:
    """What the service looks for that no PSP has told.

    Args:
        overdue: after how long a payment is overdue.
        waiting: how long a delivery may wait for its payment; ``None``: for ever.
        accounts: PSP accounts whose own list of events can be read.
        backfill_every: how often it is; ``None``: on demand alone.
        backfill_after: events younger than this are left to their webhooks.
    """

    overdue: Overdue
    waiting: timedelta | None
    accounts: Sequence[ApiAccount]
    backfill_every: timedelta | None
    backfill_after: timedelta


@dataclass(frozen=True, slots=True)
class Kept:
    """For how long what may be forgotten is kept.

    Args:
        payloads: what PSPs have sent.
        seen: which discrepancies each run saw; ``None``: for ever.
    """

    payloads: Retention
    seen: timedelta | None


def build_worker(
    pool: Pool,
    reconciler: Reconciler | None,
    sealer: Sealer,
    *,
    lanes: Mapping[RunScope, timedelta],
    lookout: Lookout,
    kept: Kept,
    alerting: Alerting | None = None,
    verifier: Verifier | None = None,
) -> Worker:
    """A worker for everything that the service does by itself.

    Args:
        pool: the database.
        reconciler: ``None`` when no game API is configured: then nothing is compared or settled.
        sealer: seals what is new.
        lanes: what runs by itself and how often: what changed, and everything. Without one, runs
            on demand still work.
        lookout: what is looked for that no PSP has told.
        kept: for how long what may be forgotten is.
        alerting: what people are told, and how; ``None``: nobody is.
        verifier: verifies the books by the clock; ``None``: that is left to `recon verify`.
    """
    worker = Worker(pool)

    async def clean() -> None:
        async with pool.acquire() as connection:
            await connection.execute(load("recon.jobs", "clean"), now() - _KEEP_JOB_LOGS)
            await connection.execute(load("recon.http", "forget_answers"), now() - _KEEP_ANSWERS)
            await connection.execute(load("recon.web", "forget_sessions"), now() - _KEEP_SESSIONS)
        await forget_ranges(pool, now() - _KEEP_RANGES)
        if kept.seen is not None:
            await forget_seen(pool, now() - kept.seen)
        await forget_verifications(pool, now() - _KEEP_VERIFICATIONS)

    worker.tick("clean", _HOURLY, clean)
    _redact(worker, pool, kept.payloads)
    _look_out(worker, pool, lookout)
    _seal(worker, pool, sealer, alerting)
    if verifier is not None:
        _verify(worker, verifier)
    _alert(worker, pool, alerting)
    if reconciler is None:
        return worker

    async def settle() -> None:
        await resolve_all(pool, reconciler.game)

    worker.tick("settle_bets", _EVERY_SECOND, settle)
    _compare(worker, reconciler, lanes)
    return worker


def _compare(worker: Worker, reconciler: Reconciler, lanes: Mapping[RunScope, timedelta]) -> None:
    pool = reconciler.pool

    async def climb() -> None:
        await climb_all(reconciler)

    async def start() -> None:
        for scope, every in lanes.items():
            await start_due_run(pool, scope, every)

    async def resume() -> None:
        await resume_stale_ranges(reconciler)

    async def cut(payload: dict[str, str]) -> None:
        await cut_run(pool, UUID(payload["run_id"]))

    async def sweep(payload: dict[str, str]) -> None:
        await sweep_range(reconciler, UUID(payload["run_id"]), payload["first_user"])
        await climb_all(reconciler)

    async def give_up(payload: dict[str, str]) -> None:
        reason = "a part of it failed again and again; see the log"
        await fail_run(pool, UUID(payload["run_id"]), reason)

    worker.tick("climb", _EVERY_SECOND, climb)
    worker.tick("start_runs", _EVERY_SECOND, start)
    worker.tick("resume_ranges", _EVERY_TEN_SECONDS, resume)
    worker.handle(CUT_JOB, cut, concurrency=_RANGES_AT_ONCE, parked=give_up)
    for job in SWEEP_JOBS.values():
        worker.handle(job, sweep, concurrency=_RANGES_AT_ONCE, parked=give_up)


def _look_out(worker: Worker, pool: Pool, lookout: Lookout) -> None:
    async def reopen() -> None:
        await reopen_expired(pool)

    worker.tick("reopen_expired", _EVERY_TEN_SECONDS, reopen)

    async def fold() -> None:
        await fold_tallies(pool)

    worker.tick("fold_tallies", _EVERY_MINUTE, fold)

    async def find() -> None:
        await find_overdue(pool, lookout.overdue)

    worker.tick("find_overdue", _EVERY_TEN_SECONDS, find)

    explained = Explained()

    async def explain() -> None:
        await explained.resolve(pool)

    worker.tick("explain_settlements", _EVERY_MINUTE, explain)
    waiting = lookout.waiting
    if waiting is not None:

        async def escalate() -> None:
            await find_waiting(pool, waiting)

        worker.tick("find_waiting", _EVERY_TEN_SECONDS, escalate)
    every = lookout.backfill_every
    if not lookout.accounts or every is None:
        return

    async def list_events() -> None:
        await backfill_due(pool, lookout.accounts, every=every, leave=lookout.backfill_after)

    worker.tick("backfill", _EVERY_SECOND, list_events)


def _seal(worker: Worker, pool: Pool, sealer: Sealer, alerting: Alerting | None) -> None:
    watch = SealWatch(pool, alerting)

    async def seal() -> None:
        await watch.make(sealer.tick)

    worker.tick("seal", _EVERY_TEN_SECONDS, seal)


def _verify(worker: Worker, verifier: Verifier) -> None:
    async def verify(payload: dict[str, str]) -> None:
        await verifier.verify(UUID(payload["verification_id"]))

    async def give_up(payload: dict[str, str]) -> None:
        await verifier.give_up(UUID(payload["verification_id"]))

    worker.tick("begin_verification", _EVERY_MINUTE, verifier.begin)
    worker.handle(VERIFY_JOB, verify, concurrency=1, parked=give_up)


def _alert(worker: Worker, pool: Pool, alerting: Alerting | None) -> None:
    if alerting is None:
        return

    sparing = Sparing()

    async def find() -> None:
        await find_alerts(pool, alerting, sparing=sparing)

    async def send() -> None:
        await send_due(pool, alerting)

    async def forget() -> None:
        await forget_alerts(pool, alerting.policy)

    worker.tick("forget_alerts", _HOURLY_LATER, forget)
    worker.tick("find_alerts", _EVERY_TEN_SECONDS, find)
    # By itself: a receiver that takes its time holds up nothing that is to be found.
    worker.tick("send_alerts", _EVERY_TEN_SECONDS, send)


def _redact(worker: Worker, pool: Pool, retention: Retention) -> None:
    async def redact() -> None:
        await redact_payloads(pool, retention, now=now())

    worker.tick("redact", _HOURLY_LATER, redact)


def settle_by_news(pool: Pool, game: GameClient) -> Callable[[News], Awaitable[None]]:
    """What is done about news of the game's stream: the bets concerned are asked for, now."""

    async def look(news: News) -> None:
        await wake_bets(
            pool,
            tickets=news.tickets,
            ended=news.ended,
            paid=news.paid,
            everything=news.everything,
        )
        await resolve_all(pool, game)

    return look
