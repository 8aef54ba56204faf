"""The bodies of the game's state and of its rounds."""

from __future__ import annotations

from typing import Final

import msgspec

from recon.game.model import GameRound, GameState, RoundStatus
from recon.game.wire.scalars import (
    Count,
    Decoder,
    Id,
    Instant,
    read_id,
    read_instant,
    read_multiplier_or_none,
)

__all__ = ["read_round", "read_rounds", "read_state"]


class _State(msgspec.Struct, frozen=True):
    round_id: Id
    current_multiplier: msgspec.Raw
    status: RoundStatus
    elapsed_ms: Count
    timestamp: Instant
    participants: Count


class _Round(msgspec.Struct, frozen=True):
    round_id: Id
    status: RoundStatus
    crash_multiplier: msgspec.Raw
    started_at: Instant | None
    crashed_at: Instant | None
    participants: Count


class _Rounds(msgspec.Struct, frozen=True):
    rounds: list[_Round]


_state: Final = Decoder(_State, what="state")
_round: Final = Decoder(_Round, what="round")
_rounds: Final = Decoder[list[_Round] | _Rounds](
    list[_Round] | _Rounds,  # type: ignore[arg-type]  # a union is a form, not a type, to mypy
    what="list of rounds",
)


def read_state(body: bytes) -> GameState:
    """The game's state."""
    wire = _state(body)
    return GameState(
        round_id=read_id(wire.round_id, "round_id"),
        current_multiplier=read_multiplier_or_none(wire.current_multiplier, "current_multiplier"),
        status=wire.status,
        elapsed_ms=wire.elapsed_ms,
        timestamp=read_instant(wire.timestamp, "timestamp"),
        participants=wire.participants,
    )


def read_round(body: bytes) -> GameRound:
    """One round."""
    return _round_model(_round(body))


def read_rounds(body: bytes) -> tuple[GameRound, ...]:
    """A page of rounds: an array, or an object with one under ``rounds``."""
    wire = _rounds(body)
    page = wire.rounds if isinstance(wire, _Rounds) else wire
    return tuple(map(_round_model, page))


def _round_model(wire: _Round) -> GameRound:
    started_at, crashed_at = wire.started_at, wire.crashed_at
    return GameRound(
        round_id=read_id(wire.round_id, "round_id"),
        status=wire.status,
        crash_multiplier=read_multiplier_or_none(wire.crash_multiplier, "crash_multiplier"),
        started_at=None if started_at is None else read_instant(started_at, "started_at"),
        crashed_at=None if crashed_at is None else read_instant(crashed_at, "crashed_at"),
        participants=wire.participants,
    )
