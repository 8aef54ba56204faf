"""The jobs themselves: a worker that runs tells people, without anybody's hand."""

from __future__ import annotations

import asyncio
from contextlib import suppress
from datetime import timedelta
from typing import TYPE_CHECKING

from recon import schedule
from recon.alerts import Alerting
from recon.jobs import run_until_cancelled
from recon.payments import Overdue
from recon.schedule import Lookout, build_worker
from recon.seals import ChainBrokenError, Sealer, SealKeys
from recon.webhooks.redact import Retention
from tests.alerts.plain import policy

if TYPE_CHECKING:
    import pytest

    from recon.jobs import Worker
    from tests.alerts.conftest import Books, Hook


class BrokenSealer(Sealer):
    """One whose chain was cut."""

    async def tick(self) -> None:
        raise ChainBrokenError("seal 7, made or seen by this process, is gone")


async def test_a_worker_tells_of_differences_and_of_a_broken_chain(
    books: Books, hook: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(schedule, "_EVERY_TEN_SECONDS", "* * * * * *")
    alerting = Alerting(policy=policy(), channels=[hook.receiver()])
    await books.differs("u_1", "10.00")

    def build() -> Worker:
        return build_worker(
            books.pool,
            None,
            BrokenSealer(books.pool, SealKeys([])),
            lanes={},
            lookout=Lookout(
                overdue=Overdue(unreported=None, unpaid=None, abandoned=None),
                waiting=None,
                accounts=[],
                backfill_every=None,
                backfill_after=timedelta(minutes=5),
            ),
            retention=Retention(None, None),
            alerting=alerting,
        )

    working = asyncio.create_task(run_until_cancelled(build))
    try:
        async with asyncio.timeout(20):
            while len(hook.calls) < 2:  # noqa: ASYNC110 - what is waited for is in the database
                await asyncio.sleep(0.05)
    finally:
        working.cancel()
        with suppress(asyncio.CancelledError):
            await working

    assert {said["type"] for said in hook.said} == {"discrepancies.unexplained", "seals.broken"}
    assert len(set(hook.ids)) == len(hook.calls) == 2
