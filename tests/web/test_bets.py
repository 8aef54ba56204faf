"""The page of a bet: what it says, and who may propose and approve what it came to."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from recon.clock import new_id, now
from recon.ledger import post_one, read_wallet, rules
from recon.money import Money
from tests.web.test_cases import SPOKEN, opened
from tests.web.test_pages import words

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from tests.web.conftest import Site

TEN = Money.parse("10.00", "GBP")


async def resting(
    pool: Pool, state: str = "placing", *, why: str = SPOKEN, player: str = "u_7"
) -> tuple[UUID, UUID]:
    """A bet of 10.00 of a player, who had 100.00, with its case: the game contradicts itself."""
    bet_id, at = new_id(), now()
    async with pool.acquire() as connection, connection.transaction():
        entries = [
            rules.fact_for_player(
                player,
                Money.parse("100.00", "GBP"),
                kind="deposit.succeeded",
                source="test",
                key=f"{player}:d",
                event_at=at,
            ),
            rules.stake_held(player, TEN, bet_id=bet_id, event_at=at),
        ]
        if state == "placed":
            entries.append(rules.stake_captured(player, TEN, bet_id=bet_id, event_at=at))
        for entry in entries:
            await post_one(connection, entry)
        ticket = ("t_1", at) if state == "placed" else (None, None)
        await connection.execute(
            "INSERT INTO bets (user_id, bet_id, caller_key, round_id, currency, amount, state,"
            " hold_body, hold_key, confirm_key, release_key, cashout_key, ticket_id, placed_at,"
            " created_at, updated_at, resting, reason)"
            " VALUES ($6, $1, 'k', 'r_1', 'GBP', 1000, $2, '', $1, $1, $1, $1, $3, $4, $5, $5,"
            " true, 'bet_mismatch')",
            *(bet_id, state, *ticket, at, player),
        )
    return bet_id, await opened(pool, "bet_mismatch", str(bet_id), why=why)


async def available(pool: Pool) -> tuple[str, str]:
    async with pool.acquire() as connection:
        wallet = await read_wallet(connection, "u_7", "GBP")
    return str(Money(wallet.available, "GBP")), str(Money(wallet.held, "GBP"))


async def proposed(site: Site, pool: Pool, bet_id: UUID, **said: str) -> str:
    """What maker proposes; the address of it."""
    await site.sign_in("maker")
    fields = {"reason": "they looked it up", "evidence": "SUP-1", **said}
    status, _, headers = await site.act(f"/bets/{bet_id}/rulings", **fields)
    assert (status, headers["Location"]) == (303, f"/bets/{bet_id}#ruling")
    ruling_id = await pool.fetchval("SELECT ruling_id FROM bet_rulings")
    return f"/rulings/{ruling_id}"


async def test_a_case_of_a_bet_leads_to_the_bet_which_says_what_to_do(
    site: Site, pool: Pool
) -> None:
    bet_id, case_id = await resting(pool)
    await site.sign_in("maker")

    assert f'href="/bets/{bet_id}"' in (await site.get("/cases?kind=bet_mismatch"))[1]
    assert "the game is asked about it again" in words(
        (await site.get(f"/cases/{case_id}/close"))[1]
    )
    said = words((await site.get(f"/bets/{bet_id}"))[1])
    assert "Bet of u_7 over 10.00 GBP" in said
    assert (
        "It rests: bet mismatch. The game is asked about it no more. The stake is on hold." in said
    )
    assert "Ask the game's operator what it came to, then propose it here." in said
    assert "Bet mismatch: a deposit of which <b>nobody</b> spoke" not in said
    assert "Paid out" in said


async def test_what_maker_proposes_checker_approves_and_it_is_booked(
    site: Site, pool: Pool
) -> None:
    bet_id, _ = await resting(pool)
    path = await proposed(
        *(site, pool, bet_id),
        outcome="cashed_out",
        payout="25.00",
        payout_transaction_id="tx_9",
        ticket_id="t_9",
    )
    said = words((await site.get(f"/bets/{bet_id}"))[1])
    assert "The player is paid: 25.00 GBP, transaction tx_9, ticket t_9." in said
    assert "You proposed it: another has to approve it." in said
    assert "Approve and book" not in said
    assert (await site.act(f"{path}/approve"))[0] == 403
    assert await available(pool) == ("90.00", "10.00")

    await site.sign_in("checker")
    assert re.search(r"Approvals\s*1\b", words((await site.get("/"))[1]))
    listed = words((await site.get("/approvals"))[1])
    assert "u_7 Cashed out 25.00 GBP maker" in listed
    assert "Approve and book" in (await site.get(f"/bets/{bet_id}"))[1]
    status, _, headers = await site.act(f"{path}/approve", reason="seen it")

    assert (status, headers["Location"]) == (303, f"/bets/{bet_id}#ruling")
    assert await available(pool) == ("115.00", "0.00")
    after = words((await site.get(f"/bets/{bet_id}"))[1])
    assert "as two people ruled" in after
    assert "decided" in after
    assert "Propose" not in after
    assert "u_7 Cashed out 25.00 GBP maker" in words((await site.get("/approvals?state=booked"))[1])
    row = await pool.fetchrow("SELECT state, closed_by FROM cases")
    assert row is not None
    assert tuple(row) == ("closed", "staff:checker")


async def test_who_may_what(site: Site, pool: Pool) -> None:
    bet_id, _ = await resting(pool, "placed")
    await site.sign_in("watcher")
    assert "does not propose rulings" in words((await site.get(f"/bets/{bet_id}"))[1])
    assert (await site.act(f"/bets/{bet_id}/rulings", outcome="lost"))[0] == 403
    path = await proposed(site, pool, bet_id, outcome="lost")

    # An approver who proposes cannot approve his own.
    assert (await site.act(f"{path}/reject", reason="my mistake"))[0] == 303
    await site.sign_in("checker")
    status, _, _ = await site.act(
        f"/bets/{bet_id}/rulings", outcome="void", reason="r", evidence="e"
    )
    assert status == 303
    own = await pool.fetchval("SELECT ruling_id FROM bet_rulings WHERE state = 'proposed'")
    assert (await site.act(f"/rulings/{own}/approve"))[0] == 403
    await site.sign_in("maker")
    assert (await site.act(f"/rulings/{own}/approve"))[0] == 403
    assert (await site.act(f"/rulings/{own}/reject", reason="no"))[0] == 403
    assert await pool.fetchval("SELECT state FROM bets") == "placed"


async def test_what_is_wrong_is_said(site: Site, pool: Pool) -> None:
    bet_id, _ = await resting(pool)
    await site.sign_in("maker")
    for fields, status, said in (
        ({"outcome": "lost", "reason": "r", "evidence": "e"}, 400, "by it the game took the stake"),
        ({"outcome": "void", "reason": " ", "evidence": "e"}, 400, "Say why"),
        ({"outcome": "void", "reason": "r"}, 400, "evidence"),
        ({"outcome": "cashed_out", "payout": "-1", "reason": "r", "evidence": "e"}, 400, "zero"),
    ):
        found, page, _ = await site.act(f"/bets/{bet_id}/rulings", **fields)
        assert (found, said in words(page)) == (status, True), page
    assert (await site.get(f"/bets/{new_id()}"))[0] == 404
    assert (await site.get("/bets/none"))[0] == 404
    assert await pool.fetchval("SELECT count(*) FROM bet_rulings") == 0
