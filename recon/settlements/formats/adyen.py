"""Adyen's settlement details report.

Columns came and went over the years and stand in any order; they are found by name. Amounts are
decimal, debit and credit apart, gross in the payment's currency (GC) and net in that of the
settlement (NC). A line without a payment is a fee, a payout or a transfer. A batch ends with its
payout, so that all of its lines sum to zero.

Sources: Adyen docs, "Settlement details report", "Structure" and "Journal types"; samples of 2016.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.settlements.formats.layout import Layout, Word
from recon.settlements.model import Format, LineKind

if TYPE_CHECKING:
    from recon.settlements.formats.layout import Header

__all__ = ["REQUIRED", "ZONES", "layout"]

REQUIRED: Final = (
    *("Merchant Account", "Psp Reference", "Merchant Reference", "Creation Date", "TimeZone"),
    *("Type", "Gross Currency", "Gross Debit (GC)", "Gross Credit (GC)"),
    *("Net Currency", "Net Debit (NC)", "Net Credit (NC)"),
)

_WORDS: Final = Word.table(
    {
        LineKind.DEPOSIT: (
            *("Settled", "SettledBulk", "SettledInstallment", "SettledInInstallments"),
            *("SettledExternally", "SettledExternallyWithInfo", "CaptureFailed"),
            "SettledInstallmentExternallyWithInfo",
        ),
        LineKind.REFUND: (
            *("Refunded", "RefundedBulk", "RefundedExternally", "RefundedExternallyWithInfo"),
            "RefundedInstallmentExternallyWithInfo",
        ),
        LineKind.REFUND_REVERSED: ("RefundedReversed", "RefundFailed"),
        LineKind.CHARGEBACK: (
            *("Chargeback", "ChargebackExternally", "ChargebackExternallyWithInfo"),
        ),
        LineKind.SECOND_CHARGEBACK: ("SecondChargeback", "SecondChargebackExternallyWithInfo"),
        LineKind.CHARGEBACK_REVERSED: (
            *("ChargebackReversed", "ChargebackReversedExternallyWithInfo"),
        ),
        LineKind.WITHDRAWAL: ("PaidOut", "PaidOutExternally"),
        LineKind.WITHDRAWAL_RETURNED: ("PaidOutReversed",),
        LineKind.FEE: (
            *("Fee", "MiscCosts", "PaymentCost", "InvoiceDeduction", "AuthorisationSchemeFee"),
            "AdvancementCommissionExternallyWithInfo",
        ),
        LineKind.PAYOUT: ("MerchantPayout", "AcquirerPayout", "BankInstructionReturned"),
        LineKind.TRANSFER: (
            *("Balancetransfer", "DepositCorrection", "ReserveAdjustment", "MatchedStatement"),
            *("ManualCorrected", "InternalCompanyPayout", "MerchantPayin"),
        ),
    }
)

ZONES: Final = {
    "UTC": 0,
    "GMT": 0,
    "WET": 0,
    "Z": 0,
    "BST": 60,
    "WEST": 60,
    "CET": 60,
    "IST": 330,
    "CEST": 120,
    "EET": 120,
    "SAST": 120,
    "EEST": 180,
    "MSK": 180,
    "TRT": 180,
    "GST": 240,
    "SGT": 480,
    "HKT": 480,
    "AWST": 480,
    "JST": 540,
    "KST": 540,
    "ACST": 570,
    "AEST": 600,
    "ACDT": 630,
    "AEDT": 660,
    "NZST": 720,
    "NZDT": 780,
    "BRT": -180,
    "ART": -180,
    "ADT": -180,
    "AST": -240,
    "EDT": -240,
    "EST": -300,
    "CDT": -300,
    "CST": -360,
    "MDT": -360,
    "MST": -420,
    "PDT": -420,
    "PST": -480,
    "AKDT": -480,
    "AKST": -540,
    "HST": -600,
}
"""Minutes east of UTC. The report names zones by abbreviation; where one has several meanings it is
that of Adyen's own offices (BST is London's, CST is Chicago's, IST is India's)."""


def layout(header: Header) -> Layout:
    """Where our fields stand in a report that has the `REQUIRED` columns."""
    column = header.column
    return Layout(
        format=Format.ADYEN,
        width=len(header.names),
        fields={
            "word": column("Type"),
            "payment_id": column("Psp Reference"),
            # Of a line without a payment it is words to people.
            "effect_id": f"CASE WHEN {column('Psp Reference')} IS NOT NULL THEN "
            f"{column('Modification Reference', 'Modification Psp Reference')} END",
            "note": column("Modification Reference", "Modification Psp Reference"),
            "reference": column("Merchant Reference"),
            "batch": column("Batch Number"),
            "account": column("Merchant Account"),
            "currency": column("Gross Currency"),
            "credit": column("Gross Credit (GC)"),
            "debit": column("Gross Debit (GC)"),
            "net_currency": column("Net Currency"),
            "net_credit": column("Net Credit (NC)"),
            "net_debit": column("Net Debit (NC)"),
            "fee": column("Commission (NC)"),
            "fee_2": column("Markup (NC)"),
            "fee_3": column("Scheme Fees (NC)"),
            "fee_4": column("Interchange (NC)"),
            "settled_at": column("Creation Date"),
            "zone": column("TimeZone"),
        },
        words=_WORDS,
        payouts_close=True,
    )
