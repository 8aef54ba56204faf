"""The stream's messages, to and from bytes. Pure.

Fields and types of message that we do not know are ignored. Of an event no more is read than says
what to ask over REST: no amount and no multiplier, because nothing is concluded from them.
"""

from __future__ import annotations

from typing import Annotated, Final

import msgspec

from recon.game.errors import GameProtocolError
from recon.game.wire.scalars import Decoder, Id

__all__ = [
    "BET_UPDATES",
    "ROUND_UPDATES",
    "BetUpdate",
    "Message",
    "RoundUpdate",
    "acknowledgement",
    "authentication",
    "read_bet_update",
    "read_message",
    "read_round_update",
    "subscription",
]

ROUND_UPDATES: Final = "round_updates"
BET_UPDATES: Final = "bet_updates"

_MAX_NUMBER: Final = 2**62


class Message(msgspec.Struct, frozen=True):
    """Any message of the server; what a type has not is empty."""

    type: str
    channel: str = ""
    seq: Annotated[int, msgspec.Meta(ge=0, le=_MAX_NUMBER)] | None = None
    id: Annotated[int, msgspec.Meta(ge=0, le=_MAX_NUMBER)] | None = None
    code: str = ""
    data: msgspec.Raw = msgspec.Raw(b"null")


class RoundUpdate(msgspec.Struct, frozen=True):
    """That a round has changed."""

    round_id: Id
    status: str


class BetUpdate(msgspec.Struct, frozen=True):
    """That a bet, or the payout of one, has changed; both name the ticket."""

    ticket_id: Id
    status: str


_message: Final = Decoder(Message, what="stream message")
_round_update: Final = Decoder(RoundUpdate, what="round update")
_bet_update: Final = Decoder(BetUpdate, what="bet update")


def authentication(api_key: str) -> bytes:
    """The first message. It carries the key: never to be logged."""
    return msgspec.json.encode({"op": "auth", "api_key": api_key})


def subscription(channel: str) -> bytes:
    """Ask for a channel."""
    return msgspec.json.encode({"op": "subscribe", "channels": [channel]})


def acknowledgement(heartbeat: int) -> bytes:
    """The answer to a heartbeat."""
    return msgspec.json.encode({"op": "heartbeat_ack", "id": heartbeat})


def read_message(raw: bytes) -> Message:
    """A message.

    Raises:
        GameProtocolError: no JSON object with a type, or a field of another form.
    """
    return _message(raw)


def read_round_update(data: bytes) -> RoundUpdate:
    """The data of an event on `ROUND_UPDATES`.

    Raises:
        GameProtocolError: it does not say which round, or how it stands.
    """
    update = _round_update(data)
    _check(update.round_id)
    return update


def read_bet_update(data: bytes) -> BetUpdate:
    """The data of an event on `BET_UPDATES`.

    Raises:
        GameProtocolError: it does not say which bet, or how it stands.
    """
    update = _bet_update(data)
    _check(update.ticket_id)
    return update


def _check(name: str) -> None:
    # Postgres has no text with a NUL in it: such an id is nobody's, and could not be looked for.
    if "\0" in name:
        raise GameProtocolError("the game's id has a NUL in it")
