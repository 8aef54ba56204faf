"""What this process sees of the stream, for `GET /metrics`, its peers and `recon doctor`."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge

from recon import clock
from recon.game.stream.connecting import MISCONFIGURED
from recon.game.stream.wire import BET_UPDATES, ROUND_UPDATES

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from datetime import datetime

    from recon.game.stream.conversation import Hearing

__all__ = ["StreamWatch"]

_connected = Gauge(
    "recon_stream_connected", "Whether this process listens to the game's stream; one does at most."
)
_age = Gauge(
    "recon_stream_last_event_age_seconds",
    "Since this process heard the last event of a round or a bet; NaN while it does not listen.",
)
_messages = Counter("recon_stream_messages", "Messages of the game's stream.", ["channel"])
_dropped = Counter(
    "recon_stream_dropped", "Messages of the game's stream that were told before.", ["channel"]
)
_gaps = Counter(
    "recon_stream_gaps",
    "Times that messages never came, so that everything was asked for over REST.",
    ["channel"],
)
_faults = Counter("recon_stream_faults", "Messages of the game's stream that nobody could read.")
_reconnects = Counter(
    "recon_stream_reconnects", "Times that a connection to the stream ended or failed.", ["reason"]
)

_OPERATION: Final = "GET /api/v1/stream"
_CHANNELS = {name: name for name in (ROUND_UPDATES, BET_UPDATES)}
"""Any other message is the conversation's own."""


class StreamWatch:
    """How the stream of this process stands.

    Attributes:
        connected_at: since when it listens, None while it does not.
        listening_since_s: the same in monotonic seconds of the loop.
        heard_at: when the server last said anything, heartbeats included.
        failure: why it does not listen, None while it does or before it has tried.
        is_refused: whether that is because the game does not accept us.

    Args:
        note: told of each handshake's headers, in which endings are announced.
    """

    def __init__(self, note: Callable[[str, Mapping[str, str]], None] | None = None) -> None:
        self._note = note
        self.connected_at: datetime | None = None
        self.listening_since_s: float | None = None
        self.heard_at: datetime | None = None
        self.failure: str | None = None
        self.is_refused = False
        self._event_at: datetime | None = None
        _age.set_function(self._age_s)

    def handshake(self, headers: Mapping[str, str]) -> None:
        """The server has answered the handshake, whatever it said."""
        if self._note is not None:
            self._note(_OPERATION, headers)

    def connected(self) -> None:
        """It listens."""
        self.connected_at = self._event_at = clock.now()
        self.listening_since_s = asyncio.get_running_loop().time()
        self.failure = None
        self.is_refused = False
        _connected.set(1)

    def disconnected(self, reason: str | None = None, failure: str | None = None) -> None:
        """It does not listen any more, or could not begin to; without a reason: as it was told."""
        self.connected_at = self._event_at = self.listening_since_s = None
        _connected.set(0)
        if reason is not None:
            self.failure = failure
            self.is_refused = reason in MISCONFIGURED
            _reconnects.labels(reason).inc()

    def heard(self, hearing: Hearing) -> None:
        """A message came, or one was given up."""
        channel = _CHANNELS.get(hearing.channel, "control")
        if hearing.dropped:
            _dropped.labels(channel).inc(hearing.dropped)
        if hearing.gaps:
            _gaps.labels(channel).inc(len(hearing.gaps))
        if hearing.fault is not None:
            _faults.inc()

    def message(self, hearing: Hearing) -> None:
        """Count a message by what it was."""
        self.heard_at = clock.now()
        channel = _CHANNELS.get(hearing.channel, "control")
        if channel != "control":
            self._event_at = self.heard_at
        _messages.labels(channel).inc()
        self.heard(hearing)

    def _age_s(self) -> float:
        if self._event_at is None:
            return float("nan")
        return (clock.now() - self._event_at).total_seconds()
