"""Which faults strike a payment on its way, and what each of them must lead to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.errors import Invalid
from recon.sandbox.faults import KINDS, LEADING, check_kinds

if TYPE_CHECKING:
    from recon.sandbox.faults import Faults
    from recon.sandbox.psp.model import Direction

__all__ = ["ABSORBED", "LEADING_ON", "MISSED", "draw", "expected_difference", "refuse_impossible"]

LEADING_ON: Final[dict[Direction, tuple[str, ...]]] = {
    "deposit": ("webhook_lost", "webhook_wrong_amount", "game_update_lost", "game_update_doubled"),
    # A wrong amount of a withdrawal would leave the reservation standing: no clean difference.
    "withdrawal": ("webhook_lost", "game_update_lost", "game_update_doubled"),
}
"""What can strike a deposit that succeeds and a withdrawal that is paid, in the order drawn."""

ABSORBED: Final = (
    "webhook_doubled",
    "webhook_late",
    "webhook_reordered",
    "webhook_bad_signature",
    "webhook_answer_lost",
    "webhook_missed",
)

MISSED: Final = "webhook_missed"
OF_A_WEBHOOK: Final = frozenset(ABSORBED) - {MISSED}
"""What cannot befall a webhook that is not sent."""

GAME_ASTRAY: Final = "game_update_lost"


def refuse_impossible(forced: frozenset[str], possible: frozenset[str]) -> None:
    """Say no to a forced fault before anything has happened.

    Raises:
        Invalid: ``unknown_fault``; ``fault_not_possible`` when one cannot strike this payment, or
            when two would each have to explain the same difference.
    """
    for kind in sorted(check_kinds(forced)):
        if kind not in possible:
            raise Invalid(f"{kind} cannot strike here", code="fault_not_possible")
    if len(forced & LEADING) > 1:
        raise Invalid(
            "only one fault that leads to a discrepancy can strike a payment",
            code="fault_not_possible",
        )
    if "webhook_lost" in forced and len(forced) > 1:
        raise Invalid("nothing else can befall a lost webhook", code="fault_not_possible")
    if MISSED in forced and forced & OF_A_WEBHOOK:
        raise Invalid("nothing can befall a webhook that is not sent", code="fault_not_possible")


def draw(
    faults: Faults,
    possible: frozenset[str],
    *,
    user_id: str,
    key: str,
    forced: frozenset[str] | None,
) -> frozenset[str]:
    """The faults that strike, at most one of them leading; forced ones are taken as they are.

    Args:
        faults: the switches.
        possible: what can strike here.
        user_id: whose slot a leading fault takes.
        key: makes the draw repeatable.
        forced: None draws; a set, the empty one too, strikes with exactly these.
    """

    def strikes(kind: str) -> bool:
        if forced is None:
            return faults.strikes(kind, user_id=user_id, key=key)
        return kind in forced and faults.strikes(kind, user_id=user_id, key=key, force=forced)

    leading = next((kind for kind in sorted(possible & LEADING) if strikes(kind)), None)
    if leading == "webhook_lost":
        return frozenset({leading})
    struck = {kind for kind in ABSORBED if kind in possible and strikes(kind)}
    if MISSED in struck:
        struck = {MISSED}
    return frozenset(struck | ({leading} if leading else set()))


def expected_difference(kind: str, movement_minor: int) -> int:
    """What the game will have more than the ledger.

    Args:
        kind: a leading fault.
        movement_minor: what the payment does to the player's balance, signed.
    """
    if KINDS[kind] is None:
        raise ValueError(f"{kind} is absorbed")
    return -movement_minor if kind == GAME_ASTRAY else movement_minor
