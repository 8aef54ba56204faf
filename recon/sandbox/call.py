"""A call to the game API: what it must bring along, and what is known of it once it may act."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon.sandbox.wire import decode_object

if TYPE_CHECKING:
    from aiohttp import web

    from recon.sandbox.keys import ApiKey
    from recon.sandbox.parts import Sandbox

__all__ = ["Call", "Policy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """What a call asks of its caller.

    Attributes:
        scope: that the key must have.
        user: ``X-User-Id`` is required.
        signed: signature and ``Idempotency-Key`` are required.
        faulty: the answer faults may strike it.
    """

    scope: str
    user: bool = False
    signed: bool = False
    faulty: bool = False


@dataclass(frozen=True, slots=True)
class Call:
    """A call that has passed the gate.

    Attributes:
        sandbox: the parts.
        request: for path and query.
        key: the caller's.
        user_id: the player; empty where the call has none.
        idempotency_key: empty where the call has none.
        body: the bytes; empty where they do not matter.
        reached: the monotonic instant up to which the state is true.
    """

    sandbox: Sandbox
    request: web.Request
    key: ApiKey
    user_id: str = ""
    idempotency_key: str = ""
    body: bytes = b""
    reached: float = 0.0

    def json(self) -> dict[str, Any]:
        """The body as an object; errors as in `decode_object`."""
        return decode_object(self.body)
