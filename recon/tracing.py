"""Spans: which work took how long, as part of which trace. Nothing, until a tracer is installed.

Rooms say what they do with `span`; `recon.telemetry` installs OpenTelemetry where it is wanted.
Without it nothing of it is imported, and a span is one comparison. No name and no attribute of a
span is of a player: they are kinds of work, counts, and ids of requests and runs.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext
from typing import TYPE_CHECKING, Final, Literal, Protocol, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

__all__ = [
    "Attributes",
    "Kind",
    "Origin",
    "Tracer",
    "Work",
    "carry",
    "current_trace_id",
    "install",
    "is_on",
    "leave",
    "origin",
    "shared",
    "span",
]

Attributes: TypeAlias = "Mapping[str, str | int | bool]"
Kind: TypeAlias = Literal["internal", "server", "client", "consumer"]
Origin: TypeAlias = object
"""The span in which something was asked for; the tracer's own."""


class Work(Protocol):
    """A span under way."""

    def note(self, attributes: Attributes) -> None:
        """Say more about it."""

    def fail(self, why: str) -> None:
        """Say that it came to nothing, by a code or a class: never by a message."""


class Tracer(Protocol):
    """What keeps spans."""

    def span(
        self,
        name: str,
        *,
        kind: Kind,
        attributes: Attributes,
        parent: Mapping[str, str] | None,
        trace_of: UUID | None,
    ) -> AbstractContextManager[Work]:
        """As `span`."""

    def shared(
        self, name: str, origins: Sequence[Origin | None], attributes: Attributes
    ) -> AbstractContextManager[Work]:
        """As `shared`."""

    def origin(self) -> Origin | None:
        """As `origin`."""

    def leave(self) -> None:
        """As `leave`."""

    def carry(self, headers: dict[str, str]) -> None:
        """As `carry`."""

    def current_trace_id(self) -> str | None:
        """As `current_trace_id`."""


class _Nothing:
    """A span that nobody keeps."""

    def note(self, attributes: Attributes) -> None:
        """Nobody wants to know."""

    def fail(self, why: str) -> None:
        """Nobody wants to know."""


_NOTHING: Final[AbstractContextManager[Work]] = nullcontext(_Nothing())
_NONE: Final[Attributes] = {}
_tracer: Tracer | None = None


def install(tracer: Tracer | None) -> None:
    """Let a tracer keep the spans of this process from now on; ``None``: nobody."""
    global _tracer  # noqa: PLW0603 - one a process, as logging is
    _tracer = tracer


def is_on() -> bool:
    """Whether anybody keeps spans."""
    return _tracer is not None


def span(
    name: str,
    *,
    kind: Kind = "internal",
    attributes: Attributes = _NONE,
    parent: Mapping[str, str] | None = None,
    trace_of: UUID | None = None,
) -> AbstractContextManager[Work]:
    """Work that begins and ends here, as part of what is under way.

    Args:
        name: the kind of work, without ids.
        kind: who asked for it.
        attributes: what else is said of it.
        parent: the ``traceparent`` and ``tracestate`` of a caller; empty: it begins a trace.
            ``None``: it is part of the span that it is in.
        trace_of: it belongs to a trace of this id, in whichever process.
    """
    if _tracer is None:
        return _NOTHING
    return _tracer.span(name, kind=kind, attributes=attributes, parent=parent, trace_of=trace_of)


def shared(
    name: str | None, origins: Sequence[Origin | None], attributes: Attributes = _NONE
) -> AbstractContextManager[Work]:
    """Work that is done for several at once, and is seen in the trace of each.

    Of one alone it is part of its trace. Of several it is a trace of its own with a link to each of
    them, and each has its like in its own trace, with a link back.

    Args:
        name: the kind of work; ``None``: not worth a span.
        origins: of those for whom it is done, in order.
        attributes: what else is said of it.
    """
    if _tracer is None or name is None:
        return _NOTHING
    return _tracer.shared(name, origins, attributes)


def origin() -> Origin | None:
    """The span that is under way here, for `shared`."""
    return None if _tracer is None else _tracer.origin()


def leave() -> None:
    """What this task does from now on is no part of the span in which it was begun."""
    if _tracer is not None:
        _tracer.leave()


def carry(headers: dict[str, str]) -> None:
    """Add the span under way to the headers of a call, as W3C Trace Context has it."""
    if _tracer is not None:
        _tracer.carry(headers)


def current_trace_id() -> str | None:
    """32 hexadecimal digits; ``None`` where no trace is kept."""
    return None if _tracer is None else _tracer.current_trace_id()
