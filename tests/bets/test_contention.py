"""Many at one wallet, and two at one bet: the money is there once."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Any

import aiohttp
import asyncpg
import pytest

from recon.bets.desk import Desk
from recon.bets.model import BetState
from recon.db.pool import DatabaseUnavailableError
from recon.errors import ReconError
from recon.http import Scope
from recon.http.keys import create_key
from recon.sandbox.app import settings_for
from tests.bets.calling import body, once, serving
from tests.bets.conftest import FLIES_TO_5, open_world
from tests.violence.process import Service

if TYPE_CHECKING:
    from pathlib import Path

    from recon.db import Pool
    from recon.game import Outgoing
    from tests.bets.conftest import World


async def post(session: Any, url: str, wish: dict[str, Any]) -> tuple[int, str]:  # noqa: ANN401 - a client of either kind
    """What comes of a bet: the status, and the code or state."""
    headers = once()
    while True:
        async with session.post(f"{url}/api/v1/bets", json=wish, headers=headers) as answer:
            told = await answer.json()
        if answer.status != 503:
            return answer.status, told.get("code") or told["state"]
        # So many at once may be too many for a slow machine: it says so, and they come again.
        assert told["code"] == "database_unavailable"
        await asyncio.sleep(1)


async def test_500_bets_at_once_on_money_for_10_place_exactly_10(world: World) -> None:
    await world.deposit("100.00")
    world.clock.ticking = True

    async with serving(world, world.game) as api:
        wish = body(world)
        answers = await asyncio.gather(*(post(api, "", wish) for _ in range(500)))

    assert Counter(answers) == {
        (201, "placed"): 10,
        (422, "insufficient_balance"): 490,
    }
    assert len(world.network.calls("/bets/holds")) == len(world.sandbox.book.bets) == 10
    assert await world.ledger() == world.at_game() == ("0.00", "0.00")
    assert len(await world.bets()) == 10


async def test_500_bets_in_two_processes_on_money_for_10_place_exactly_10(
    world: World, database_url: str, tmp_path: Path
) -> None:
    await world.deposit("100.00")
    world.clock.ticking = True
    key = await create_key(world.pool, name="lobby", scopes=[Scope.WRITE_BET], lifetime=None)
    game = {
        name: value
        for name, value in settings_for(world.url, FLIES_TO_5).items()
        if name.startswith("RECON_GAME_")
    }
    services = []
    for name in ("a", "b"):
        home = tmp_path / name
        home.mkdir()
        services.append(Service({"RECON_DATABASE_URL": database_url, **game}, home))
    try:
        await asyncio.gather(*(service.up() for service in services))
        headers = {"Authorization": f"Bearer {key.key}"}
        connector = aiohttp.TCPConnector(limit=0)
        async with aiohttp.ClientSession(headers=headers, connector=connector) as session:
            wish = body(world)
            answers = await asyncio.gather(
                *(post(session, services[n % 2].url, wish) for n in range(500))
            )
    finally:
        await asyncio.gather(*(service.close() for service in services))

    assert Counter(answers) == {
        (201, "placed"): 10,
        (422, "insufficient_balance"): 490,
    }
    assert len(world.sandbox.book.holds) == len(world.sandbox.book.bets) == 10
    assert await world.ledger() == world.at_game() == ("0.00", "0.00")


async def test_one_request_sent_100_times_at_once_is_one_bet(world: World) -> None:
    await world.deposit("1000.00")
    world.clock.ticking = True

    async with serving(world, world.game) as api:
        wish, headers = body(world), once("k1")

        async def ask() -> tuple[int, str]:
            async with api.post("/api/v1/bets", json=wish, headers=headers) as answer:
                told = await answer.json()
                return answer.status, told.get("code") or told["bet_id"]

        answers = Counter(await asyncio.gather(*(ask() for _ in range(100))))

    (bet,) = await world.bets()
    assert answers[(201, str(bet.bet_id))] >= 1
    assert set(answers) <= {(201, str(bet.bet_id)), (409, "idempotency_in_progress")}
    assert len(world.sandbox.book.bets) == 1
    assert await world.ledger() == ("990.00", "0.00")


async def test_one_intent_in_two_processes_in_the_same_moment_is_one_bet(
    world: World, owner: Pool
) -> None:
    """Both have looked, and know of no such bet, when the wallet lets the first of them go on."""
    await world.deposit("100.00")
    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM wallets WHERE user_id = 'u_1' FOR UPDATE")
        both = [asyncio.create_task(world.place(key="caller/k1")) for _ in range(2)]
        waiting = (
            "SELECT count(*) FROM pg_stat_activity "
            "WHERE wait_event_type = 'Lock' AND datname = current_database()"
        )
        async with asyncio.timeout(60):
            while await owner.fetchval(waiting) < 2:  # noqa: ASYNC110 - Postgres tells no event
                await asyncio.sleep(0.01)

    bets = await asyncio.gather(*both)

    assert len({bet.bet_id for bet in bets}) == len(world.sandbox.book.bets) == 1
    assert await world.ledger() == world.at_game() == ("90.00", "0.00")


async def test_bets_share_commits_and_none_harms_its_neighbours(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits: list[int] = []
    real = asyncpg.Connection.fetchval

    async def counted(self: Any, query: str, *args: Any, **more: Any) -> Any:  # noqa: ANN401
        if "bets_open" in query:
            commits.append(len(args[0]))
        return await real(self, query, *args, **more)

    monkeypatch.setattr(asyncpg.Connection, "fetchval", counted)
    users = [f"u_{number}" for number in range(60)]
    for user in users[:50]:
        await world.deposit("10.00", user)
    desk = Desk(world.pool)
    answers = await asyncio.gather(
        *(world.place(world.wish("10.00", user=user), desk=desk) for user in users),
        # What Postgres cannot take.
        *(world.place(world.wish("10.00", user=user), desk=desk, key="k\0") for user in users[:3]),
        return_exceptions=True,
    )

    placed = [a for a in answers[:50] if not isinstance(a, BaseException)]
    assert [bet.state for bet in placed] == [BetState.PLACED] * 50
    assert {getattr(a, "code", None) for a in answers[50:60]} == {"insufficient_balance"}
    assert all(isinstance(a, asyncpg.DataError) for a in answers[60:])
    assert sum(commits) >= 63
    assert max(commits) > 30, commits


async def test_a_wallet_that_somebody_holds_keeps_nobody_else_waiting(
    world: World, owner: Pool
) -> None:
    users = [f"u_{number}" for number in range(20)]
    for user in users:
        await world.deposit("10.00", user)
    desk = Desk(world.pool)

    async def place(user: str) -> object:
        try:
            return (await world.place(world.wish("10.00", user=user), desk=desk)).state
        except ReconError as error:
            return type(error)

    async with owner.acquire() as connection, connection.transaction():
        await connection.execute("SELECT FROM wallets WHERE user_id = 'u_7' FOR UPDATE")
        answers = dict(zip(users, await asyncio.gather(*map(place, users)), strict=True))

    # It was held until all had been answered; and whoever waits for too long is told so.
    assert answers.pop("u_7") is DatabaseUnavailableError
    assert set(answers.values()) == {BetState.PLACED}
    assert await world.ledger("u_7") == ("10.00", "0.00")
    assert (await world.place(world.wish("10.00", user="u_7"), desk=desk)).state == "placed"


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("race", ["crash", "target"])
async def test_a_cash_out_racing_the_end_of_its_flight_is_paid_once_or_lost(
    pool: Pool, race: str, moment: str
) -> None:
    """The round ends, or the bet's own target is reached, while the cash-out is on its way."""
    async with open_world(pool) as world:
        await world.deposit("100.00")
        # It flies to 5.00 or above; a target of 3.00 is reached, one of 9.99 perhaps not.
        bet = await world.place(world.wish("10.00", auto="3.00" if race == "target" else None))
        world.fly(seconds=3)
        real = world.network.real.send

        async def raced(outgoing: Outgoing) -> Any:  # noqa: ANN401 - an answer
            if not outgoing.target.endswith("/cashout"):
                return await real(outgoing)
            if moment == "after":
                answer = await real(outgoing)
            pass_by(world, race)
            # Settlement looks at the bet at the same time.
            await world.resolve(after_s=1.0)
            return await real(outgoing) if moment == "before" else answer

        world.network.real.send = raced  # type: ignore[method-assign]
        desk = Desk(pool)
        asked = await asyncio.gather(
            *(world.cash_out(bet, desk=desk) for _ in range(3)), return_exceptions=True
        )
        world.network.real.send = real  # type: ignore[method-assign]
        for outcome in asked:
            assert not isinstance(outcome, BaseException) or isinstance(outcome, ReconError)

        await world.come_to_rest()
        state = (await world.bet(bet)).state
        paid = {"crash": {"before": 0, "after": 1}, "target": {"before": 1, "after": 1}}
        assert len(world.sandbox.book.payouts) == paid[race][moment]
        assert state == (BetState.CASHED_OUT if paid[race][moment] else BetState.LOST)
        postings = await pool.fetchval("SELECT count(*) FROM postings WHERE kind = 'bet.payout'")
        assert postings == paid[race][moment]


