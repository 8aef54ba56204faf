"""A fact that may be part of a difference, and what speaks for and against it; pure."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from recon.reconciliation.model import Cause, Evidence
    from recon.reconciliation.odds import Standing

__all__ = ["Candidate", "Meaning"]


class Meaning(NamedTuple):
    """What a fact says happened, whichever row says it.

    Attributes:
        cause: what.
        amount: the part of the difference that it makes, in minor units.
        booked: what is booked here, where the game took another amount for it; else ``None``.
    """

    cause: Cause
    amount: int
    booked: int | None


class Candidate(NamedTuple):
    """A fact that may be part of a difference.

    Attributes:
        fact: its amount is the difference that it alone would make.
        standing: what speaks for it.
        doubts: how many things speak against it: that both sides agreed after it was known, that
            the difference stood before it happened.
        money: whose movement it speaks of; two facts about one movement are never both true.
            Empty: of the fact's own row.
        share: how many as likely ones it stands among; 0: the others of its standing.
        booked: as in `Meaning`.
    """

    fact: Evidence
    standing: Standing
    doubts: int = 0
    money: str = ""
    share: int = 0
    booked: int | None = None

    @property
    def key(self) -> str:
        """The same for facts of which only one can be true."""
        return self.money or f"{self.fact.kind} {self.fact.id}"

    @property
    def meaning(self) -> Meaning:
        """What it says."""
        return Meaning(self.fact.cause, self.fact.amount, self.booked)
