"""Shared commits: many deliveries in few commits, none slower for it, none lost, memory bounded."""

from __future__ import annotations

import asyncio
import gc
from contextlib import suppress
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from unittest.mock import AsyncMock
from weakref import ReferenceType, ref

import pytest

from recon.webhooks.drain import DRAIN, Drain
from recon.webhooks.errors import IntakeUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recon.db import Pool
    from tests.webhooks.conftest import Door


async def test_what_arrives_during_a_commit_shares_the_next_one(door: Door) -> None:
    commits: list[int] = []
    drain = door.app[DRAIN]
    shared, real = drain._shared, drain._take_in  # noqa: SLF001 - to count the commits

    async def counted(pool: Pool, deliveries: Sequence[Any]) -> Any:  # noqa: ANN401
        commits.append(len(deliveries))
        while len(commits) == 1 and shared.waiting < 100:  # noqa: ASYNC110 - until all are there
            await asyncio.sleep(0.001)
        return await real(pool, deliveries)

    drain._take_in = counted  # noqa: SLF001
    shared._patience_s = 60.0  # noqa: SLF001 - nor does another begin beside it
    users = [f"u_{number}" for number in range(100)]

    await asyncio.gather(
        *(door.standard("deposit.succeeded", payment_id=f"p-{u}", user=u) for u in users)
    )

    print(f"100 deliveries in {len(commits)} commits: {commits}")  # noqa: T201 - shown with -s
    assert sum(commits) == 100
    assert len(commits) <= 2
    assert {await door.available(user) for user in users} == {"20.00"}


async def test_a_single_delivery_commits_at_once() -> None:
    take_in = AsyncMock(return_value=["done"])
    drain = Drain(AsyncMock(), take_in=take_in)

    assert len(await drain.take([_delivery()])) == 1
    assert take_in.await_count == 1


async def test_past_the_limit_of_waiting_deliveries_the_next_is_refused() -> None:
    gate = asyncio.Event()

    async def slow(_: object, deliveries: Sequence[Any]) -> list[Any]:
        await gate.wait()
        return list(deliveries)

    drain = Drain(AsyncMock(), most_waiting=10, take_in=slow)
    waiting = [asyncio.create_task(drain.take([_delivery()])) for _ in range(10)]
    await asyncio.sleep(0)

    with pytest.raises(IntakeUnavailableError) as refused:
        await drain.take([_delivery()])
    gate.set()

    assert refused.value.retry_after_s > 0
    assert len(await asyncio.gather(*waiting)) == 10
    assert len(await drain.take([_delivery()])) == 1


async def test_one_commit_is_under_way_and_beside_one_that_takes_long_the_next() -> None:
    gates = [asyncio.Event() for _ in range(3)]
    commits: list[int] = []
    at_s: list[float] = []

    async def held_up(_: object, deliveries: Sequence[Any]) -> list[Any]:
        commits.append(len(deliveries))
        at_s.append(asyncio.get_running_loop().time())
        await gates[len(commits) - 1].wait()
        return list(deliveries)

    drain = Drain(AsyncMock(), take_in=held_up, patience_s=0.2, within_s=60.0)
    first = asyncio.create_task(drain.take([_delivery()]))
    await until(lambda: len(commits) == 1)
    others = [asyncio.create_task(drain.take([_delivery()])) for _ in range(5)]
    await until(lambda: len(commits) == 2)
    slow = list(commits)
    gates[1].set()
    taken_beside = [len(await call) for call in others]
    late = asyncio.create_task(drain.take([_delivery()]))
    gates[2].set()

    assert (slow, taken_beside) == ([1, 5], [1] * 5)
    assert at_s[1] - at_s[0] > 0.15, "not before the first has taken long"
    assert len(await late) == 1
    assert not first.done()
    gates[0].set()
    assert len(await first) == 1


async def test_what_waits_is_bounded_by_its_bytes_too_and_who_gave_up_holds_none() -> None:
    gate = asyncio.Event()

    async def slow(_: object, deliveries: Sequence[Any]) -> list[Any]:
        await gate.wait()
        return list(deliveries)

    drain = Drain(AsyncMock(), most_bytes=1000, take_in=slow, within_s=0.5, patience_s=60.0)
    under_way = asyncio.create_task(drain.take([_delivery(400)]))
    await asyncio.sleep(0.001)
    waiting = [asyncio.create_task(drain.take([_delivery(200)])) for _ in range(3)]
    await asyncio.sleep(0)
    with pytest.raises(IntakeUnavailableError, match="too many"):
        await drain.take([_delivery(1)])

    refused = await asyncio.gather(under_way, *waiting, return_exceptions=True)
    # One is in a commit that still is under way; of the others nothing is held.
    last = asyncio.create_task(drain.take([_delivery(600)]))
    await asyncio.sleep(0)
    gate.set()
    assert [type(one) for one in refused] == [IntakeUnavailableError] * 4
    assert len(await last) == 1


