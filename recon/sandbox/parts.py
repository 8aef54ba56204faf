"""What a running sandbox is made of, and the keys under which an application carries it."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from aiohttp import web

if TYPE_CHECKING:
    from datetime import datetime

    from recon.sandbox.accounts import GameBackend
    from recon.sandbox.betting import Book
    from recon.sandbox.engine import CrashEngine
    from recon.sandbox.faults import Faults
    from recon.sandbox.idempotency import IdempotencyStore
    from recon.sandbox.keys import KeyRing
    from recon.sandbox.limits import RateLimit
    from recon.sandbox.options import SandboxOptions
    from recon.sandbox.settling import Settlement
    from recon.sandbox.signing import SignatureCheck
    from recon.sandbox.stream import StreamHub
    from recon.sandbox.timeline import Timeline

__all__ = ["SANDBOX", "Lifecycle", "Sandbox", "Session"]


@dataclass(slots=True)
class Lifecycle:
    """What the API says about its own age on every answer.

    Attributes:
        version: ``X-API-Version``.
        deprecated_at: ``Deprecation`` (RFC 9745), with a ``Link`` to read about it.
        sunset_at: ``Sunset`` (RFC 8594).
    """

    version: str
    deprecated_at: datetime | None
    sunset_at: datetime | None


class Session(Protocol):
    """An open stream."""

    async def close(self) -> None:
        """Close it, because the sandbox stops."""
        ...


@dataclass(frozen=True, slots=True)
class Sandbox:
    """The parts of a sandbox; everything in it is memory.

    ``asks`` counts each player's asking calls, ``sessions`` are the open streams.
    """

    options: SandboxOptions
    timeline: Timeline
    faults: Faults
    backend: GameBackend
    engine: CrashEngine
    book: Book
    settlement: Settlement
    keys: KeyRing
    limits: RateLimit
    signatures: SignatureCheck
    idempotency: IdempotencyStore
    hub: StreamHub
    lifecycle: Lifecycle
    started_at: datetime
    asks: Counter[str] = field(default_factory=Counter)
    sessions: set[Session] = field(default_factory=set)


SANDBOX: Final = web.AppKey("SANDBOX", Sandbox)
