"""An event on its way: when it goes, what befalls it, and what came of every attempt."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from enum import StrEnum
from typing import TYPE_CHECKING, TypedDict

from recon.clock import format_time

if TYPE_CHECKING:
    from datetime import datetime
    from random import Random

    from recon.sandbox.psp.model import Event

__all__ = ["Attempt", "AttemptJson", "Shipment", "ShipmentState", "Timing"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Timing:
    """How long things take, in seconds: the providers' days squeezed into a sandbox's minute.

    Attributes:
        spread_s: up to this passes before an event is sent, or the game is told.
        late_s: how late a late webhook is, at least and at most.
        first_retry_s: the pause after the first attempt; each one after is twice as long.
        longest_pause_s: no pause is longer.
        attempts: after so many the provider gives up.
        timeout_s: an answer that takes longer counts as none.
    """

    spread_s: float = 0.3
    late_s: tuple[float, float] = (2.0, 4.0)
    first_retry_s: float = 0.5
    longest_pause_s: float = 5.0
    attempts: int = 12
    timeout_s: float = 10.0

    def pause_s(self, attempts_made: int, random: Random) -> float:
        """How long to wait before the next attempt: doubled each time, capped, a little jitter."""
        pause_s = min(self.longest_pause_s, self.first_retry_s * 2.0 ** (attempts_made - 1))
        return pause_s * random.uniform(0.9, 1.1)


class ShipmentState(StrEnum):
    """Where an event is on its way."""

    WAITING = "waiting"
    DELIVERED = "delivered"
    GAVE_UP = "gave_up"
    LOST = "lost"
    NOT_SENT = "not_sent"


class AttemptJson(TypedDict):
    """An attempt as ``GET /sandbox/psp/deliveries`` lists it."""

    endpoint: str
    event_id: str
    type: str
    payment_id: str
    attempt: int
    status: int | None
    outcome: str
    at: str


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt to deliver an event.

    Attributes:
        number: 1 for the first.
        status: what was answered, None where no answer came.
        outcome: ``delivered``, ``refused``, ``no_answer``, ``answer_lost`` or ``bad_signature``;
            ``forged_taken`` when the receiver took what nobody signed.
    """

    endpoint: str
    event_id: str
    type: str
    payment_id: str
    number: int
    status: int | None
    outcome: str
    at: datetime

    def as_json(self) -> AttemptJson:
        """The attempt with its time as text."""
        return {
            "endpoint": self.endpoint,
            "event_id": self.event_id,
            "type": self.type,
            "payment_id": self.payment_id,
            "attempt": self.number,
            "status": self.status,
            "outcome": self.outcome,
            "at": format_time(self.at),
        }


@dataclass(slots=True, eq=False)
class Shipment:
    """An event on its way to an endpoint.

    Attributes:
        copy: tells the deliveries of one event apart, where a fault doubles it.
        delay_s: what passes before it is sent at the earliest.
        after: it is held until all of these have happened; more may be added until it has started.
        forge_first: the first attempt is signed with a key that nobody has.
        lose_first_answer: the first answer that comes is thrown away.
        started: its first attempt is under way or made.
        tried: set when the first attempt is made.
        done: set when no attempt will follow.
    """

    event: Event
    endpoint: str
    payment_id: str
    copy: int = 0
    delay_s: float = 0.0
    after: list[asyncio.Event] = field(default_factory=list)
    forge_first: bool = False
    lose_first_answer: bool = False
    started: bool = False
    state: ShipmentState = ShipmentState.WAITING
    tried: asyncio.Event = field(default_factory=asyncio.Event)
    done: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def can_be_held(self) -> bool:
        """Whether anything added to ``after`` would still hold it up."""
        return not self.started and not self.done.is_set()
