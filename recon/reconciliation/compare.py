"""Compare what the game says with what the ledger expects it to say; pure.

A registered withdrawal has left ``available`` here, while the game is told by the PSP, at some time
of its own: until the PSP has reported it to us, the game should still show the money; once it is
accepted, either is right; once it is paid, the game should not. Some PSPs never say more than
accepted: after a while, or once the game was seen to have taken it, it counts as paid (`look`).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum
from itertools import combinations
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["Comparison", "GameSays", "Snapshot", "Verdict", "compare"]

_MAX_ACCEPTED = 8


class Verdict(StrEnum):
    """What one look says."""

    AGREES = "agrees"
    DIFFERS = "differs"


@dataclass(frozen=True, slots=True)
class Snapshot:
    """The ledger's side at one instant, in minor units.

    Args:
        user_id: the player.
        currency: of everything here.
        available: spendable.
        held: stakes on hold.
        reserved: set aside for withdrawals.
        version: the wallet's; 0 when no posting has opened it.
        unreported: reserved for withdrawals that no PSP has spoken of.
        accepted: amounts of withdrawals that a PSP has accepted and the game may still show, the
            newest first; beyond the first eight the game is taken to have taken them.
        unsettled: bets whose outcome is not booked yet.
        read_at: when this was so, by the database's clock; two readings are equal without it.
    """

    user_id: str
    currency: str
    available: int
    held: int
    reserved: int
    version: int
    unreported: int
    accepted: tuple[int, ...]
    unsettled: int
    read_at: datetime | None = field(default=None, compare=False)

    @property
    def expected_available(self) -> int:
        """What the game should show as available, accepted withdrawals not counted."""
        return self.available + self.unreported


class GameSays(NamedTuple):
    """The game's side, in minor units; ``as_of`` is ``None`` when it knows no such player."""

    available: int
    held: int
    as_of: datetime | None


class Comparison(NamedTuple):
    """One look: game minus ledger, signed, in minor units; what is tolerated is zero.

    ``readings`` are the differences of the available balance that can be meant: the game may have
    taken each accepted withdrawal already, or not. ``available_difference`` is the first of them,
    which says that it has taken all; ``all_taken`` says that this very reading agrees.
    ``tolerated`` is what an agreement lets pass, without sign: zero when both sides are equal to
    the last cent.
    """

    snapshot: Snapshot
    game: GameSays
    available_difference: int
    held_difference: int
    verdict: Verdict
    readings: tuple[int, ...]
    all_taken: bool
    tolerated: int = 0

    @property
    def difference(self) -> int:
        """The difference that people are shown: of the available money, else of the held."""
        return self.available_difference or self.held_difference


def compare(snapshot: Snapshot, game: GameSays, *, tolerance: int) -> Comparison:
    """Compare available with available and held with held.

    Args:
        snapshot: the ledger's side.
        game: the game's side.
        tolerance: the largest difference, in minor units, that counts as none.

    Returns:
        The look. Where withdrawals are accepted, it agrees if it does by any reading.
    """
    raw = game.available - snapshot.expected_available
    sums = _accepted_sums(snapshot.accepted)
    readings = [_beyond(tolerance, raw - still_there) for still_there in sums]
    held = _beyond(tolerance, game.held - snapshot.held)
    all_taken = readings[0] == held == 0
    if 0 in readings:
        readings = [0]
    agrees = readings[0] == held == 0
    return Comparison(
        snapshot=snapshot,
        game=game,
        available_difference=readings[0],
        held_difference=held,
        verdict=Verdict.AGREES if agrees else Verdict.DIFFERS,
        readings=tuple(dict.fromkeys(readings)),
        all_taken=all_taken,
        tolerated=_let_pass(tolerance, raw, sums) + abs(game.held - snapshot.held) if agrees else 0,
    )


def _let_pass(tolerance: int, raw: int, sums: list[int]) -> int:
    """What of the available balance an agreement lets pass, by the reading that is the nearest."""
    sizes = [abs(raw - still_there) for still_there in sums]
    return min((size for size in sizes if size <= tolerance), default=0)


def _beyond(tolerance: int, difference: int) -> int:
    """What is tolerated is none, so that it never stands before a difference that counts."""
    return difference if abs(difference) > tolerance else 0


def _accepted_sums(accepted: tuple[int, ...]) -> list[int]:
    """What of accepted withdrawals the game may still show: none of it first, then ever more."""
    if not accepted:
        return [0]
    accepted = accepted[:_MAX_ACCEPTED]
    return sorted(
        {
            sum(chosen)
            for count in range(len(accepted) + 1)
            for chosen in combinations(accepted, count)
        }
    )
