"""Work on the week under way: proposals that wait, one that is stale, a bet to be ruled on."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.bets.by_hand import RulingOutcome, RulingWish, propose_ruling
from recon.clock import new_id, now
from recon.four_eyes import Step
from recon.ledger import post_one, rules
from recon.money import Money
from recon.reconciliation.propose import propose
from tests.web.test_bets import resting

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from tests.web.seeding import Seeded

__all__ = ["seed_decisions"]


async def seed_decisions(pool: Pool, week: Seeded) -> UUID:
    """Proposals that wait: maker's for USD, one of nora's that is stale, checker's own.

    Returns:
        The bet on which maker has proposed a ruling.
    """
    for player, amount, actor, reason in (
        ("u_33100", "-12.00", "nora", "Adyen's report has 50.00, which is what was paid"),
        ("u_20466", "-1250.00", "maker", "booked twice by hand on 12 November, ticket FIN-881"),
        ("u_48213", "20.00", "checker", "the PSP confirmed dep-48213 by e-mail"),
    ):
        await propose(
            pool, week.discrepancies[player], amount, reason, step=Step(f"staff:{actor}", new_id())
        )
    at = now()
    async with pool.acquire() as connection, connection.transaction():
        # Nora's wallet goes on, so that what she proposed can be booked no more.
        await post_one(
            connection,
            rules.fact_for_player(
                "u_33100",
                Money.parse("30.00", "EUR"),
                kind="deposit.succeeded",
                source="psp:adyen_eu",
                key="u_33100:later",
                event_at=at,
            ),
        )
    bet_id, _ = await resting(pool, why="the game has two outcomes of it: lost, and paid 25.00")
    await propose_ruling(
        pool,
        bet_id,
        RulingWish(
            outcome=RulingOutcome.CASHED_OUT,
            payout="25.00",
            currency="GBP",
            payout_transaction_id="tx_90233",
            ticket_id="t_77120",
            evidence="operator's ticket SUP-4471",
            reason="the operator found the cash-out at 2.50 in their log",
        ),
        step=Step("staff:maker", new_id()),
    )
    return bet_id
