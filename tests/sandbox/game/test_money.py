"""No penny appears or vanishes, whatever the players and the PSPs do."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import pytest

from recon.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from tests.sandbox.game.conftest import World

USERS = ("u_1", "u_2", "u_3")


class Crowd:
    """Players who do anything at all, in the order that a seed gives."""

    def __init__(self, world: World, seed: int) -> None:
        self.world = world
        self.draw = random.Random(seed)  # noqa: S311 - a repeatable crowd, no secret
        self.tickets: list[tuple[str, str]] = []

    async def step(self) -> None:
        user = self.draw.choice(USERS)
        backend = self.world.sandbox.backend
        match self.draw.randrange(8):
            case 0 | 1 | 2 | 3:
                await self.place(user)
            case 4 if self.tickets:
                owner, ticket = self.draw.choice(self.tickets)
                await self.world.post(f"/api/v1/bets/{ticket}/cashout", user=owner)
            case 5:
                backend.credit(user, "GBP", self.draw.randrange(1, 5000))
            case 6:
                backend.debit(user, "GBP", self.draw.randrange(1, 5000))
            case 7 if self.draw.random() < 0.3:
                await self.world.call("POST", "/sandbox/rounds/current/cancel")
        self.world.clock.turn(self.draw.random())
        self.world.sandbox.timeline.catch_up()

    async def place(self, user: str) -> None:
        amount = f"{self.draw.randrange(1, 40)}.{self.draw.randrange(10, 99)}"
        auto = self.draw.choice(["null", "1.20", "1.55", "3.00"])
        held = await self.world.hold(user=user, amount=amount, auto=auto)
        verb = self.draw.choice(["confirm", "confirm", "confirm", "release", None])
        if held.status != 201 or verb is None:
            return
        path = f"/api/v1/bets/holds/{held.json['hold_id']}/{verb}"
        settled = await self.world.post(path, user=user)
        if settled.status == 201:
            self.tickets.append((user, settled.json["ticket_id"]))


@pytest.mark.parametrize("seed", [1, 2, 3])
async def test_players_and_house_together_have_what_the_psps_brought_in(
    worlds: Callable[..., Awaitable[World]], seed: int
) -> None:
    world = await worlds(seed=seed, fault_rates={"payout_lost": 0.2}, hold_ttl_s=0.5)
    backend = world.sandbox.backend
    for user in USERS:
        world.player(user, 50_000)
    crowd = Crowd(world, seed)

    for _ in range(150):
        await crowd.step()
        together = backend.held_by_players("GBP") + backend.house["GBP"]
        assert together == backend.brought_in["GBP"]
        assert all(backend.players[user].wallets["GBP"].held >= 0 for user in USERS)

    world.clock.turn(30)
    world.sandbox.timeline.catch_up()
    kinds = {movement.kind for movement in backend.journal}
    assert kinds == {"credit", "debit", "hold", "release", "expiry", "stake", "payout", "void"}
    for user in USERS:
        wallet = backend.players[user].wallets["GBP"]
        own = [moved for moved in backend.journal if moved.user_id == user]
        assert wallet.available == sum(moved.available_minor for moved in own)
        assert wallet.held == sum(moved.held_minor for moved in own) == 0
    holds = world.sandbox.book.holds.values()
    assert {hold.status for hold in holds} == {"confirmed", "released", "expired"}
    bets = world.sandbox.book.bets.values()
    assert {bet.status for bet in bets} == {"cashed_out", "lost", "void"}


async def test_a_psps_fact_opens_the_player_and_may_overdraw(world: World) -> None:
    backend = world.sandbox.backend

    backend.credit("u_new", "GBP", 1000, ref="pay-1")
    backend.debit("u_new", "GBP", 2500, ref="chargeback-1")

    assert await world.balance("u_new") == ("-15.00", "0.00")
    shown = (await world.call("GET", "/sandbox/users/u_new")).json
    assert shown["balances"] == [{"currency": "GBP", "available": "-15.00", "held": "0.00"}]
    assert [(row["kind"], row["amount"], row["ref"]) for row in shown["journal"]] == [
        ("credit", "10.00", "pay-1"),
        ("debit", "25.00", "chargeback-1"),
    ]


@pytest.mark.parametrize("amount_minor", [0, -5])
async def test_a_movement_of_nothing_is_refused(world: World, amount_minor: int) -> None:
    with pytest.raises(Invalid):
        world.sandbox.backend.credit("u_1", "GBP", amount_minor)
    with pytest.raises(Invalid):
        world.sandbox.backend.debit("u_1", "GBP", amount_minor)


async def test_an_18_decimal_stake_is_paid_out_exactly(world: World) -> None:
    world.player("u_eth", 10**18, "ETH")
    await world.next_round(300)
    body = (
        f'{{"round_id":"{world.sandbox.engine.current.round_id}","amount":"0.123456789012345678",'
        f'"currency":"ETH","auto_cashout":1.01}}'
    )
    held = await world.post("/api/v1/bets/holds", body.encode(), user="u_eth")
    await world.post(f"/api/v1/bets/holds/{held.json['hold_id']}/confirm", user="u_eth")
    await world.until("crashed")
    await world.until("betting")

    # 1 - s + floor(s * 1.01) in units of 10**-18, with s = 123456789012345678.
    gained = 123456789012345678 * 101 // 100 - 123456789012345678
    assert (await world.balance("u_eth", "ETH"))[0] == f"1.{gained:018d}"
