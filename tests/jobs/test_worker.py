"""Jobs: at least once, never for ever, and running again after Postgres was gone."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from typing import TYPE_CHECKING

from recon.jobs import Worker, enqueue, run_until_cancelled
from recon.jobs import worker as module

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    import pytest

    from recon.db import Pool


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
    async with asyncio.timeout(20):
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
        async with asyncio.timeout(30):
            while not parked:
                # Queued again after each failure; a no-op while it still counts as running.
                await queue(pool, "broken", n="7")
                await asyncio.sleep(0.05)

    assert (len(tried), parked) == (5, [{"n": "7"}])


async def test_a_tick_fires_again_after_it_failed(pool: Pool) -> None:
    fired: list[int] = []

    async def tick() -> None:
        fired.append(len(fired))
        if len(fired) == 1:
            raise RuntimeError("the first one fails")

    def build() -> Worker:
        worker = Worker(pool)
        worker.tick("often", "* * * * * *", tick)
        return worker

    async with working(build):
        await until(lambda: len(fired) >= 2)


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
