"""Finance staff: add, list and disable them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import asyncpg

from recon.audit import record_action
from recon.db import load
from recon.errors import Conflict, Invalid, NotFound
from recon.web.auth.passwords import hash_password
from recon.web.roles import Right, Role, allows

if TYPE_CHECKING:
    from datetime import datetime

    from recon.db import Pool

__all__ = [
    "StaffMember",
    "add_staff",
    "change_role",
    "disable_staff",
    "enable_staff",
    "list_staff",
    "list_workers",
    "require_staff",
]

_MAX_NAME = 128


@dataclass(frozen=True, slots=True)
class StaffMember:
    """A member of staff as listed; the password's hash stays in the database.

    ``is_linked``: an account of a sign-in provider is theirs.
    """

    name: str
    role: Role
    created_at: datetime
    disabled_at: datetime | None
    last_seen_at: datetime | None
    is_linked: bool


async def add_staff(pool: Pool, *, name: str, role: Role, password: str | None, actor: str) -> None:
    """Let somebody in.

    Args:
        pool: the database.
        name: what they sign in with, 1 to 128 printable characters.
        role: what they may do.
        password: at least 12 characters; ``None``: they sign in by link or provider only.
        actor: who adds them, for the audit.

    Raises:
        Invalid: ``invalid_name`` or ``weak_password``.
        Conflict: ``staff_exists``.
    """
    if not 1 <= len(name) <= _MAX_NAME or not name.isprintable() or name != name.strip():
        raise Invalid(
            f"a name has 1 to {_MAX_NAME} printable characters, and no space at its ends",
            code="invalid_name",
        )
    hashed = None if password is None else await hash_password(password)
    async with pool.acquire() as connection, connection.transaction():
        try:
            await connection.execute(load("recon.web", "insert_staff"), name, role, hashed)
        except asyncpg.UniqueViolationError:
            raise Conflict(f"{name} is on the staff already", code="staff_exists") from None
        await record_action(
            connection, actor=actor, action="staff_added", obj=f"staff:{name}", role=role
        )


async def list_staff(pool: Pool) -> list[StaffMember]:
    """Everybody, by name, the disabled included."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(load("recon.web", "list_staff"))
    return [
        StaffMember(
            row["name"],
            Role(row["role"]),
            row["created_at"],
            row["disabled_at"],
            row["last_seen_at"],
            row["is_linked"],
        )
        for row in rows
    ]


async def list_workers(connection: asyncpg.Connection[Any]) -> list[str]:
    """The names of those who may sign in and work on a discrepancy: it can be given to them."""
    rows = await connection.fetch(load("recon.web", "active_staff"))
    return [row["name"] for row in rows if allows(Role(row["role"]), Right.WORK)]


async def require_staff(pool: Pool, name: str) -> None:
    """Refuse a name that nobody has who may sign in and work on what is given to them.

    Raises:
        Invalid: ``unknown_assignee``.
    """
    async with pool.acquire() as connection:
        if name not in await list_workers(connection):
            raise Invalid(
                f"nobody on the staff who works on these is called {name[:64]}",
                code="unknown_assignee",
            )


async def change_role(pool: Pool, name: str, role: Role, *, actor: str) -> None:
    """Let somebody do something else; what they have open goes by the new role at once.

    Raises:
        NotFound: ``staff_not_found``.
        Conflict: ``own_role``: nobody changes what they themselves may do.
    """
    if actor == f"staff:{name}":
        raise Conflict("another administrator has to change your role", code="own_role")
    async with pool.acquire() as connection, connection.transaction():
        before = await connection.fetchval(load("recon.web", "change_role"), name, role)
        if before is None:
            raise NotFound(f"there is nobody called {name} on the staff", code="staff_not_found")
        await record_action(
            connection,
            actor=actor,
            action="role_changed",
            obj=f"staff:{name}",
            before={"role": before},
            after={"role": role},
        )


async def enable_staff(pool: Pool, name: str, *, actor: str) -> None:
    """Let in again who was disabled; the sessions that ended then stay ended.

    Raises:
        NotFound: ``staff_not_found``: nobody of that name is disabled.
    """
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(load("recon.web", "enable_staff"), name) is None:
            raise NotFound(f"nobody called {name} is disabled", code="staff_not_found")
        await record_action(connection, actor=actor, action="staff_enabled", obj=f"staff:{name}")


async def disable_staff(pool: Pool, name: str, *, actor: str) -> None:
    """Keep somebody out from now on; their sessions end at once.

    Raises:
        NotFound: ``staff_not_found``.
        Conflict: ``own_account``: nobody locks themselves out.
    """
    if actor == f"staff:{name}":
        raise Conflict("another administrator has to disable you", code="own_account")
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(load("recon.web", "disable_staff"), name) is None:
            raise NotFound(f"there is nobody called {name} on the staff", code="staff_not_found")
        await connection.execute(load("recon.web", "revoke_sessions_of"), name)
        await record_action(connection, actor=actor, action="staff_disabled", obj=f"staff:{name}")
