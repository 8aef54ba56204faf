"""How well faults are found: thousands of wallets under live traffic, with faults planted.

Players live through the service's own doors, as in the demo; runs of changed wallets follow each
other all the while, and one of all wallets ends it. What the sandbox planted is held against what
was ever reported: missed, false, the cause, and how long it took.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, defaultdict
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from statistics import median
from typing import TYPE_CHECKING, Any, Final

import msgspec

from recon.cli.demo.command import reconcile, settle
from recon.cli.demo.players import play
from recon.cli.demo.stage import raise_stage
from recon.clock import parse_time
from recon.money import parse_minor
from recon.seals import verify_all
from tests.benchmarks.say import say
from tests.benchmarks.server import SETTINGS

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from recon.cli.demo.stage import Stage

__all__ = ["Quality", "measure_quality"]

_SEED: Final = 1
_GRACE: Final = timedelta(seconds=10)
_EVERY_S: Final = 15.0
_BETWEEN_ACTS_S: Final = (30.0, 90.0)
_ROUNDS: Final = ("--betting", "15", "--max-active", "6", "--hold-ttl", "15")
_FAULTS: Final = {
    # Leading ones strike a player once at most.
    "webhook_lost": 0.006,
    "webhook_wrong_amount": 0.006,
    "game_update_lost": 0.006,
    "game_update_doubled": 0.006,
    "payout_lost": 0.02,
    "webhook_doubled": 0.05,
    "webhook_late": 0.02,
    "webhook_reordered": 0.05,
    "webhook_bad_signature": 0.02,
    "webhook_answer_lost": 0.03,
    "webhook_missed": 0.03,
    "answer_lost": 0.01,
    "answer_429": 0.002,
    "answer_500": 0.005,
    "answer_503": 0.005,
    "answer_slow": 0.005,
}
_RUN_S: Final = 600.0
_SETTLE_S: Final = 240.0


class Planted(msgspec.Struct, frozen=True):
    """A fault as the sandbox tells it."""

    fault: str
    user_id: str
    currency: str
    amount: str
    must_lead_to: str | None
    at: str


@dataclass(frozen=True, slots=True)
class Reported:
    """A discrepancy that was ever opened; ``opened_at`` is when people could see it."""

    user_id: str
    currency: str
    difference: int
    cause: str
    status: str
    confidence: int
    opened_at: datetime


@dataclass(slots=True)
class Kind:
    """What became of the faults of one kind."""

    planted: int = 0
    found: int = 0
    named: int = 0
    took_s: list[float] = field(default_factory=list)


@dataclass(slots=True)
class Quality:
    """What came out.

    Attributes:
        wallets: compared by the last run.
        kinds: by the fault's name; only those that must be found.
        absorbed: planted faults that a sound service absorbs.
        false: reported, and nothing was planted on the wallet.
        passing: of the false ones, those that had a reason for a while: a planted fault that was
            made good later than the grace period.
        acts: what the players did, a second.
        confident: of those found, per cent said and whether the cause was right.
    """

    wallets: int = 0
    kinds: dict[str, Kind] = field(default_factory=lambda: defaultdict(Kind))
    absorbed: int = 0
    false: list[Reported] = field(default_factory=list)
    passing: int = 0
    acts: float = 0.0
    confident: list[tuple[int, bool]] = field(default_factory=list)
    runs: int = 0

    @property
    def planted(self) -> int:
        """Faults that must be found."""
        return sum(kind.planted for kind in self.kinds.values())

    @property
    def found(self) -> int:
        """Those that were reported with their very amount."""
        return sum(kind.found for kind in self.kinds.values())

    @property
    def named(self) -> int:
        """Those of them with the right cause."""
        return sum(kind.named for kind in self.kinds.values())

    @property
    def precision(self) -> float:
        """The share of what was reported that had been planted."""
        return self.found / max(1, self.found + len(self.false))


async def measure_quality(*, wallets: int, minutes: float, home: Path) -> Quality:
    """Let wallets live, plant faults, reconcile, and compare.

    Args:
        wallets: players, with one wallet each and about one act a minute.
        minutes: of play once everybody has joined.
        home: an empty directory for the Postgres.

    Raises:
        RuntimeError: the books do not verify, or a call failed.
    """
    async with raise_stage(
        home, seed=_SEED, grace=_GRACE, faults=_FAULTS, sandbox_options=_ROUNDS, settings=SETTINGS
    ) as stage:
        joined = asyncio.Event()

        async def calm() -> None:
            # All of them deposit as they join; what is measured is their life, not that storm.
            async with stage.sandbox.post("/sandbox/psp/settle") as answer:
                answer.raise_for_status()
            joined.set()

        began_s = time.monotonic()
        reconciling = asyncio.create_task(_reconcile_on(stage, joined))
        counts = await play(
            stage,
            users=wallets,
            duration_s=minutes * 60,
            seed=_SEED,
            pause_s=_BETWEEN_ACTS_S,
            when_joined=calm,
        )
        if counts.errors:
            raise RuntimeError(f"the service failed: {counts.errors[0]}")
        say(f"played for {time.monotonic() - began_s:.0f} s, {counts.bets:,} bets")
        reconciling.cancel()
        with suppress(asyncio.CancelledError):
            await reconciling
        await settle(stage, within_s=_SETTLE_S)
        last = await reconcile(stage, "all", within_s=_RUN_S)
        say(f"the last run: {last.state}, {last.wallets}")
        quality = await _judge(stage)
        quality.wallets = last.wallets.total
        quality.acts = (counts.payments + counts.bets) / (time.monotonic() - began_s)
        if not (verified := await verify_all(stage.pool, stage.seal_keys)).ok:
            raise RuntimeError(f"the books do not verify: {verified.faults[:3]}")
    return quality


async def _reconcile_on(stage: Stage, joined: asyncio.Event) -> None:
    """Runs of changed wallets, one after the other, as the schedule would start them."""
    await joined.wait()
    while True:
        began_s = time.monotonic()
        run = await reconcile(stage, "changed", within_s=_RUN_S)
        counts = run.wallets
        say(
            f"run: {counts.total:,} wallets in {time.monotonic() - began_s:.0f} s, "
            f"{counts.discrepant} differ, {counts.in_flight} in flight; {run.changes}"
        )
        await asyncio.sleep(max(0.0, began_s + _EVERY_S - time.monotonic()))


async def _judge(stage: Stage) -> Quality:
    async with stage.sandbox.get("/sandbox/faults") as answer:
        answer.raise_for_status()
        listed: list[dict[str, Any]] = (await answer.json())["planted"]
    return judge(msgspec.convert(listed, list[Planted]), await _reported(stage))


def judge(planted: Sequence[Planted], reported: Sequence[Reported]) -> Quality:
    """Hold what was reported against what was planted; pure."""
    quality = Quality()
    by_wallet: defaultdict[tuple[str, str], list[Reported]] = defaultdict(list)
    for one in reported:
        by_wallet[one.user_id, one.currency].append(one)
    struck = Counter((fault.user_id, fault.currency) for fault in planted)
    for fault in planted:
        if fault.must_lead_to is None:
            quality.absorbed += 1
            continue
        kind = quality.kinds[fault.fault]
        kind.planted += 1
        amount = parse_minor(fault.amount, fault.currency)
        left = by_wallet[fault.user_id, fault.currency]
        match = next(
            (one for one in left if one.difference == amount and one.status == "open"), None
        )
        if match is None:
            continue
        left.remove(match)
        kind.found += 1
        kind.took_s.append((match.opened_at - parse_time(fault.at)).total_seconds())
        named = match.cause == fault.must_lead_to
        kind.named += named
        quality.confident.append((match.confidence, named))
    for wallet, left in by_wallet.items():
        for one in left:
            # Made good since, of a wallet on which something was planted: it was true meanwhile.
            if one.status == "cleared" and struck[wallet]:
                quality.passing += 1
            else:
                quality.false.append(one)
    return quality


async def _reported(stage: Stage) -> list[Reported]:
    rows = await stage.pool.fetch(
        """
        SELECT d.user_id, d.currency, d.difference, d.cause, d.status, d.confidence, e.at
        FROM discrepancies AS d
        INNER JOIN discrepancy_events AS e
            ON d.user_id = e.user_id AND d.discrepancy_id = e.discrepancy_id
            AND e.action = 'opened'
        """
    )
    return [
        Reported(
            row["user_id"],
            row["currency"],
            int(row["difference"]),
            row["cause"],
            row["status"],
            row["confidence"],
            row["at"],
        )
        for row in rows
    ]


def seconds(kind: Kind) -> str:
    """Median and longest time until a fault was reported."""
    if not kind.took_s:
        return ""
    return f"{median(kind.took_s):.0f} / {max(kind.took_s):.0f}"
