"""A plain file of any PSP: named columns, one line a movement.

``amount`` is above zero and goes the way of its ``kind``; ``net`` is signed, as it changes what the
PSP owes us, and is the amount less the fee where the file has none.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.errors import Invalid
from recon.settlements.formats.layout import Header, Layout, Word
from recon.settlements.model import Format, LineKind

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["COLUMNS", "lacking", "layout"]

COLUMNS: Final = {
    "payment_id": "the PSP's id of the payment",
    "reference": "the reference under which it is registered here; one of the two is needed",
    "amount": "what was paid, decimal, such as 12.50; needed",
    "currency": "ISO 4217; needed",
    "settled_at": "ISO 8601, or YYYY-MM-DD HH:MM:SS in --timezone; needed",
    "kind": "deposit (also where there is no such column), refund, refund_reversed, chargeback,"
    " chargeback_reversed, withdrawal, withdrawal_returned, fee, payout, transfer",
    "effect_id": "the refund's, dispute's or payout's own id",
    "fee": "what the PSP kept of it",
    "net": "by how much more, or less, the PSP owes us; amount less fee where it is absent",
    "batch": "the payout that it is part of; a line of kind payout closes it",
    "line_id": "unique to the line, for ever",
    "user_id": "the player",
}
"""Our names of a plain file's columns."""

_NEEDED: Final = ("amount", "currency", "settled_at")

_WORDS: Final = Word.table(
    {
        **{kind: (kind.value,) for kind in LineKind if kind is not LineKind.OTHER},
        LineKind.DEPOSIT: ("deposit", "payment", "charge", "settled", "capture"),
        LineKind.REFUND: ("refund", "refunded"),
        LineKind.CHARGEBACK: ("chargeback", "dispute"),
    }
)


def named(columns: Mapping[str, str]) -> Mapping[str, str]:
    """Every column of ours with the file's name of it.

    Raises:
        Invalid: ``unknown_column``: one of ours is not among `COLUMNS`.
    """
    unknown = sorted(columns.keys() - COLUMNS.keys())
    if unknown:
        known = ", ".join(COLUMNS)
        raise Invalid(
            f"{unknown[0]!r} is no column of ours; there are {known}", code="unknown_column"
        )
    return {name: columns.get(name, name) for name in COLUMNS}


def lacking(header: Header, columns: Mapping[str, str]) -> list[str]:
    """The columns that a plain file would need and this one has not."""
    names = named(columns)
    missing = header.lacks(*(names[name] for name in _NEEDED))
    missing += header.lacks(*columns.values())
    if not header.has(names["payment_id"]) and not header.has(names["reference"]):
        missing.append(f"{names['payment_id']} or {names['reference']}")
    return list(dict.fromkeys(missing))


def layout(header: Header, columns: Mapping[str, str]) -> Layout:
    """Where our fields stand in a file that lacks nothing."""
    names = named(columns)

    def column(name: str) -> str:
        return header.column(names[name])

    return Layout(
        format=Format.PLAIN,
        width=len(header.names),
        fields={
            "word": column("kind") if header.has(names["kind"]) else "'deposit'",
            "line_id": column("line_id"),
            "payment_id": column("payment_id"),
            "effect_id": column("effect_id"),
            "reference": column("reference"),
            "user_id": column("user_id"),
            "batch": column("batch"),
            "currency": column("currency"),
            "credit": column("amount"),
            "net_currency": column("currency"),
            "net_credit": column("net"),
            "fee": column("fee"),
            "settled_at": column("settled_at"),
        },
        words=_WORDS,
        signed=True,
        is_whole=False,
    )
