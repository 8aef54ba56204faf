"""Sign in with a name and a password."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recon.audit import record_action
from recon.db import load
from recon.errors import TooManyRequests
from recon.web.auth.attempts import count_attempt, forget_attempts, tries_of
from recon.web.auth.passwords import check_password, refuse_if_busy
from recon.web.auth.sessions import open_session

if TYPE_CHECKING:
    from recon.db import Pool
    from recon.web.auth.attempts import Where
    from recon.web.auth.refusals import Refusals

__all__ = ["Refused", "SignedIn", "sign_in"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The session's token."""

    token: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not let in; ``retry_after_s`` is there when it is only too early to try again."""

    retry_after_s: int | None


async def sign_in(
    pool: Pool, refusals: Refusals, *, name: str, password: str, where: Where
) -> SignedIn | Refused:
    """Check a name and password, slowly where they were wrong too often; audited either way.

    Args:
        pool: the database.
        refusals: what is written down of tries that came too early.
        name: as typed.
        password: as typed.
        where: whose tries they are counted with.

    Raises:
        Unavailable: ``sign_in_busy``; the try is not counted.
    """
    refuse_if_busy()
    async with pool.acquire() as connection:
        tries = await tries_of(connection, name, where)
        wait_s = await count_attempt(connection, tries)
        row = await connection.fetchrow(load("recon.web", "read_staff"), name)
    # A name that is none of ours is not written down: it may be a password.
    obj = "staff" if row is None else f"staff:{row['name']}"
    if wait_s is not None:
        with suppress(TooManyRequests):
            await refusals.record(pool, obj=obj, address=where.address, reason="too_many_attempts")
        return Refused(wait_s)
    right, fresh_hash = await check_password(password, row["password_hash"] if row else None)
    if row is None or not right:
        reason = "wrong_password" if row else "unknown_name"
        async with pool.acquire() as connection:
            await record_action(
                connection,
                actor="nobody",
                action="sign_in_failed",
                obj=obj,
                address=where.address,
                reason=reason,
            )
        return Refused(None)
    async with pool.acquire() as connection, connection.transaction():
        if fresh_hash is not None:
            await connection.execute(load("recon.web", "update_password_hash"), name, fresh_hash)
        await forget_attempts(connection, tries)
        token = await open_session(connection, name, by="password", address=where.address)
    return Refused(None) if token is None else SignedIn(token)
