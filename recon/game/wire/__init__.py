"""The bodies of the game API, to and from bytes. Pure.

Amounts are decimal strings and multipliers JSON numbers; each is read exactly and the other form is
refused. Fields that we do not know are ignored, a field that is missing or of another type is a
`GameProtocolError`.
"""

from __future__ import annotations

from recon.game.wire.balances import read_balance
from recon.game.wire.bets import (
    HoldRequest,
    hold_body,
    read_bet,
    read_hold,
    read_hold_request,
    read_key_outcome,
    read_release,
)
from recon.game.wire.payouts import read_cash_out, read_payout
from recon.game.wire.refusals import ErrorBody, read_error
from recon.game.wire.rounds import read_round, read_rounds, read_state

__all__ = [
    "ErrorBody",
    "HoldRequest",
    "hold_body",
    "read_balance",
    "read_bet",
    "read_cash_out",
    "read_error",
    "read_hold",
    "read_hold_request",
    "read_key_outcome",
    "read_payout",
    "read_release",
    "read_round",
    "read_rounds",
    "read_state",
]
