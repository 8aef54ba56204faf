"""A look says what it saw of one wallet, and no wallet takes others with it."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import TYPE_CHECKING, Any, cast

import asyncpg
import pytest
from structlog.testing import capture_logs

from recon.db.pool import database_fault
from recon.reconciliation import RunState
from recon.reconciliation.look import LookState, look_at_page

if TYPE_CHECKING:
    from recon.game import GameBalance, GameClient, Priority
    from tests.reconciliation.conftest import World


async def test_a_player_whose_id_cannot_be_sent_is_not_compared_and_the_others_are(
    world: World,
) -> None:
    # Printable to nobody: the client refuses to put it into a header.
    for user in ("\u200bx", "u_1", "u_2"):
        await world.deposit(user, "10.00")
        world.game.set(user, "10.00")

    run = await world.run()

    assert (run.state, run.wallets.total) == (RunState.INCOMPLETE, 3)
    assert (run.wallets.agreed, run.wallets.not_compared) == (2, 1)


async def test_what_nobody_foresaw_of_one_wallet_leaves_the_page_and_is_logged(
    world: World,
) -> None:
    for user in ("u_1", "u_2", "u_3"):
        await world.deposit(user, "10.00")
        world.game.set(user, "10.00")
    odd = replace(world.reconciler, game=cast("GameClient", _OddGame(world.reconciler.game)))

    with capture_logs() as logs:
        looks = await look_at_page(odd, [(user, "GBP") for user in ("u_1", "u_2", "u_3")])

    assert [(one.user_id, one.state) for one in looks] == [
        ("u_1", LookState.AGREES),
        ("u_2", LookState.UNANSWERED),
        ("u_3", LookState.AGREES),
    ]
    assert [(one["event"], one["error"]) for one in logs] == [
        ("wallet_not_looked_at", "ZeroDivisionError('of all things')")
    ]


async def test_a_wallet_that_moves_while_its_page_is_asked_is_looked_at_again(
    world: World,
) -> None:
    for user in ("u_1", "u_2"):
        await world.deposit(user, "10.00")
        world.game.set(user, "10.00")

    async def u_1_gets_five_more() -> None:
        await world.deposit("u_1", "5.00")

    world.game.meanwhile["u_2"] = u_1_gets_five_more

    first, second = await look_at_page(
        replace(world.reconciler, concurrency=1), [("u_1", "GBP"), ("u_2", "GBP")]
    )

    assert (first.state, second.state) == (LookState.DIFFERS, LookState.AGREES)
    assert first.comparison is not None
    assert (first.comparison.snapshot.version, first.comparison.difference) == (2, -5_00)
    assert sorted(world.game.asked) == ["u_1", "u_1", "u_2"]


class _OddGame:
    """The game's client with a fault of its own for one player."""

    def __init__(self, client: GameClient) -> None:
        self._client = client

    async def balance(self, user_id: str, currency: str, *, wanted_as: Priority) -> GameBalance:
        if user_id == "u_2":
            raise ZeroDivisionError("of all things")
        return await self._client.balance(user_id, currency, wanted_as=wanted_as)


async def test_a_connection_that_breaks_in_the_middle_of_a_page_is_told_as_the_databases(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    """By itself, as it is known everywhere, and not in a group of errors."""
    for user in ("u_1", "u_2"):
        await world.deposit(user, "10.00")
        world.game.set(user, "3.00")
    pool, acquire, times = world.reconciler.pool, world.reconciler.pool.acquire, count(1)

    def breaking(**options: Any) -> Any:  # noqa: ANN401 - asyncpg's own
        if next(times) > 1:
            raise asyncpg.ConnectionDoesNotExistError("connection was closed in the middle")
        return acquire(**options)

    monkeypatch.setattr(pool, "acquire", breaking)
    with pytest.raises(asyncpg.ConnectionDoesNotExistError) as told:
        await look_at_page(world.reconciler, [("u_1", "GBP"), ("u_2", "GBP")])

    assert database_fault(told.value) is not None
