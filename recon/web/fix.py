"""The fix before it is made: what an adjustment would book, and what a re-check would find then."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from recon.errors import Invalid
from recon.ledger import read_wallet_or_none, rules
from recon.money import Money
from recon.reconciliation.adjustments import AdjustmentState, list_adjustments
from recon.web.advice import right_here

if TYPE_CHECKING:
    import asyncpg

    from recon.ledger import Entry
    from recon.reconciliation import Discrepancy
    from recon.reconciliation.adjustments import Adjustment

__all__ = ["Fix", "plain_amount", "read_fix"]


_GROUPED: Final = re.compile(r"-?[0-9]{1,3}(,[0-9]{3})+(\.[0-9]+)?")
"""Thousands parted by commas, as pages show them."""


@dataclass(frozen=True, slots=True)
class Fix:
    """What it would do; amounts in minor units of the discrepancy's currency.

    Attributes:
        found: what is to be fixed.
        amount: what is added to the available money, signed; 0: nothing to preview.
        available: the ledger's available money now.
        left: the difference that a re-check would find if the game shows what it last showed.
        moved: the wallet has moved since it was compared, so that nobody knows what is left.
        right_here: what of the difference the ledger is right about, signed; no adjustment is
            suggested for it.
        refused: why the amount cannot be proposed; ``None``: it can be.
        proposed: the proposal that waits, if one does.
    """

    found: Discrepancy
    amount: int
    available: int
    left: int
    moved: bool
    right_here: int
    refused: str | None
    proposed: Adjustment | None

    @property
    def entry(self) -> Entry:
        """What would be booked, by the rule that books it."""
        found = self.found
        return rules.adjustment(
            found.user_id,
            Money(self.amount, found.currency),
            adjustment_id=found.discrepancy_id,
            event_at=found.last_seen_at,
        )

    @property
    def available_after(self) -> int:
        """The ledger's available money with it."""
        return self.available + self.amount


async def read_fix(
    connection: asyncpg.Connection[Any], found: Discrepancy, said: str | None = None
) -> Fix:
    """Preview a fix.

    Args:
        connection: reads.
        found: what is to be fixed.
        said: an amount as people write it; ``None``: the proposal that waits, or else what would
            make the ledger's available money what the game shows, but for what the ledger is right
            about.
    """
    proposed = await list_adjustments(
        connection,
        state=AdjustmentState.PROPOSED,
        discrepancy_id=found.discrepancy_id,
        limit=1,
    )
    wallet = await read_wallet_or_none(connection, found.user_id, found.currency)
    available, version = (0, 0) if wallet is None else (wallet.available, wallet.version)
    right = 0 if found.of_held else right_here(found)
    amount, refused = _read(said, found, found.available_difference - right)
    if said is None and proposed:
        amount = proposed[0].amount
    if said is None and not proposed and found.of_held:
        refused = (
            "what is held for bets is put right by their outcome; an adjustment is of the rest"
        )
    if said is None and not proposed and amount == 0 and right:
        refused = "the ledger is right, by all that is known: nothing is suggested here"
    if refused is None and amount == 0:
        refused = "an adjustment of nothing adjusts nothing"
    if refused is None and amount < 0 and available + amount < 0:
        refused = "the wallet does not hold so much, and a correction may not overdraw it"
    return Fix(
        found=found,
        amount=amount,
        available=available,
        left=found.available_difference - amount,
        moved=version != found.ledger_version,
        right_here=right,
        refused=refused,
        proposed=proposed[0] if proposed else None,
    )


def plain_amount(said: str) -> str:
    """An amount as it may be pasted from a page, with our signs and separators, without them.

    A comma that parts no thousands stays, and makes it no amount: whoever writes 15,55 for 15.55
    does not mean 1555.
    """
    plain = said.strip().replace("\N{MINUS SIGN}", "-").removeprefix("+")
    return plain.replace(",", "") if _GROUPED.fullmatch(plain) else plain


def _read(said: str | None, found: Discrepancy, suggested: int) -> tuple[int, str | None]:
    if said is None:
        return suggested, None
    try:
        return Money.parse(plain_amount(said), found.currency).minor, None
    except Invalid as error:
        return 0, error.message
