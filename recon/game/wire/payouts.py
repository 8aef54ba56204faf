"""The bodies of cash-outs and payouts."""

from __future__ import annotations

from typing import Final

import msgspec

from recon.game.model import CashOut, Payout, PayoutStatus
from recon.game.wire.scalars import (
    Decoder,
    Id,
    Instant,
    read_id,
    read_instant,
    read_multiplier,
    read_stake,
)

__all__ = ["read_cash_out", "read_payout"]


class _NewPayout(msgspec.Struct, frozen=True):
    transaction_id: Id
    amount: str
    currency: str
    status: PayoutStatus


class _CashOut(msgspec.Struct, frozen=True):
    ticket_id: Id
    multiplier: msgspec.Raw
    payout: _NewPayout


class _Payout(msgspec.Struct, frozen=True):
    transaction_id: Id
    ticket_id: Id
    amount: str
    currency: str
    status: PayoutStatus
    completed_at: Instant | None


_cash_out: Final = Decoder(_CashOut, what="cash-out")
_payout: Final = Decoder(_Payout, what="payout")


def read_cash_out(body: bytes) -> CashOut:
    """A cash-out with its payout."""
    wire = _cash_out(body)
    payout = wire.payout
    return CashOut(
        ticket_id=wire.ticket_id,
        multiplier=read_multiplier(wire.multiplier, "multiplier"),
        payout=Payout(
            transaction_id=read_id(payout.transaction_id, "transaction_id"),
            ticket_id=wire.ticket_id,
            amount=read_stake(payout.amount, payout.currency),
            status=payout.status,
            completed_at=None,
        ),
    )


def read_payout(body: bytes) -> Payout:
    """A payout."""
    wire = _payout(body)
    completed_at = wire.completed_at
    return Payout(
        transaction_id=wire.transaction_id,
        ticket_id=wire.ticket_id,
        amount=read_stake(wire.amount, wire.currency),
        status=wire.status,
        completed_at=None if completed_at is None else read_instant(completed_at, "completed_at"),
    )
