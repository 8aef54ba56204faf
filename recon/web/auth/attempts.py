"""Slow guessing down: tries are counted by name and by place, in the database for all processes.

A try is counted before the password is looked at, so that many at once gain nothing. Right
passwords take their tries back; a try that is refused here does not lengthen the wait.

Nobody is to be kept out by what others do. A browser in which somebody has signed in before is a
place of its own: what is tried elsewhere by their name, or by others in their network, does not
count there (OWASP, "Slow Down Online Guessing Attacks with Device Cookies").
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from recon.clock import new_id
from recon.db import load
from recon.http.proxies import network_of
from recon.web.auth.tokens import digest_of

if TYPE_CHECKING:
    import asyncpg

__all__ = ["Tries", "Where", "count_attempt", "forget_attempts", "tries_of"]

_WINDOW: Final = timedelta(minutes=15)
_OF_NAME_FROM_PLACE: Final = 5
# The owner of a name is not to be kept out by one address, nor the name to be tried from many.
_OF_NAME: Final = 50
_FROM_PLACE: Final = 50


@dataclass(frozen=True, slots=True)
class Where:
    """Where somebody tries.

    Args:
        address: of the caller.
        browser: what the browser has kept of an earlier sign-in, or says that it has.
    """

    address: str
    browser: str | None = field(repr=False)


@dataclass(frozen=True, slots=True)
class Tries:
    """What tries of a name are counted together.

    Args:
        name_hash: of the name.
        place: the network that they come from, or the browser.
        is_known: the owner of the name has signed in there before.
    """

    name_hash: bytes
    place: str
    is_known: bool


async def tries_of(connection: asyncpg.Connection[Any], name: str, where: Where) -> Tries:
    """With which others a try of a name is counted."""
    if where.browser is not None:
        digest = digest_of(where.browser)
        if await connection.fetchval(load("recon.web", "knows_browser"), digest, name):
            return Tries(digest_of(name), f"browser {digest.hex()}", is_known=True)
    return Tries(digest_of(name), network_of(where.address), is_known=False)


async def count_attempt(connection: asyncpg.Connection[Any], tries: Tries) -> int | None:
    """Count a try; the seconds to wait where there were too many, else ``None``."""
    attempt = new_id()
    await connection.execute(load("recon.web", "forget_old_attempts"), _WINDOW)
    await connection.execute(
        load("recon.web", "insert_attempt"), attempt, tries.place, tries.name_hash
    )
    row = await connection.fetchrow(
        load("recon.web", "count_attempts"), tries.place, tries.name_hash, _WINDOW
    )
    if row is None:
        raise LookupError("an aggregate without a row")
    if (
        row["of_both"] <= _OF_NAME_FROM_PLACE
        and row["of_place"] <= _FROM_PLACE
        and (tries.is_known or row["of_name"] <= _OF_NAME)
    ):
        return None
    await connection.execute(load("recon.web", "forget_attempt"), attempt)
    return max(1, math.ceil(float(row["frees_in_s"])))


async def forget_attempts(connection: asyncpg.Connection[Any], tries: Tries) -> None:
    """The person behind these tries knew the password after all."""
    await connection.execute(load("recon.web", "forget_attempts_of"), tries.place, tries.name_hash)
