"""Whether a key's scopes and this machine's clock will do, found out before a bet does.

Nothing is moved: what is asked is about a player and a hold that do not exist, so that the game
either says so, or says first what of us it does not accept. A wrong secret is found so only where
the game looks at the signature before it looks for the player.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon import clock
from recon.errors import ReconError
from recon.game.errors import GameRefused

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from datetime import datetime

    from recon.game.client import GameClient
    from recon.game.model import GameState

__all__ = ["examine"]

_NOBODY: Final = "recon-doctor"
_NOTHING: Final = "recon-doctor"
_SKEWED_S: Final = 30.0
"""Half of what the game takes in a signature."""


async def examine(
    game: GameClient,
    state: GameState,
    *,
    signs: bool,
    now: Callable[[], datetime] = clock.now,
) -> list[str]:
    """What keeps us from comparing, asking or betting; each a sentence for people.

    Args:
        game: the game.
        state: as it has told it just now.
        signs: there is a signing secret, which is tried too.
        now: this machine's clock.
    """
    skew_s = (now() - state.timestamp).total_seconds()
    faults = []
    if abs(skew_s) > _SKEWED_S:
        faults.append(
            f"this machine's clock is {skew_s:+.0f} s from the game's; past 60 s the game refuses"
            " what it signs"
        )
    calls: list[Callable[[], Awaitable[object]]] = [
        lambda: game.balance(_NOBODY, "GBP"),
        lambda: game.bet_by_key(_NOBODY, _NOTHING),
    ]
    if signs:
        calls.append(lambda: game.release(_NOBODY, _NOTHING, str(clock.new_id())))
    for call in calls:
        try:
            await call()
        except GameRefused:
            continue  # we are let in
        except ReconError as error:
            faults.append(error.message)
    return faults