def pass_by(world: World, race: str) -> None:
    """Let time pass until the round has crashed, or the multiplier is past the target."""
    if race == "crash":
        world.end_round()
    else:
        world.clock.passed_s += 8.0


async def test_a_bet_that_comes_late_after_its_rollback_is_refused(world: World) -> None:
    """The confirm is held up on its way until the resolver has given the stake back."""
    await world.deposit("10.00")
    world.clock.ticking = True
    asleep, wake = asyncio.Event(), asyncio.Event()
    real = world.network.real.send

    async def held_up(outgoing: Outgoing) -> Any:  # noqa: ANN401 - an answer
        if outgoing.target.endswith("/confirm"):
            asleep.set()
            await wake.wait()
        return await real(outgoing)

    world.network.real.send = held_up  # type: ignore[method-assign]
    async with serving(world, world.game) as api:
        wish, headers = body(world), once("k1")
        first = asyncio.create_task(api.post("/api/v1/bets", json=wish, headers=headers))
        await asleep.wait()
        await world.resolve(after_s=46)
        (bet,) = await world.bets()
        assert (bet.state, await world.ledger()) == ("rejected", ("10.00", "0.00"))
        wake.set()
        late = await first
        again = await api.post("/api/v1/bets", json=wish, headers=headers)

        assert (late.status, (await late.json())["code"]) == (409, "round_closed")
        assert await again.read() == await late.read()
        assert again.headers["Idempotency-Replayed"] == "true"
    assert world.sandbox.book.bets == {}
    assert await world.ledger() == world.at_game() == ("10.00", "0.00")
