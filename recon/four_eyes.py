"""Four eyes: what one person proposes another has to approve, and the database says so too."""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg

from recon.errors import Forbidden

if TYPE_CHECKING:
    from collections.abc import Iterator
    from uuid import UUID

__all__ = ["SelfApprovalError", "Step", "two_people"]

_CHECK: Final = "_two_people_check"
"""How the constraints end that compare who decides with who proposed."""


@dataclass(frozen=True, slots=True)
class Step:
    """Who takes a step, and the id of that intent: the same intent again changes nothing.

    Args:
        actor: a principal's id.
        step_id: is kept with what the step did.
    """

    actor: str
    step_id: UUID


class SelfApprovalError(Forbidden):
    """Who proposed it may not book it."""

    code = "self_approval"


@contextmanager
def two_people() -> Iterator[None]:
    """Say in our words that the database refuses one person's doing both.

    Raises:
        SelfApprovalError: it does.
    """
    try:
        yield
    except asyncpg.CheckViolationError as error:
        if not (error.constraint_name or "").endswith(_CHECK):
            raise
        raise SelfApprovalError("you proposed this; another has to approve it") from None
