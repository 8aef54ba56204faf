"""A caller's intent as a step of a review: the same request by the same key is the same step."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from recon.four_eyes import Step
from recon.http.idempotency import caller_key, receipt_of
from recon.http.operations import principal_of

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["step_of"]

# Fixed for ever: an intent's id follows from its caller, its key and what it asks for.
_INTENTS: Final = UUID("0e1d7c0a-5b0e-4f3c-9a52-3f6c8d1be7a4")


def step_of(request: web.Request) -> Step:
    """Who asks for what; only in the handler of a POST that is an `operation`.

    Answers are kept for a while and steps for ever: a key that is used again years later, for
    something else, is another step.
    """
    asked = receipt_of(request).claim.request_hash.hex()
    return Step(
        principal_of(request).principal_id, uuid5(_INTENTS, f"{caller_key(request)}\n{asked}")
    )
