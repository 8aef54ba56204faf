"""What the ledger refuses."""

from __future__ import annotations

from recon.errors import Conflict, NotFound, Unprocessable

__all__ = [
    "HoldResolvedError",
    "InsufficientBalanceError",
    "KeyConflictError",
    "WalletNotFoundError",
]


class InsufficientBalanceError(Unprocessable):
    """A stake or a withdrawal asks for more than is available."""

    code = "insufficient_balance"


class HoldResolvedError(Conflict):
    """The hold was captured, voided or expired before, or there is no such hold."""

    code = "hold_resolved"


class KeyConflictError(Conflict):
    """This source and key already stand for another posting."""

    code = "key_conflict"


class WalletNotFoundError(NotFound):
    """No posting has opened such a wallet."""

    code = "wallet_not_found"
