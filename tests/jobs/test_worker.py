"""Jobs: at least once, never for ever, and running again after Postgres was gone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

import pytest
from prometheus_client import REGISTRY

from recon.db import load
from recon.jobs import Worker, enqueue, run_until_cancelled
from recon.jobs import worker as module
from recon.jobs.measure import JOB_NUMBERS

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from recon.db import Pool

ENDED = {"F": "tick_failed", ".": "tick_succeeded"}


@asynccontextmanager
async def working(build: Callable[[], Worker]) -> AsyncIterator[None]:
    task = asyncio.create_task(run_until_cancelled(build))
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def queue(pool: Pool, name: str, **payload: str) -> None:
    async with pool.acquire() as connection, connection.transaction():
        await enqueue(connection, name, payload, dedupe_key=f"{name}:{payload}")


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what is waited for is in the database
            await asyncio.sleep(0.02)


async def test_a_job_queued_in_a_transaction_runs_after_its_commit_and_not_without(
    pool: Pool,
) -> None:
    seen: list[str] = []

    async def handler(payload: dict[str, str]) -> None:
        seen.append(payload["n"])

    def build() -> Worker:
        worker = Worker(pool)
        worker.handle("count", handler, concurrency=1, parked=handler)
        return worker

    async with working(build):
        async with pool.acquire() as connection:
            undone = connection.transaction()
            await undone.start()
            await enqueue(connection, "count", {"n": "undone"}, dedupe_key="undone")
            await undone.rollback()
        await queue(pool, "count", n="1")
        await until(lambda: "1" in seen)

    assert seen == ["1"]


async def test_a_job_that_fails_again_and_again_is_parked_and_somebody_is_told(
    pool: Pool,
) -> None:
    tried: list[str] = []
    parked: list[dict[str, str]] = []

    async def handler(payload: dict[str, str]) -> None:
        tried.append(payload["n"])
        raise RuntimeError("it never works")

    async def tell(payload: dict[str, str]) -> None:
        parked.append(payload)

    def build() -> Worker:
        worker = Worker(pool)
        worker.handle("broken", handler, concurrency=1, parked=tell)
        return worker

    async with working(build):
        async with asyncio.timeout(60):
            while not parked:
                # Queued again after each failure; a no-op while it still counts as running.
                await queue(pool, "broken", n="7")
                await asyncio.sleep(0.05)

    assert (len(tried), parked) == (5, [{"n": "7"}])


async def test_a_tick_fires_again_after_it_failed_and_how_it_ends_is_written_down(
    pool: Pool,
) -> None:
    broken = True

    async def tick() -> None:
        if broken:
            raise RuntimeError("not yet")

    def build() -> Worker:
        worker = Worker(pool)
        worker.tick("often", "* * * * * *", tick)
        return worker

    async with working(build):
        await eventually(pool, "often", lambda failures, _: failures >= 2)
        broken = False
        async with asyncio.timeout(60):
            # Gone after four of them, it is not what has never succeeded either.
            waits = "SELECT count(*) FROM tick_failures WHERE successes = 0"
            while await pool.fetchval(waits):  # noqa: ASYNC110 - what is waited for is there
                await asyncio.sleep(0.02)


@pytest.mark.parametrize(
    ("tried", "left"),
    [
        pytest.param("F", 1, id="once"),
        pytest.param("F.F", 2, id="by one of two workers, in turn"),
        pytest.param("F...F...F", 3, id="by one of several, now and then"),
        pytest.param("F....", None, id="and then never in four times"),
        pytest.param("F....F", 1, id="and anew after it was forgotten"),
        pytest.param(".....", None, id="never"),
    ],
)
async def test_a_failure_is_forgotten_by_four_successes_on_end_and_not_by_another_workers_one(
    pool: Pool, tried: str, left: int | None
) -> None:
    for ended in tried:
        await pool.execute(load("recon.jobs", ENDED[ended]), "redact")
        await pool.execute(load("recon.jobs", ENDED["F"]), "another")

    failures = await pool.fetchval("SELECT failures FROM tick_failures WHERE tick = 'redact'")
    assert failures == left


async def test_a_tick_of_once_an_hour_stays_failing_and_one_that_nobody_tries_does_not(
    pool: Pool,
) -> None:
    await pool.execute(
        """
        INSERT INTO tick_failures (tick, failures, failing_since, failed_at)
        SELECT tick, 2, now() - interval '70 minutes', now() - interval '10 minutes'
        FROM unnest(ARRAY['redact', 'turned_off', 'unheard_of']) AS t (tick)
        """
    )
    await pool.execute(
        """
        INSERT INTO pgqueuer_schedules (expression, entrypoint, next_run)
        VALUES ('47 * * * *', 'redact', now() + interval '50 minutes'),
            ('17 * * * *', 'turned_off', now() - interval '61 minutes')
        """
    )

    await eventually(pool, "redact", lambda failures, age_s: (failures, age_s // 600) == (2, 7))
    for tick in ("turned_off", "unheard_of"):
        await eventually(pool, tick, lambda failures, _: failures == 0)


async def eventually(pool: Pool, tick: str, told: Callable[[float, float], bool]) -> None:
    """Until the numbers of a tick are such: how often it failed on end, and for how long."""
    async with asyncio.timeout(60):
        while True:
            await JOB_NUMBERS.refresh(pool)
            failures, age_s = (
                REGISTRY.get_sample_value(f"recon_jobs_tick_{name}", {"tick": tick}) or 0
                for name in ("failures", "failing_seconds")
            )
            if told(failures, age_s):
                return
            await asyncio.sleep(0.1)


async def test_a_worker_that_ends_by_itself_is_built_anew(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "_LONGEST_DELAY_S", 0.01)
    seen: list[str] = []
    built: list[Worker] = []

    async def handler(payload: dict[str, str]) -> None:
        seen.append(payload["n"])

    def build() -> Worker:
        worker = Worker(pool)
        worker.handle("count", handler, concurrency=1, parked=handler)
        built.append(worker)
        if len(built) < 3:
            # As when Postgres refuses every connection: the queue itself gives up.
            worker.run = _gone  # type: ignore[method-assign]
        return worker

    async with working(build):
        await queue(pool, "count", n="1")
        await until(lambda: bool(seen))

    assert (len(built), seen) == (3, ["1"])


async def _gone() -> None:
    raise ConnectionRefusedError("Postgres is gone")
