"""What must have been true at every moment, and not in the end alone.

Much that goes wrong is put right by the next look: a bet that was settled and is in play again, a
stake that was given back here while the game still held it. A player has seen it all the same.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import asyncpg

    from recon.sandbox.accounts import Movement
    from recon.sandbox.parts import Sandbox

__all__ = ["never_went_back", "nothing_freed_too_early"]

_MAY_FOLLOW: Final = {
    None: {"placing"},
    "placing": {"placing", "placed", "rejected"},
    "placed": {"placed", "cashing_out", "cashed_out", "lost", "void"},
    "cashing_out": {"cashing_out", "placed", "cashed_out", "lost", "void"},
}
"""Who has come to an end is never written again."""


def never_went_back(changes: Sequence[asyncpg.Record]) -> Iterator[str]:
    """Each bet went from its intent to its end, and forgot nothing on the way."""
    for row in changes:
        at = f"{row['at']:%H:%M:%S.%f}"
        if row["after"] not in _MAY_FOLLOW.get(row["before"], set()):
            yield f"bet {row['bet_id']} went from {row['before']} to {row['after']} at {at}"
        if row["forgot"]:
            yield f"bet {row['bet_id']} forgot a key, its ticket or its payout at {at}"
        if row["fence_fell"]:
            yield f"the fence of bet {row['bet_id']} fell at {at}"


def nothing_freed_too_early(voided: Sequence[asyncpg.Record], sandbox: Sandbox) -> Iterator[str]:
    """A stake goes back to its player here only once the game holds it no more, and never will."""
    for row in voided:
        hold = sandbox.book.by_key.get((row["user_id"], str(row["hold_key"])))
        if hold is None:
            continue
        freed_at = row["recorded_at"]
        late = [one for one in _of_hold(sandbox, hold.user_id, hold.hold_id) if one.at > freed_at]
        if late or hold.status == "held":
            said = ", ".join(f"{one.kind} at {one.at:%H:%M:%S.%f}" for one in late)
            yield (
                f"bet {row['hold_id']} got its stake back at {row['recorded_at']:%H:%M:%S.%f}, "
                f"and the game's {hold.hold_id} came to {said or hold.status}"
            )


def _of_hold(sandbox: Sandbox, user_id: str, hold_id: str) -> Iterator[Movement]:
    return (one for one in sandbox.backend.players[user_id].journal if one.ref == hold_id)
