"""A repeat of a call that came to nothing runs at once; of one that came to something, it hears."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from recon.bets import desk, opening
from recon.db.pool import DatabaseUnavailableError
from recon.http import stored_requests
from recon.http.seen_through import finish_calls
from recon.http.stored_requests import REQUESTS, Requests
from tests.bets.calling import Api, Moment, body, leave, once, serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from tests.bets.conftest import World


@pytest.fixture
async def api(world: World) -> AsyncIterator[Api]:
    # The handlers live by the machine's clock.
    world.clock.ticking = True
    async with serving(world, world.game) as opened:
        yield opened
        await opened.app[REQUESTS].close()


async def told(answer: Any) -> tuple[int, str, bool]:  # noqa: ANN401 - aiohttp's
    said = await answer.json()
    replayed = answer.headers.get("Idempotency-Replayed") == "true"
    return answer.status, said.get("code") or said["state"], replayed


async def cut_off(
    api: Api, path: str, wish: dict[str, Any] | None, key: str, moment: Moment
) -> None:
    """A call whose caller goes away in a moment of it, and which is seen through."""
    await leave(api, path, moment, json=wish, headers=once(key))
    moment.left.set()
    await finish_calls()


def slow(real: Callable[..., Any], moment: Moment) -> Callable[..., Any]:
    async def wait(*given: Any) -> Any:  # noqa: ANN401 - passed on
        await moment.hold()
        return await real(*given)

    return wait


async def test_a_bet_whose_outcome_could_not_be_written_after_its_caller_left_is_told_at_once(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    await world.deposit("100.00")
    wish, moment = body(world), Moment()

    async def gone(*_: Any) -> Any:  # noqa: ANN401 - it raises
        await moment.hold()
        raise DatabaseUnavailableError("gone for a moment")

    with monkeypatch.context() as patched:
        patched.setattr(desk, "conclude_each", gone)
        await cut_off(api, "/api/v1/bets", wish, "k1", moment)
    again = await told(await api.post("/api/v1/bets", json=wish, headers=once("k1")))

    assert again == (202, "placing", False)
    await world.resolve(after_s=46)
    assert [str(bet.state) for bet in await world.bets()] == ["placed"]
    assert len(world.sandbox.book.bets) == 1


async def test_a_refusal_that_its_caller_did_not_wait_for_is_told_to_the_repeat(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    wish, moment = body(world), Moment()  # without money
    with monkeypatch.context() as patched:
        patched.setattr(desk, "open_each", slow(opening.open_each, moment))
        await cut_off(api, "/api/v1/bets", wish, "k1", moment)

    again = await told(await api.post("/api/v1/bets", json=wish, headers=once("k1")))

    assert again == (422, "insufficient_balance", True)


async def test_a_cash_out_whose_caller_left_is_told_to_the_repeat(world: World, api: Api) -> None:
    await world.deposit("100.00")
    bet = await world.place()
    path = f"/api/v1/bets/{bet.bet_id}/cashout"
    world.fly()
    real, moment = world.network.send, Moment()
    world.network.send = slow(real, moment)  # type: ignore[method-assign]
    await cut_off(api, path, None, "k1", moment)
    world.network.send = real  # type: ignore[method-assign]

    again = await told(await api.post(path, headers=once("k1")))

    assert again == (202, "cashing_out", True)
    assert len(world.network.calls("/cashout")) == 1


async def free(api: Api, wish: dict[str, Any]) -> tuple[int, str, bool]:
    """What the repeat is told once its key is free: well before the minute is over."""
    async with asyncio.timeout(45):
        while True:
            again = await told(await api.post("/api/v1/bets", json=wish, headers=once("k1")))
            if again != (409, "idempotency_in_progress", False):
                return again
            await asyncio.sleep(0.1)


async def test_a_key_that_could_not_be_freed_is_free_once_the_database_is_back(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not after the minute for which an attempt that says nothing is waited for."""
    await world.deposit("100.00")
    wish = body(world)
    monkeypatch.setattr(stored_requests, "_FREED_EVERY_S", 0.1)

    async def gone(*_: Any) -> Any:  # noqa: ANN401 - it raises
        raise DatabaseUnavailableError("gone for a moment")

    with monkeypatch.context() as patched:
        patched.setattr(desk, "conclude_each", gone)
        patched.setattr(Requests, "finish", gone)
        first = await told(await api.post("/api/v1/bets", json=wish, headers=once("k1")))
        meanwhile = await told(await api.post("/api/v1/bets", json=wish, headers=once("k1")))
    again = await free(api, wish)

    assert first == (503, "database_unavailable", False)
    assert meanwhile == (409, "idempotency_in_progress", False)
    assert again == (202, "placing", False)
    await world.resolve(after_s=46)


async def test_a_beginning_that_nobody_waited_for_any_longer_holds_up_no_repeat(
    world: World, api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The commit of the intent ends after its caller was told that the database takes too long."""
    await world.deposit("100.00")
    wish = body(world)
    monkeypatch.setattr(stored_requests, "_FREED_EVERY_S", 0.1)
    monkeypatch.setattr(stored_requests, "WITHIN_S", -0.5)
    late: list[asyncio.Task[Any]] = []
    real = opening.open_each

    async def begin_later(*given: Any) -> Any:  # noqa: ANN401 - it raises
        late.append(asyncio.create_task(real(*given)))
        raise DatabaseUnavailableError("the database takes too long; come again")

    with monkeypatch.context() as patched:
        patched.setattr(desk, "open_each", begin_later)
        first = await told(await api.post("/api/v1/bets", json=wish, headers=once("k1")))
    await asyncio.gather(*late)
    meanwhile = await told(await api.post("/api/v1/bets", json=wish, headers=once("k1")))
    again = await free(api, wish)

    assert first == (503, "database_unavailable", False)
    assert meanwhile == (409, "idempotency_in_progress", False)
    assert again == (202, "placing", False)
    await world.resolve(after_s=46)
