"""Since when the game is out of reach: as this process sees it, and as all of them do."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final
from weakref import ref

from prometheus_client import Gauge

from recon import clock
from recon.game.errors import GameProtocolError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from recon.game.attempts import Attempt

__all__ = ["GameWatch"]

_FIRST_SERVER_ERROR: Final = 500
_RATE_LIMITED: Final = 429
_KEY_REFUSED: Final = "invalid_api_key"
_UNREADABLE: Final = frozenset({GameProtocolError.code, "protocol_error"})
"""As the error of a GET and as the reason of a POST's."""

_out_of_reach = Gauge(
    "recon_game_out_of_reach_seconds",
    "Since when the game is out of reach, as any process of this service sees it; 0: it answers.",
)


class GameWatch:
    """Since when the game has not answered.

    `observe` may be given every attempt of the client (``on_attempt``), so that ``own_since`` is
    the first failure of any call after the last success of any. What the other processes see comes
    through the database (`recon.game.watching`): whichever of them has not reached the game for
    longest says since when.

    Attributes:
        others_since: since when another process does not reach the game, as last read.
        changed: set when this process finds the game gone, or back.
    """

    def __init__(self, now: Callable[[], datetime] = clock.now) -> None:
        self._now = now
        self._own_since: datetime | None = None
        self._answered: datetime | None = None  # when the newest call was sent that was answered
        self.others_since: datetime | None = None
        self.changed = asyncio.Event()
        seen = ref(self)
        _out_of_reach.set_function(lambda: _seconds(seen()))

    @property
    def own_since(self) -> datetime | None:
        """The first failure since the last answer to this process, None while it gets answers."""
        return self._own_since

    @property
    def down_since(self) -> datetime | None:
        """The same for all processes: the earliest of them, None while each gets answers."""
        if self._own_since is None or self.others_since is None:
            return self._own_since or self.others_since
        return min(self._own_since, self.others_since)

    @property
    def has_only_heard_of_it(self) -> bool:
        """Others do not reach the game, and this process has not called since then."""
        since, answered = self.others_since, self._answered
        if since is None or self._own_since is not None:
            return False
        return answered is None or answered < since

    @property
    def down_for_s(self) -> float:
        """How long the game has been out of reach, 0 while it answers."""
        since = self.down_since
        return 0.0 if since is None else max(0.0, (self._now() - since).total_seconds())

    def observe(self, attempt: Attempt) -> None:
        """Note how an attempt ended; a refusal is an answer too.

        A revoked key is not: the game serves nobody of us. What says nothing either way, such as a
        429 or somebody's page in place of the game's answer, changes nothing.
        """
        if attempt.error == _KEY_REFUSED:
            self.down()
        elif attempt.status is not None and attempt.status < _FIRST_SERVER_ERROR:
            self._answered = attempt.started_at
            if attempt.status != _RATE_LIMITED and attempt.error not in _UNREADABLE:
                self.up()
        elif attempt.error is not None and attempt.error != "CancelledError":
            self.down()

    def up(self) -> None:
        """The game has answered."""
        if self._own_since is not None:
            self._own_since = None
            self.changed.set()

    def down(self) -> datetime:
        """The game has not answered; since when it has not, as all processes see it."""
        if self._own_since is None:
            self._own_since = self._now()
            self.changed.set()
        return (
            self._own_since
            if self.others_since is None
            else min(self._own_since, self.others_since)
        )


def _seconds(watch: GameWatch | None) -> float:
    return 0.0 if watch is None else watch.down_for_s
