"""Messages, channels, and the rules in force; pure."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime, time
    from uuid import UUID

__all__ = [
    "AlertType",
    "Alerting",
    "Attachment",
    "Channel",
    "ChannelState",
    "Message",
    "Outcome",
    "Policy",
]


class AlertType(StrEnum):
    """What a message is about; its ``type`` on the wire."""

    UNEXPLAINED = "discrepancies.unexplained"
    INCIDENTS = "incidents.opened"
    RUNS_BAD = "runs.failed"
    RUNS_SKIPPED = "runs.skipped"
    SEALS_BROKEN = "seals.broken"
    BOOKS_FAULTY = "books.faulty"
    BETS_WAITING = "bets.waiting"
    DIGEST = "digest"
    TRIAL = "test"


@dataclass(frozen=True, slots=True)
class Message:
    """What is sent: the same bytes and the same id each time.

    Args:
        alert_id: by it receivers know a repeat.
        type: what it is about.
        payload: the whole body of the webhook: ``type``, ``timestamp`` and ``data``.
    """

    alert_id: UUID
    type: AlertType
    payload: dict[str, Any]

    @property
    def data(self) -> dict[str, Any]:
        """What it says."""
        data: dict[str, Any] = self.payload["data"]
        return data


@dataclass(frozen=True, slots=True)
class Attachment:
    """A CSV file that comes along; ``is_cut`` when it does not hold all there is."""

    name: str
    content: bytes
    is_cut: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a try ended.

    Args:
        delivered: the receiver has taken it.
        detail: what came back, in words without secrets.
        gone: the receiver wants no more messages, ever (410).
        reached: somebody answered; where nobody does, the next message would fare no better.
        retry_after_s: how long the receiver asks us to wait.
    """

    delivered: bool
    detail: str
    gone: bool = False
    reached: bool = True
    retry_after_s: int | None = None


class Channel(Protocol):
    """A way to people."""

    @property
    def name(self) -> str:
        """As deliveries know it: ``webhook:<name>`` or ``email``."""
        ...

    @property
    def target(self) -> str:
        """A hash of where it leads, so that another address is seen to be another."""
        ...

    @property
    def wants(self) -> frozenset[AlertType]:
        """The types of messages that go through it."""
        ...

    @property
    def attaches(self) -> bool:
        """Whether a file can come along."""
        ...

    async def deliver(self, message: Message, attachment: Attachment | None) -> Outcome:
        """Try once, within some seconds; never raises for what the other side does."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What is told, and when.

    Args:
        environment: named in every message, so that nobody takes a test for money.
        sustained: how long a difference must stand, from its first look to its last.
        least: by currency, the unexplained minor units from which on it matters; else any.
        severities: those that matter.
        at_most_every: between two messages of one type; what comes in between waits.
        digest_every: between two digests; ``None``: none.
        digest_at: their time of day, in UTC.
        give_up_after: when a message that cannot be delivered is given up.
        keep: after how long messages are forgotten, 31 days at least; ``None``: never.
        lanes: how often each scope of runs starts by itself.
        public_url: where people reach the pages, without a slash at its end; ``None``: no links.
    """

    environment: str
    sustained: timedelta
    least: Mapping[str, int]
    severities: Sequence[str]
    at_most_every: timedelta
    digest_every: timedelta | None
    digest_at: time
    give_up_after: timedelta
    keep: timedelta | None
    lanes: Mapping[str, timedelta]
    public_url: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Alerting:
    """The rules and the ways.

    Args:
        policy: what is told.
        channels: where it goes; at least one.
        lease: how long a process that sends is believed to live; longer than a try can take.
    """

    policy: Policy
    channels: Sequence[Channel]
    lease: timedelta = field(default=timedelta(seconds=60))


@dataclass(frozen=True, slots=True)
class ChannelState:
    """How a channel stands.

    Args:
        channel: its name.
        disabled_at: since when nothing is sent through it, and
        disabled_reason: why; both ``None`` where it works.
        pending: messages on their way.
        oldest_s: for how long the oldest of them has been.
        last_error: of one of them.
        given_up: messages of the last seven days that never arrived.
        sent_at: when the last one arrived.
    """

    channel: str
    disabled_at: datetime | None
    disabled_reason: str | None
    pending: int
    oldest_s: int | None
    last_error: str | None
    given_up: int
    sent_at: datetime | None
