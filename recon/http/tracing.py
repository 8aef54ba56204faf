"""W3C Trace Context: a caller's trace goes on in the calls that we make for its request.

Each of them is a span of its own below the caller's. Where nobody keeps spans (`recon.tracing`) we
begin no traces.
Source: Trace Context Level 2, "Trace Context HTTP Request Headers Format" and "Mutating".
"""

from __future__ import annotations

import re
import secrets
from contextvars import ContextVar
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recon import tracing

if TYPE_CHECKING:
    from contextvars import Token

    from multidict import CIMultiDictProxy

__all__ = ["Trace", "begin_trace", "carry_trace", "end_trace", "read_trace"]

_PARENT: Final = re.compile(
    r"(?P<version>(?!ff)[0-9a-f]{2})-(?P<trace>(?!0{32})[0-9a-f]{32})-(?!0{16})[0-9a-f]{16}"
    r"-(?P<flags>[0-9a-f]{2})(?P<more>-[ -~]*)?",
    re.ASCII,
)
_STATE: Final = re.compile(r"[\t -~]{1,512}", re.ASCII)
_KNOWN_FLAGS: Final = 0b11
"""Sampled, and that the trace's id is random; what else a later version may say, we do not know."""

_current: ContextVar[Trace | None] = ContextVar("trace", default=None)


@dataclass(frozen=True, slots=True)
class Trace:
    """A trace that a request is part of.

    Attributes:
        trace_id: 32 hexadecimal digits.
        flags: of ours, those that we know.
        state: what tracing systems say to each other, passed on as it came.
    """

    trace_id: str
    flags: int
    state: str | None


def read_trace(headers: CIMultiDictProxy[str]) -> Trace | None:
    """The trace that a request's headers speak of; ``None`` where they do not, or not properly."""
    given = headers.getall("traceparent", ())
    parent = _PARENT.fullmatch(given[0]) if len(given) == 1 else None
    # Later versions may say more, this one does not.
    if parent is None or (parent["more"] is not None and parent["version"] == "00"):
        return None
    state = ",".join(headers.getall("tracestate", ()))
    return Trace(
        parent["trace"],
        int(parent["flags"], 16) & _KNOWN_FLAGS,
        state if _STATE.fullmatch(state) else None,
    )


def begin_trace(trace: Trace | None) -> Token[Trace | None]:
    """What is done from here on, in this context, is part of this trace."""
    return _current.set(trace)


def end_trace(begun: Token[Trace | None]) -> None:
    """As it was before `begin_trace`."""
    _current.reset(begun)


def carry_trace(headers: dict[str, str]) -> None:
    """Add to a call's headers the trace that it is made for, as a span of its own."""
    if tracing.is_on():
        tracing.carry(headers)
        return
    trace = _current.get()
    if trace is None:
        return
    headers["traceparent"] = f"00-{trace.trace_id}-{secrets.token_hex(8)}-{trace.flags:02x}"
    if trace.state is not None:
        headers["tracestate"] = trace.state
