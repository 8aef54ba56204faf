"""What a form has said: its words, bounded, and the intent that it carries."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple
from uuid import UUID, uuid5

from aiohttp import hdrs, web

from recon.clock import now
from recon.errors import Invalid, ReconError
from recon.four_eyes import Step
from recon.http.bodies import form_of
from recon.web.auth.guard import session_of

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["LONGEST", "Typed", "field", "step_of", "typed_in", "until_of", "words"]

LONGEST: Final = 4000
"""Characters of a reason or a comment, as the API has it."""

_UNTIL: Final[dict[str, timedelta | None]] = {
    "same": None,
    "day": timedelta(days=1),
    "week": timedelta(days=7),
    "month": timedelta(days=30),
}

_TYPED: Final = {
    "text": "Comment",
    "reason": "Reason",
    "evidence": "Evidence",
    "amount": "Amount",
    "payout": "Paid out",
    "payout_transaction_id": "Payout transaction",
    "ticket_id": "Ticket",
}
"""What people compose, and would have to compose anew; nothing that is secret is among it."""

# Fixed for ever: an intent's id follows from who sends the form, and from the form, alone.
_FORMS: Final = UUID("5c2a1c1e-98a8-4a3b-8c0e-7f6a2a7d1b90")


class Typed(NamedTuple):
    """What somebody has typed into one field."""

    label: str
    text: str


async def typed_in(request: web.Request) -> list[Typed]:
    """What a form brought that somebody has composed, to show it to them where it is refused."""
    if request.method != hdrs.METH_POST:
        return []
    try:
        said = await form_of(request)
    except (web.HTTPException, ReconError, ValueError):
        # Too large, or none that can be read.
        return []
    return [
        Typed(label, text)
        for name, label in _TYPED.items()
        if isinstance(text := said.get(name), str) and text.strip()
    ]


async def field(request: web.Request, name: str) -> str:
    """A field's text without space at its ends; empty where it is not there."""
    return str((await form_of(request)).get(name, "")).strip()


async def words(request: web.Request, name: str, what: str) -> str:
    """What somebody says, of 1 to `LONGEST` characters.

    Raises:
        Invalid: ``invalid_words``, with ``what`` was asked for.
    """
    said = await field(request, name)
    if not 1 <= len(said) <= LONGEST:
        raise Invalid(f"{what}, in up to {LONGEST} characters.", code="invalid_words")
    return said


async def step_of(request: web.Request, part: object = "") -> Step:
    """Who does it, and that it is this very form: sent twice, it is one step.

    Args:
        request: the form.
        part: which of the steps that one form takes.

    Raises:
        Invalid: ``invalid_form``; it carries no id, so that it is none of ours.
    """
    actor = session_of(request).actor
    try:
        form_id = UUID(await field(request, "form"))
    except ValueError:
        raise Invalid("Reload the page and try again.", code="invalid_form") from None
    return Step(actor, uuid5(_FORMS, f"{actor} {form_id} {request.path} {part}"))


async def until_of(request: web.Request) -> datetime | None:
    """Until when a form wants something ignored; ``None``: until it changes.

    Raises:
        Invalid: ``invalid_until``.
    """
    said = await field(request, "until")
    if said not in _UNTIL:
        raise Invalid("Choose for how long.", code="invalid_until")
    length = _UNTIL[said]
    return None if length is None else now() + length
