"""Whose money a fact speaks of, so that no movement is counted by two sources; pure.

A registered payment, its delivery, its posting and its line in a settlement file name the same
money by different ids: our reference, the PSP's payment, the refund's own id.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.settlements import LineKind
from recon.webhooks import Kind

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from recon.payments import Payment
    from recon.settlements import SettlementFact
    from recon.webhooks import UnbookedDelivery

__all__ = ["DEPOSIT", "WITHDRAWAL", "Moneys", "of_kind", "of_line"]

DEPOSIT: Final = "deposit"
WITHDRAWAL: Final = "paid"

_KINDS: Final[Mapping[Kind, str]] = {
    Kind.DEPOSIT_SUCCEEDED: DEPOSIT,
    Kind.DEPOSIT_FAILED: "deposit_reversed",
    Kind.DEPOSIT_REFUNDED: "refund",
    Kind.DEPOSIT_REFUND_FAILED: "refund_failed",
    Kind.DEPOSIT_CHARGED_BACK: "chargeback",
    Kind.DEPOSIT_CHARGEBACK_REVERSED: "chargeback_reversed",
    Kind.WITHDRAWAL_PAID: WITHDRAWAL,
    Kind.WITHDRAWAL_FAILED: "returned",
    Kind.WITHDRAWAL_RETURNED: "returned",
}
_LINES: Final[Mapping[LineKind, str]] = {
    LineKind.DEPOSIT: DEPOSIT,
    LineKind.REFUND: "refund",
    LineKind.REFUND_REVERSED: "refund_failed",
    LineKind.CHARGEBACK: "chargeback",
    LineKind.SECOND_CHARGEBACK: "second_chargeback",
    LineKind.CHARGEBACK_REVERSED: "chargeback_reversed",
    LineKind.WITHDRAWAL: WITHDRAWAL,
    LineKind.WITHDRAWAL_RETURNED: "returned",
}
_WHOLE: Final = {DEPOSIT, WITHDRAWAL}
"""A payment is one of these; of the others it may have several, each with an id of its own."""


def of_kind(kind: Kind) -> str:
    """The effect that an event speaks of, in the words of ``movements``."""
    return _KINDS[kind]


def of_line(line: LineKind) -> str:
    """The effect that a line of a settlement file speaks of."""
    return _LINES.get(line, str(line))


class Moneys:
    """Names for movements, the same for whoever speaks of one.

    Args:
        payments: the player's.
        deliveries: what could not be booked.
        settled: what settlement files say.
    """

    def __init__(
        self,
        payments: Iterable[Payment],
        deliveries: Sequence[UnbookedDelivery],
        settled: Iterable[SettlementFact],
    ) -> None:
        # Of several that stand under one reference, the payment's own comes first, then the oldest.
        self._payment_ids: dict[tuple[str, str], str] = {}
        told: tuple[Payment | UnbookedDelivery | SettlementFact, ...] = (
            *payments,
            *reversed(deliveries),
            *settled,
        )
        for one in told:
            if one.reference is not None and one.payment_id is not None:
                self._payment_ids.setdefault((one.endpoint, one.reference), one.payment_id)

    def name(
        self,
        endpoint: str,
        effect: str,
        *,
        reference: str | None = None,
        payment_id: str | None = None,
        effect_id: str | None = None,
    ) -> str:
        """The movement's name; empty where nothing tells it from others."""
        known = None if reference is None else self._payment_ids.get((endpoint, reference))
        payment = payment_id or known or (reference and f"reference {reference}")
        named = payment if effect in _WHOLE else effect_id or payment
        return f"{endpoint} {named} {effect}" if named else ""
