"""Sign in with a name and a password."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recon.audit import record_action
from recon.db import load
from recon.web.auth.attempts import count_attempt, forget_attempts
from recon.web.auth.passwords import check_password
from recon.web.auth.sessions import open_session

if TYPE_CHECKING:
    import asyncpg

    from recon.db import Pool

__all__ = ["Refused", "SignedIn", "sign_in"]


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The session's token."""

    token: str


@dataclass(frozen=True, slots=True)
class Refused:
    """Not let in; ``retry_after_s`` is there when it is only too early to try again."""

    retry_after_s: int | None


async def sign_in(pool: Pool, *, name: str, password: str, address: str) -> SignedIn | Refused:
    """Check a name and password, slowly where they were wrong too often; audited either way."""
    async with pool.acquire() as connection:
        wait_s = await count_attempt(connection, name=name, address=address)
        row = await connection.fetchrow(load("recon.web", "read_staff"), name)
    if wait_s is not None:
        await _refuse(pool, row, address, "too_many_attempts")
        return Refused(wait_s)
    right, fresh_hash = await check_password(password, row["password_hash"] if row else None)
    if row is None or not right:
        await _refuse(pool, row, address, "wrong_password" if row else "unknown_name")
        return Refused(None)
    async with pool.acquire() as connection, connection.transaction():
        if fresh_hash is not None:
            await connection.execute(load("recon.web", "update_password_hash"), name, fresh_hash)
        await forget_attempts(connection, name=name, address=address)
        token = await open_session(connection, name, by="password", address=address)
    return Refused(None) if token is None else SignedIn(token)


async def _refuse(pool: Pool, row: asyncpg.Record | None, address: str, reason: str) -> None:
    """Audit a failure. A name that is none of ours is not written down: it may be a password."""
    known = None if row is None else row["name"]
    async with pool.acquire() as connection:
        await record_action(
            connection,
            actor="nobody",
            action="sign_in_failed",
            obj="staff" if known is None else f"staff:{known}",
            address=address,
            reason=reason,
        )
