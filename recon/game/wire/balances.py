"""The body of a balance."""

from __future__ import annotations

from typing import Final

import msgspec

from recon.game.model import GameBalance
from recon.game.wire.scalars import Decoder, Instant, read_instant, read_money

__all__ = ["read_balance"]


class _Balance(msgspec.Struct, frozen=True):
    user_id: str
    currency: str
    available: str
    held: str
    as_of: Instant


_balance: Final = Decoder(_Balance, what="balance")


def read_balance(body: bytes) -> GameBalance:
    """A balance."""
    wire = _balance(body)
    return GameBalance(
        user_id=wire.user_id,
        currency=wire.currency,
        available_minor=read_money(wire.available, wire.currency).minor,
        held_minor=read_money(wire.held, wire.currency).minor,
        as_of=read_instant(wire.as_of, "as_of"),
    )
