"""What is said on one connection, from authentication on; no socket, no clock of its own. Pure.

First ``round_updates``, which every key may hear, then ``bet_updates``, for which a key needs
``read:bet``: one at a time, because a refusal does not say of what. Once that is settled everything
is news: whatever happened before is read over REST, whatever happens later is told.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recon.game.errors import GameProtocolError
from recon.game.model import BetStatus, PayoutStatus, RoundStatus
from recon.game.stream.news import EVERYTHING, NOTHING, News
from recon.game.stream.ordering import Gap, Ordering, Taken
from recon.game.stream.wire import (
    BET_UPDATES,
    ROUND_UPDATES,
    acknowledgement,
    authentication,
    read_bet_update,
    read_message,
    read_round_update,
    subscription,
)

if TYPE_CHECKING:
    from recon.game.stream.wire import Message

__all__ = ["Conversation", "Hearing", "StreamRefusedError"]

_NOT_US: Final = frozenset({"invalid_api_key", "insufficient_scope"})
_CODES: Final = _NOT_US | {"bad_request", "internal_error", "rate_limited", "unavailable"}
_MOST_DROPPED: Final = 16
"""So many messages in a row that were told before are no repeats."""
_UNDECIDED: Final = frozenset({BetStatus.ACTIVE, PayoutStatus.PENDING})


class StreamRefusedError(Exception):
    """The game does not let us listen.

    Args:
        code: the game's word for it; shown only if it is one that we know, since a server could
            say our key back to us.
    """

    def __init__(self, code: str) -> None:
        super().__init__(f"the game refuses: {code if code in _CODES else 'an unknown code'}")
        self.is_of_us = code in _NOT_US


@dataclass(frozen=True, slots=True)
class Hearing:
    """What one message, or the passing of time, came to.

    Attributes:
        reply: to be sent at once, before anything else.
        news: to be looked into.
        channel: of which it was, ``""`` for what is of none.
        dropped: messages that were told before.
        gaps: numbers that never came.
        fault: why a message could not be used, None where it could.
    """

    reply: bytes | None = None
    news: News = NOTHING
    channel: str = ""
    dropped: int = 0
    gaps: tuple[Gap, ...] = ()
    fault: str | None = None


class Conversation:
    """One connection's talk.

    Args:
        api_key: authenticates us.
    """

    def __init__(self, api_key: str) -> None:
        self._api_key = api_key
        self._authenticated = False
        self._wanted = [ROUND_UPDATES, BET_UPDATES]
        self._orders: dict[str, Ordering[bytes]] = {}
        self._dropped: dict[str, int] = {}
        self.refused: dict[str, str] = {}
        """Channels that we may not hear, with the game's code."""

    @property
    def is_listening(self) -> bool:
        """Whether everything is subscribed to that we may hear."""
        return self._authenticated and not self._wanted

    @property
    def deadline(self) -> float | None:
        """When `expire` has something to do, in monotonic seconds."""
        waiting = [order.deadline for order in self._orders.values()]
        return min((at for at in waiting if at is not None), default=None)

    def opening(self) -> bytes:
        """The first message."""
        return authentication(self._api_key)

    def hear(self, raw: bytes, *, at: float) -> Hearing:
        """Take a message of the server.

        Args:
            raw: as it came.
            at: monotonic seconds.

        Raises:
            StreamRefusedError: we may not listen at all.
        """
        try:
            message = read_message(raw)
        except GameProtocolError as error:
            return Hearing(fault=error.message)
        match message.type:
            case "heartbeat" | "event" | "subscribed":
                return self._on_numbered(message, at)
            case "authenticated" if not self._authenticated:
                self._authenticated = True
                return Hearing(reply=subscription(self._wanted[0]))
            case "error":
                return self._on_error(message.code)
        return Hearing()

    def expire(self, at: float) -> Hearing:
        """Give up what was waited for long enough.

        Args:
            at: monotonic seconds.
        """
        for channel, order in self._orders.items():
            if order.deadline is not None and order.deadline <= at:
                return self._told(channel, order.expire(at))
        return Hearing()

    def _on_numbered(self, message: Message, at: float) -> Hearing:
        if message.type == "heartbeat" and message.id is not None:
            return Hearing(reply=acknowledgement(message.id))
        if message.type == "event" and message.seq is not None:
            return self._on_event(message, message.seq, at)
        if message.type == "subscribed" and message.seq is not None:
            return self._on_subscribed(message.channel, message.seq)
        return Hearing(fault=f"a message of type {message.type} without its number")

    def _on_event(self, message: Message, number: int, at: float) -> Hearing:
        order = self._orders.get(message.channel)
        if order is None:
            return Hearing(fault="an event of a channel that was not subscribed to")
        taken = order.take(number, bytes(message.data), at=at)
        in_a_row = self._dropped.get(message.channel, 0) + 1 if taken.dropped else 0
        self._dropped[message.channel] = in_a_row
        if in_a_row < _MOST_DROPPED:
            return self._told(message.channel, taken)
        # Not one of them is new: a number that came before them was wrong, or the game counts anew.
        self._dropped[message.channel] = 0
        self._orders[message.channel] = Ordering(number)
        return Hearing(
            news=EVERYTHING,
            channel=message.channel,
            dropped=taken.dropped,
            fault="the numbers of a channel have gone back",
        )

    def _on_subscribed(self, channel: str, number: int) -> Hearing:
        if not self._wanted or channel != self._wanted[0]:
            return Hearing()
        self._orders[channel] = Ordering(number)
        return self._next()

    def _on_error(self, code: str) -> Hearing:
        if not self._authenticated and code in _NOT_US:
            raise StreamRefusedError(code)
        if not self._authenticated or not self._wanted:
            return Hearing(fault=f"the game says {code}")
        if self._wanted[0] == ROUND_UPDATES:
            raise StreamRefusedError(code)
        self.refused[self._wanted[0]] = code
        return self._next()

    def _next(self) -> Hearing:
        del self._wanted[0]
        if self._wanted:
            return Hearing(reply=subscription(self._wanted[0]))
        return Hearing(news=EVERYTHING)

    def _told(self, channel: str, taken: Taken[bytes]) -> Hearing:
        tickets, ended, paid = set[str](), set[str](), set[str]()
        fault = None
        for data in taken.events:
            try:
                if channel == BET_UPDATES:
                    bet = read_bet_update(data)
                    if bet.status not in _UNDECIDED:
                        tickets.add(bet.ticket_id)
                    continue
                round_ = read_round_update(data)
            except GameProtocolError as error:
                fault = error.message
                continue
            if round_.status == RoundStatus.CRASHED:
                ended.add(round_.round_id)
            elif round_.status == RoundStatus.PAYOUT and BET_UPDATES in self.refused:
                # Else each payout, and each bet of a cancelled round, is told of by itself.
                ended.add(round_.round_id)
                paid.add(round_.round_id)
        news = News(frozenset(tickets), frozenset(ended), frozenset(paid))
        return Hearing(
            news=EVERYTHING if taken.gaps else news,
            channel=channel,
            dropped=taken.dropped,
            gaps=taken.gaps,
            fault=fault,
        )
