"""Stripe's itemised reports: payout reconciliation, balance change from activity, payouts.

Amounts are decimal in the major unit. Where a payment was made in another currency than it settles
in, what the customer was charged is what was booked. A payout is a line only in some of the
reports, so that a batch without one proves nothing and accuses nobody.

Sources: Stripe docs, "Payout reconciliation report type", "Reporting categories".
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.settlements.formats.layout import Layout, Word
from recon.settlements.model import Format, LineKind

if TYPE_CHECKING:
    from recon.settlements.formats.layout import Header

__all__ = ["REQUIRED", "layout"]

REQUIRED: Final = (
    *("balance_transaction_id", "reporting_category", "currency", "gross", "fee", "net"),
)

_TIMES: Final = ("created_utc", "created", "effective_at_utc", "effective_at")
_IN_UTC: Final = frozenset({"created_utc", "effective_at_utc"})

_WORDS: Final = Word.table(
    {
        LineKind.DEPOSIT: ("charge", "partial_capture_reversal", "charge_failure"),
        LineKind.REFUND: ("refund",),
        LineKind.REFUND_REVERSED: ("refund_failure",),
        LineKind.CHARGEBACK: ("dispute",),
        LineKind.CHARGEBACK_REVERSED: ("dispute_reversal",),
        LineKind.FEE: ("fee", "tax", "network_cost", "stripe_fee_tax"),
        # One of a player's withdrawals is found by its id when it is compared with our books.
        LineKind.PAYOUT: ("payout", "payout_reversal"),
        LineKind.TRANSFER: (
            *("transfer", "transfer_reversal", "topup", "topup_reversal", "advance"),
            *("advance_funding", "anticipation_repayment", "connect_collection_transfer"),
            *("connect_reserved_funds", "other_adjustment", "risk_reserved_funds"),
            *("platform_earning", "platform_earning_refund", "unreconciled_customer_funds"),
            "minimum_balance_hold",
        ),
    }
)


def layout(header: Header) -> Layout:
    """Where our fields stand in a report that has the `REQUIRED` columns."""
    column = header.column
    source, gross, category = column("source_id"), column("gross"), column("reporting_category")
    foreign = f"upper({column('customer_facing_currency')}) <> upper({column('currency')})"
    charged = column("customer_facing_amount")
    # The charge's own amount and currency, with the direction of what was done to the balance.
    shown = (
        f"CASE WHEN {foreign} AND {charged} IS NOT NULL AND starts_with({gross}, '-')"
        f" THEN '-' || ltrim({charged}, '-')"
        f" WHEN {foreign} AND {charged} IS NOT NULL THEN ltrim({charged}, '-') ELSE {gross} END"
    )

    def paid(amount: str) -> str:
        """Money goes out by a payout and comes back by its reversal, whatever a report's sign."""
        return (
            f"CASE {category} WHEN 'payout' THEN '-' || ltrim({amount}, '-')"
            f" WHEN 'payout_reversal' THEN ltrim({amount}, '-') ELSE {amount} END"
        )

    return Layout(
        format=Format.STRIPE,
        width=len(header.names),
        fields={
            "word": category,
            "line_id": column("balance_transaction_id"),
            "payment_id": f"coalesce({column('payment_intent_id')}, {column('charge_id')},"
            f" {column('payout_id')}, {source})",
            "effect_id": f"CASE WHEN {category} = 'charge' THEN NULL ELSE"
            f" coalesce({column('refund_id')}, {column('dispute_id')}, {source}) END",
            "reference": column("payment_metadata[reference]"),
            "user_id": column("payment_metadata[user_id]"),
            "batch": f"CASE WHEN starts_with({category}, 'payout')"
            f" THEN coalesce({column('payout_id')}, {source})"
            f" ELSE {column('automatic_payout_id')} END",
            "currency": f"CASE WHEN {foreign} AND {charged} IS NOT NULL"
            f" THEN {column('customer_facing_currency')} ELSE {column('currency')} END",
            "credit": paid(f"({shown})"),
            "net_currency": column("currency"),
            "net_credit": paid(column("net")),
            "fee": column("fee"),
            "settled_at": column(*_TIMES),
            # Some columns are in the zone that the report was asked for, and do not say which.
            "zone": "'UTC'" if header.first_of(*_TIMES) in _IN_UTC else "NULL",
        },
        words=_WORDS,
    )
