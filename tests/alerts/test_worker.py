"""The jobs themselves: a worker that runs tells people, without anybody's hand."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recon import app, schedule
from recon.alerts import Alerting
from recon.jobs import run_until_cancelled
from recon.payments import Overdue
from recon.schedule import Kept, Lookout, build_worker
from recon.seals import ChainBrokenError, Sealer, SealKeys, Verifier
from recon.settings import load_settings
from recon.webhooks.redact import Retention
from tests.alerts.conftest import ago
from tests.alerts.plain import SECRET, policy
from tests.game.stream.conftest import open_game

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Coroutine

    from recon.jobs import Worker
    from tests.alerts.conftest import Books, Hook


class BrokenSealer(Sealer):
    """One whose chain was cut."""

    async def tick(self) -> None:
        raise ChainBrokenError("seal 7, made or seen by this process, is gone")


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(schedule, "_EVERY_TEN_SECONDS", "* * * * * *")
    monkeypatch.setattr(schedule, "_EVERY_MINUTE", "* * * * * *")


@asynccontextmanager
async def at_work(work: Coroutine[None, None, None]) -> AsyncIterator[None]:
    working = asyncio.create_task(work)
    try:
        yield
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working


async def called(hook: Hook, times: int) -> None:
    async with asyncio.timeout(100):  # it is there within seconds, on a quiet machine
        while len(hook.calls) < times:  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.05)


async def test_a_worker_tells_of_differences_of_a_broken_chain_and_of_books_that_do_not_hold(
    books: Books, hook: Hook
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    keys = SealKeys(["k" * 32])
    await books.differs("u_1", "10.00")
    await books.cases.deposit("u_2", "5.00")
    await Sealer(books.pool, keys).run()
    await books.pool.execute("INSERT INTO seal_links VALUES (99, 'audit', '[]', now(), 'x')")

    def build() -> Worker:
        return build_worker(
            books.pool,
            None,
            BrokenSealer(books.pool, keys),
            lanes={},
            lookout=Lookout(
                overdue=Overdue(unreported=None, unpaid=None, abandoned=None),
                waiting=None,
                accounts=[],
                backfill_every=None,
                backfill_after=timedelta(minutes=5),
            ),
            kept=Kept(Retention(None, None), seen=None),
            alerting=alerting,
            verifier=Verifier(
                pool=books.pool, keys=keys, anchor=None, every=timedelta(milliseconds=1)
            ),
        )

    async with at_work(run_until_cancelled(build)):
        await called(hook, 3)

    said = {one["type"]: one["data"] for one in hook.said}
    assert {*said} == {"discrepancies.unexplained", "seals.broken", "books.faulty"}
    assert "1 links belong to no seal" in [one["detail"] for one in said["books.faulty"]["faults"]]
    assert len(set(hook.ids)) == len(hook.calls) == 3


async def test_the_service_watches_its_own_schedule_by_its_settings(
    books: Books, hook: Hook, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Somebody watched since yesterday, and was gone for the last hour.
    await books.pool.execute(
        "INSERT INTO alert_lanes (scope, every, since)"
        " VALUES ('changed', interval '7 min', now() - interval '1 day')"
    )
    last = await books.ran("finished", started=ago(hours=1))
    async with open_game() as game:
        said = {
            **game.settings,
            "RECON_DATABASE_URL": database_url,
            "RECON_GAME_STREAM": "off",
            "RECON_RECONCILE_EVERY": "7m",
            "RECON_ALERTS__WEBHOOKS__OPS__URL": hook.url,
            "RECON_ALERTS__WEBHOOKS__OPS__SECRET": SECRET,
        }
        for name, value in said.items():
            monkeypatch.setenv(name, value)
        settings = load_settings()
        async with (
            app.open_game(settings) as client,
            at_work(app.run_worker(settings, books.pool, client)),
        ):
            await called(hook, 1)

    (gap,) = hook.said[0]["data"]["skipped"]
    assert (gap["scope"], gap["every_s"], gap["last_run_id"]) == ("changed", 420, last)
