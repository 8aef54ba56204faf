"""What a form has said: its words, bounded, and the intent that it carries."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final
from uuid import UUID, uuid5

from recon.errors import Invalid
from recon.four_eyes import Step
from recon.web.auth.guard import session_of

if TYPE_CHECKING:
    from aiohttp import web

__all__ = ["LONGEST", "field", "step_of", "words"]

LONGEST: Final = 4000
"""Characters of a reason or a comment, as the API has it."""

# Fixed for ever: an intent's id follows from who sends the form, and from the form, alone.
_FORMS: Final = UUID("5c2a1c1e-98a8-4a3b-8c0e-7f6a2a7d1b90")


async def field(request: web.Request, name: str) -> str:
    """A field's text without space at its ends; empty where it is not there."""
    return str((await request.post()).get(name, "")).strip()


async def words(request: web.Request, name: str, what: str) -> str:
    """What somebody says, of 1 to `LONGEST` characters.

    Raises:
        Invalid: ``invalid_words``, with ``what`` was asked for.
    """
    said = await field(request, name)
    if not 1 <= len(said) <= LONGEST:
        raise Invalid(f"{what}, in up to {LONGEST} characters.", code="invalid_words")
    return said


async def step_of(request: web.Request) -> Step:
    """Who does it, and that it is this very form: sent twice, it is one step.

    Raises:
        Invalid: ``invalid_form``; it carries no id, so that it is none of ours.
    """
    actor = session_of(request).actor
    try:
        form_id = UUID(await field(request, "form"))
    except ValueError:
        raise Invalid("Reload the page and try again.", code="invalid_form") from None
    return Step(actor, uuid5(_FORMS, f"{actor} {form_id} {request.path}"))
