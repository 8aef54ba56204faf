"""Sessions: kept in Postgres, ended by time, by their owner, or by an administrator.

The browser alone holds the token. The database has a digest of it and of what follows from it, so
that a dump of the database signs nobody in and forges no form.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from recon.audit import record_action
from recon.db import load
from recon.errors import Forbidden, NotFound
from recon.web.auth.tokens import derived, digest_of, is_masked, masked, new_token
from recon.web.roles import Right, Role, allows
from recon.web.shell import Shell

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    from recon.db import Pool

__all__ = [
    "ABSOLUTE",
    "IDLE",
    "OpenSession",
    "Session",
    "Visit",
    "browser_token_of",
    "end_all_sessions",
    "end_other_sessions",
    "end_session",
    "list_sessions",
    "open_session",
    "read_visit",
]

IDLE: Final = timedelta(minutes=30)
"""A session that nobody uses ends after this."""

ABSOLUTE: Final = timedelta(hours=12)
"""Every session ends after this."""


@dataclass(frozen=True, slots=True)
class Session:
    """Somebody who is signed in."""

    name: str
    role: Role
    csrf_secret: str = field(repr=False)

    @property
    def csrf_token(self) -> str:
        """What a form carries: another text each time, as pages are packed."""
        return masked(self.csrf_secret)

    def knows(self, given: str) -> bool:
        """Whether a form carries a token of this session."""
        return is_masked(given, self.csrf_secret)

    @property
    def actor(self) -> str:
        """How histories name this person."""
        return f"staff:{self.name}"

    def may(self, right: Right) -> bool:
        """Whether their role has a right."""
        return allows(self.role, right)

    def require_may_turn_down(self, proposed_by: str) -> None:
        """Whoever made a proposal may withdraw it, and who approves may turn any down.

        Raises:
            Forbidden: ``insufficient_role``.
        """
        if not (self.may(Right.APPROVE) or proposed_by == self.actor):
            raise Forbidden(
                f"{self.role}s withdraw what they proposed; this is another's, for an approver.",
                code="insufficient_role",
            )


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One of somebody's sessions; ``is_this`` is the one that asks."""

    created_at: datetime
    last_seen_at: datetime
    is_this: bool


async def open_session(
    connection: asyncpg.Connection[Any], name: str, *, by: str, address: str
) -> str | None:
    """A new session's token, in the caller's transaction; ``None`` if the person is disabled.

    Args:
        connection: inside a transaction.
        name: who has shown who they are.
        by: how: ``password``, ``link`` or ``oidc``.
        address: from where, for the audit.
    """
    token = new_token()
    opened = await connection.fetchval(
        load("recon.web", "insert_session"),
        digest_of(token),
        name,
        digest_of(browser_token_of(token)),
    )
    if opened is None:
        return None
    await record_action(
        connection,
        actor=f"staff:{name}",
        action="signed_in",
        obj=f"staff:{name}",
        by=by,
        address=address,
    )
    return token


def browser_token_of(token: str) -> str:
    """What the browser keeps when the session is over: its owner has signed in there before."""
    return derived(token, "browser")


class Visit(NamedTuple):
    """Who asks, and what the navigation around the answer counts, where it has any."""

    session: Session
    shell: Shell | None


async def read_visit(pool: Pool, token: str, *, touch: bool) -> Visit | None:
    """Whose session a token is, while it lasts, and what their navigation counts: one statement.

    Args:
        pool: the database.
        token: from the cookie.
        touch: count this as use by a person; a part of a page that refreshes itself is none, and
            has no navigation.
    """
    digest = digest_of(token)
    async with pool.acquire() as connection:
        row = await connection.fetchrow(
            load("recon.web", "read_session"), digest, IDLE, ABSOLUTE, touch
        )
        if row is None:
            return None
        if touch and row["to_touch"]:
            await connection.execute(load("recon.web", "touch_session"), digest)
    return Visit(
        Session(row["name"], Role(row["role"]), derived(token, "csrf")),
        Shell(row["open_rows"], row["waiting"]) if touch else None,
    )


async def list_sessions(
    connection: asyncpg.Connection[Any], name: str, token: str
) -> list[OpenSession]:
    """Somebody's sessions that are still good, the newest first; ``token`` is the one that asks."""
    rows = await connection.fetch(
        load("recon.web", "sessions_of"), name, IDLE, ABSOLUTE, digest_of(token)
    )
    return [OpenSession(row["created_at"], row["last_seen_at"], row["is_this"]) for row in rows]


async def end_other_sessions(pool: Pool, name: str, token: str) -> int:
    """Sign somebody out everywhere but where ``token`` is; how many sessions that ended."""
    async with pool.acquire() as connection, connection.transaction():
        ended = await connection.fetch(
            load("recon.web", "revoke_others_of"), name, digest_of(token)
        )
        if ended:
            await record_action(
                connection,
                actor=f"staff:{name}",
                action="signed_out_elsewhere",
                obj=f"staff:{name}",
                sessions=len(ended),
            )
    return len(ended)


async def end_all_sessions(pool: Pool, name: str, *, actor: str) -> None:
    """Sign somebody out everywhere, as when they have lost a computer; they may sign in anew.

    Raises:
        NotFound: ``session_not_found``: nobody of that name is signed in.
    """
    async with pool.acquire() as connection, connection.transaction():
        ended = await connection.fetch(load("recon.web", "revoke_sessions_of"), name)
        if not ended:
            raise NotFound(f"{name} is signed in nowhere", code="session_not_found")
        await record_action(
            connection,
            actor=actor,
            action="signed_out_by_another",
            obj=f"staff:{name}",
            sessions=len(ended),
        )


async def end_session(pool: Pool, token: str) -> None:
    """Sign out: the token is worth nothing from now on."""
    async with pool.acquire() as connection, connection.transaction():
        name = await connection.fetchval(load("recon.web", "revoke_session"), digest_of(token))
        if name is not None:
            await record_action(
                connection, actor=f"staff:{name}", action="signed_out", obj=f"staff:{name}"
            )
