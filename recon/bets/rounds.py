"""Which rounds still take bets, as one tick of the resolver saw it."""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING

from recon.game import GameRefused, Refusal, RoundStatus

if TYPE_CHECKING:
    from recon.game import GameClient, GameState

__all__ = ["Phase", "Rounds"]


class Phase(StrEnum):
    """Where a round stands, as far as a bet is concerned."""

    BETTING = "betting"
    CLOSED = "closed"
    UNKNOWN = "unknown"


class Rounds:
    """The rounds of one tick; a closed round never opens again, so that seeing it once is enough.

    Args:
        client: asked for rounds other than the present one.
        state: the game as the tick found it.
    """

    def __init__(self, client: GameClient, state: GameState) -> None:
        self._client = client
        self._phases = {state.round_id: _phase(state.status)}

    async def phase(self, round_id: str) -> Phase:
        """Whether the round takes bets, does not any more, or is not known to the game.

        Raises:
            UNANSWERED: the game did not say.
        """
        known = self._phases.get(round_id)
        if known is not None:
            return known
        try:
            phase = _phase((await self._client.round(round_id)).status)
        except GameRefused as refusal:
            if refusal.code != Refusal.NOT_FOUND:
                raise
            phase = Phase.UNKNOWN
        self._phases[round_id] = phase
        return phase


def _phase(status: RoundStatus) -> Phase:
    return Phase.BETTING if status is RoundStatus.BETTING else Phase.CLOSED
