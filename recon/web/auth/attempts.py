"""Slow guessing down: tries are counted by name and by address, in the database for all processes.

A try is counted before the password is looked at, so that many at once gain nothing. Right
passwords take their tries back; a try that is refused here does not lengthen the wait.
"""

from __future__ import annotations

import math
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from recon.clock import new_id
from recon.db import load
from recon.web.auth.tokens import digest_of

if TYPE_CHECKING:
    import asyncpg

__all__ = ["count_attempt", "forget_attempts"]

_WINDOW: Final = timedelta(minutes=15)
_OF_NAME_FROM_ADDRESS: Final = 5
# The owner of a name is not to be kept out by one address, nor the name to be tried from many.
_OF_NAME: Final = 50
_FROM_ADDRESS: Final = 50


async def count_attempt(
    connection: asyncpg.Connection[Any], *, name: str, address: str
) -> int | None:
    """Count a try; the seconds to wait where there were too many, else ``None``."""
    attempt, name_hash = new_id(), digest_of(name)
    await connection.execute(load("recon.web", "forget_old_attempts"), _WINDOW)
    await connection.execute(load("recon.web", "insert_attempt"), attempt, address, name_hash)
    row = await connection.fetchrow(
        load("recon.web", "count_attempts"), address, name_hash, _WINDOW
    )
    if row is None:
        raise LookupError("an aggregate without a row")
    if (
        row["of_both"] <= _OF_NAME_FROM_ADDRESS
        and row["of_name"] <= _OF_NAME
        and row["of_address"] <= _FROM_ADDRESS
    ):
        return None
    await connection.execute(load("recon.web", "forget_attempt"), attempt)
    return max(1, math.ceil(float(row["frees_in_s"])))


async def forget_attempts(connection: asyncpg.Connection[Any], *, name: str, address: str) -> None:
    """The person behind these tries knew the password after all."""
    await connection.execute(load("recon.web", "forget_attempts_of"), address, digest_of(name))
