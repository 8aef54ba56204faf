"""The stream: who listens to which channel, and what each of them is sent.

Faults of the stream itself (a message twice, out of order, or missing for good) are switches of
their own and are not on the list of planted faults: no money hangs on a message, what was missed
is read over REST.
"""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import msgspec

from recon.clock import format_time
from recon.errors import Invalid
from recon.sandbox.curve import as_multiplier
from recon.sandbox.slips import Bet
from recon.sandbox.wire import encode

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from recon.sandbox.engine import CrashEngine, Round
    from recon.sandbox.keys import ApiKey
    from recon.sandbox.slips import Payout
    from recon.sandbox.timeline import Clock

__all__ = [
    "CHANNELS",
    "CLOSE_AUTH",
    "CLOSE_HEARTBEAT",
    "CLOSE_SLOW",
    "STREAM_FAULTS",
    "Listener",
    "StreamHub",
]

CLOSE_AUTH: Final = 4001
CLOSE_HEARTBEAT: Final = 4008
CLOSE_SLOW: Final = 4009

CHANNELS: Final[Mapping[str, str]] = {
    "live_multiplier": "read:game_state",
    "round_updates": "read:game_state",
    "bet_updates": "read:bet",
}
"""Every channel with the scope that it needs."""

STREAM_FAULTS: Final = ("stream_duplicate", "stream_reorder", "stream_gap")
"""The switches: an event sent twice, after its successor, or never."""


@dataclass(slots=True, eq=False)
class Listener:
    """One authenticated connection, as the hub sees it.

    Attributes:
        key: the API key it authenticated with.
        queue_limit: messages that may wait.
        wake: called after something was put into ``waiting``.
        channels: subscribed now.
        seq: the last number of each channel; goes on after an unsubscribe.
        waiting: frames to be sent, in order.
        kept_back: by channel, an event that the fault ``stream_reorder`` holds until the next one.
        in_hand: frames taken out of ``waiting`` that are not sent yet.
        ended: set when the connection has to be closed.
        closing: with which code then, and why.
    """

    key: ApiKey
    queue_limit: int
    wake: Callable[[], None]
    channels: set[str] = field(default_factory=set)
    seq: Counter[str] = field(default_factory=Counter)
    waiting: list[bytes] = field(default_factory=list)
    kept_back: dict[str, bytes] = field(default_factory=dict)
    in_hand: int = 0
    ended: asyncio.Event = field(default_factory=asyncio.Event)
    closing: tuple[int, str] = (CLOSE_SLOW, "too slow: messages were waiting without end")

    def put(self, frame: bytes) -> None:
        """Queue a frame, or note that the connection is too slow."""
        if len(self.waiting) + self.in_hand >= self.queue_limit:
            self.ended.set()
            return
        self.waiting.append(frame)
        self.wake()

    def end(self, code: int, message: str) -> None:
        """Have the connection closed."""
        self.closing = (code, message)
        self.ended.set()


class StreamHub:
    """Publishes what happens to those who listen.

    Attributes:
        rates: probability 0..1 of each of `STREAM_FAULTS`; may be changed at any time.
        struck: how often each of them did.
        is_silent: nothing is sent on any connection, heartbeats neither, and none is closed.
        listeners: the authenticated connections.

    Args:
        seed: of the faults' draws.
        clock: stamps the events.
        engine: the rounds.
    """

    def __init__(self, seed: int, clock: Clock, engine: CrashEngine) -> None:
        self.rates: dict[str, float] = dict.fromkeys(STREAM_FAULTS, 0.0)
        self.struck: Counter[str] = Counter()
        self.is_silent = False
        self.listeners: set[Listener] = set()
        self._draw = random.Random(f"stream:{seed}")  # noqa: S311 - repeatable faults, no secret
        self._clock = clock
        self._engine = engine
        engine.listen(self._on_round)

    def set_rate(self, kind: str, rate: float) -> None:
        """Set one of `STREAM_FAULTS`.

        Raises:
            Invalid: ``unknown_fault``; ``invalid_rate`` outside 0 to 1.
        """
        if kind not in STREAM_FAULTS:
            raise Invalid(f"the stream has no fault {kind[:64]!r}", code="unknown_fault")
        if not 0 <= rate <= 1:
            raise Invalid(f"the rate of {kind} must lie between 0 and 1", code="invalid_rate")
        self.rates[kind] = rate

    def end(self, key: ApiKey) -> None:
        """Close every connection of a key, because it was revoked."""
        for listener in self.listeners:
            if listener.key is key:
                listener.end(CLOSE_AUTH, "the key was revoked")

    def end_all(self, code: int, message: str) -> int:
        """Close every connection; how many there were."""
        for listener in self.listeners:
            listener.end(code, message)
        return len(self.listeners)

    def tick(self, reached: float) -> None:
        """Send the live multiplier, if a round flies and anybody listens."""
        round_ = self._engine.current
        if round_.status != "active" or not self.listeners:
            return
        self._publish(
            "live_multiplier",
            {
                "round_id": round_.round_id,
                "multiplier": as_multiplier(self._engine.multiplier(round_, reached)),
                "elapsed_ms": self._engine.elapsed_ms(round_, reached),
            },
        )

    def changed(self, slip: Bet | Payout) -> None:
        """Send a bet or a payout to those whose key may see its player."""
        if self.listeners:
            bet = slip if isinstance(slip, Bet) else slip.bet
            self._publish("bet_updates", slip.as_json(), user_id=bet.hold.user_id)

    def _on_round(self, round_: Round, _: float) -> None:
        if self.listeners:
            self._publish("round_updates", round_.as_json())

    def _publish(self, channel: str, data: dict[str, Any], *, user_id: str | None = None) -> None:
        encoded = msgspec.Raw(encode(data))
        timestamp = format_time(self._clock.now())
        for listener in list(self.listeners):
            if channel not in listener.channels:
                continue
            users = listener.key.users
            if user_id is not None and users is not None and user_id not in users:
                continue
            listener.seq[channel] += 1
            event = {
                "type": "event",
                "channel": channel,
                "seq": listener.seq[channel],
                "timestamp": timestamp,
                "data": encoded,
            }
            self._send(listener, channel, encode(event))

    def _send(self, listener: Listener, channel: str, frame: bytes) -> None:
        if self._strikes("stream_gap"):
            return
        held = listener.kept_back.pop(channel, None)
        if held is None and self._strikes("stream_reorder"):
            listener.kept_back[channel] = frame
            return
        listener.put(frame)
        if self._strikes("stream_duplicate"):
            listener.put(frame)
        if held is not None:
            listener.put(held)

    def _strikes(self, kind: str) -> bool:
        rate = self.rates[kind]
        if rate <= 0 or self._draw.random() >= rate:
            return False
        self.struck[kind] += 1
        return True