async def test_a_call_that_comes_as_the_last_commit_ends_is_taken_at_once() -> None:
    gate = asyncio.Event()

    async def slow(_: object, deliveries: Sequence[Any]) -> list[Any]:
        await gate.wait()
        return list(deliveries)

    drain = Drain(AsyncMock(), take_in=slow, within_s=60.0)
    first = asyncio.create_task(drain.take([_delivery()]))
    await asyncio.sleep(0.001)
    gate.set()
    # It runs in the very turn of the loop in which the commit ends.
    late = asyncio.create_task(drain.take([_delivery()]))

    assert [len(await call) for call in (first, late)] == [1, 1]


async def test_a_commit_that_fails_is_told_to_its_callers_and_to_no_other() -> None:
    outcomes: list[Any] = [IntakeUnavailableError("down"), ["done"]]
    drain = Drain(AsyncMock(), take_in=AsyncMock(side_effect=outcomes))

    with pytest.raises(IntakeUnavailableError):
        await drain.take([_delivery()])
    assert len(await drain.take([_delivery()])) == 1


async def test_what_was_answered_is_not_held_while_others_wait() -> None:
    gate = asyncio.Event()

    async def down(_: object, deliveries: Sequence[Any]) -> list[Any]:
        if deliveries[0].body == b"stuck":
            await gate.wait()
        elif deliveries[0].body == b"refused":
            raise OSError
        return list(deliveries)

    drain = Drain(AsyncMock(), take_in=down, patience_s=0.0)
    stuck = asyncio.create_task(drain.take([_sent(b"stuck")]))
    await asyncio.sleep(0.01)
    seen: list[ReferenceType[Any]] = []
    for body in (b"refused", b"taken"):
        for _ in range(20):
            sent = _sent(body)
            seen.append(ref(sent))
            with suppress(OSError):
                await drain.take([sent])
            del sent
    # What is under way holds the last of them for a moment.
    await drain.take([_sent(b"another")])
    gc.collect()

    assert [one() for one in seen] == [None] * 40
    unanswered = drain._shared._unanswered  # noqa: SLF001 - to count them
    assert len(unanswered) == 1, "the one that is stuck"
    gate.set()
    assert len(await stuck) == 1


async def test_a_caller_that_goes_away_leaves_its_neighbours_and_its_delivery_alone() -> None:
    gate = asyncio.Event()
    taken: list[object] = []

    async def slow(_: object, deliveries: Sequence[Any]) -> list[Any]:
        await gate.wait()
        taken.extend(deliveries)
        return list(deliveries)

    drain = Drain(AsyncMock(), take_in=slow)
    gone, stays = (asyncio.create_task(drain.take([_delivery()])) for _ in range(2))
    await asyncio.sleep(0)
    gone.cancel()
    gate.set()
    await drain.finish()

    assert (len(await stays), len(taken)) == (1, 2)


async def test_nobody_waits_longer_than_a_psp_and_who_was_refused_meanwhile_is_not_taken() -> None:
    gate = asyncio.Event()
    taken: list[object] = []

    async def stuck(_: object, deliveries: Sequence[Any]) -> list[Any]:
        await gate.wait()
        taken.extend(deliveries)
        return list(deliveries)

    drain = Drain(AsyncMock(), most_waiting=4, take_in=stuck, within_s=0.05, patience_s=9.0)
    calls = []
    for _ in range(4):  # one is in a commit that is stuck, and three wait for it
        calls.append(asyncio.create_task(drain.take([_delivery()])))
        await asyncio.sleep(0.001)
    refused = await asyncio.gather(*calls, return_exceptions=True)
    gate.set()
    await drain.finish()

    assert [type(one) for one in refused] == [IntakeUnavailableError] * 4
    assert len(taken) == 1
    assert len(await drain.take([_delivery()])) == 1, "nothing waits any more"


async def test_a_worker_that_is_cancelled_before_it_begins_is_replaced_and_not_waited_for() -> None:
    drain = Drain(AsyncMock(), take_in=AsyncMock(return_value=["done", "done"]), within_s=60.0)
    before = asyncio.all_tasks()
    first = asyncio.create_task(drain.take([_delivery()]))
    await asyncio.sleep(0)
    (worker,) = asyncio.all_tasks() - before - {first}
    worker.cancel()
    await asyncio.sleep(0.01)

    # Both are taken by the one that comes next.
    assert [len(one) for one in await asyncio.gather(first, drain.take([_delivery()]))] == [1, 1]
    async with asyncio.timeout(60):
        await drain.finish()


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - what the drain does has no event
            await asyncio.sleep(0.001)


class _Sent(SimpleNamespace):
    """A delivery that can be watched."""


def _sent(body: bytes) -> Any:  # noqa: ANN401 - as below
    return _Sent(body=body)


def _delivery(size: int = 200) -> Any:  # noqa: ANN401 - the drain does not look further inside
    return SimpleNamespace(body=bytes(size))
