"""A worker that is killed in the middle of a job, and the next one: nothing is lost or done twice.

The job is the one that opens a case for each payment that is overdue. It runs once a minute, so
this is for large budgets only.
"""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Final

import pytest

from tests.violence.budget import ALLOWED, IS_LARGE
from tests.violence.process import Service

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.violence.scene import Scene

pytestmark = [
    ALLOWED,
    pytest.mark.skipif(not IS_LARGE, reason="takes minutes; RECON_VIOLENCE_S gives them"),
]

_PAYMENTS: Final = 20_000
_OVERDUE = """
INSERT INTO payments (
    reference, endpoint, direction, user_id, currency, amount, state, registered_at
)
SELECT 'late-' || n, 'bank', 'deposit', 'player_' || n % 8, 'GBP', 100, 'registered',
    now() - interval '1 hour'
FROM generate_series(1, $1) AS n
"""
_CASES = "SELECT count(*) FROM cases WHERE reference LIKE 'late-%'"
_REFERENCES = "SELECT count(DISTINCT reference) FROM cases WHERE reference LIKE 'late-%'"


@asynccontextmanager
async def at_work(scene: Scene) -> AsyncIterator[Service]:
    """A worker; it says nothing when it is ready."""
    worker = Service(scene.service.settings, scene.service.home, ("worker",))
    await worker.begin()
    try:
        yield worker
    finally:
        await worker.close()


async def test_a_worker_killed_in_the_middle_of_a_job_loses_no_case_and_opens_none_twice(
    scene: Scene,
) -> None:
    await scene.books.execute(_OVERDUE, _PAYMENTS)
    async with asyncio.timeout(200):
        async with at_work(scene) as first:
            assert 0 < await _cases(scene, at_least=1) < _PAYMENTS, "it is in the middle"
            await first.kill()
            scene.harm["SIGKILL of the worker"] = 1
        async with at_work(scene):
            await _cases(scene, at_least=_PAYMENTS)

    cases, references = await scene.books.count(_CASES), await scene.books.count(_REFERENCES)
    scene.lost, scene.doubled = _PAYMENTS - references, cases - references
    assert (scene.lost, scene.doubled) == (0, 0)


async def _cases(scene: Scene, *, at_least: int) -> int:
    """Wait for that many cases; how many there are."""
    while (found := await scene.books.count(_CASES)) < at_least:  # noqa: ASYNC110 - a database
        await asyncio.sleep(0.002)
    return found
