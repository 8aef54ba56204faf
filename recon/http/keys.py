"""API keys of internal callers: shown once, stored as a hash, scoped, expiring, revocable.

A caller is its name. Its keys are interchangeable: who rotates one is still who it was, for what
it proposed and for the intents that it may repeat.
"""

from __future__ import annotations

import hashlib
import secrets
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING

from recon.audit import record_action
from recon.clock import format_time, now
from recon.db import load
from recon.errors import Conflict, Forbidden, Invalid, NotFound

if TYPE_CHECKING:
    from collections.abc import Collection
    from datetime import datetime, timedelta
    from uuid import UUID

    from recon.db import Pool

__all__ = [
    "ApiKey",
    "CreatedKey",
    "Principal",
    "Scope",
    "create_key",
    "hash_of",
    "list_keys",
    "revoke_key",
]

_PREFIX = "rk_"
_MAX_NAME = 128
_MAX_LIVE = 2


class Scope(StrEnum):
    """What a key may do."""

    WRITE_PAYMENT = "write:payment"
    READ_PAYMENT = "read:payment"
    WRITE_BET = "write:bet"
    READ_BET = "read:bet"
    READ_WALLET = "read:wallet"
    READ_GAME_STATE = "read:game_state"
    RUN_RECONCILIATION = "run:reconciliation"
    READ_DISCREPANCY = "read:discrepancy"
    WRITE_DISCREPANCY = "write:discrepancy"
    WRITE_SETTLEMENT = "write:settlement"
    ADMIN_WEBHOOK = "admin:webhook"


@dataclass(frozen=True, slots=True)
class Principal:
    """Who calls.

    Args:
        principal_id: the caller's name; what it does is done by this name, whichever key it used.
        key_id: the key of this call, for logs.
        scopes: what this key may do.
    """

    principal_id: str
    key_id: str
    scopes: frozenset[str]

    @property
    def name(self) -> str:
        """The caller, for people."""
        return self.principal_id

    def require(self, scope: Scope) -> None:
        """Refuse where the scope is missing.

        Raises:
            Forbidden: ``insufficient_scope``.
        """
        if scope not in self.scopes:
            raise Forbidden(f"this key has no scope {scope}", code="insufficient_scope")


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key as it is listed; the key itself is not stored."""

    key_id: str
    name: str
    scopes: list[str]
    created_at: datetime
    expires_at: datetime | None
    revoked_at: datetime | None
    last_used_at: datetime | None


@dataclass(frozen=True, slots=True)
class CreatedKey:
    """A new key, the only time that it is shown."""

    key_id: str
    key: str
    scopes: list[str]
    expires_at: datetime | None


async def create_key(
    pool: Pool,
    *,
    name: str,
    scopes: Collection[str],
    lifetime: timedelta | None,
    actor: str = "cli",
    intent: UUID | None = None,
) -> CreatedKey:
    """Make a key with 256 bits of randomness.

    Args:
        pool: the database.
        name: the caller that it is for; 1 to 128 printable characters, none of them ``/`` or
            ``:``, with which a name is joined to other words.
        scopes: what it may do.
        lifetime: until it expires; ``None``: never.
        actor: who makes it, for the audit.
        intent: of which one key is made, however often it comes; ``None``: each time another.

    Raises:
        Invalid: ``unknown_scope`` or ``invalid_name``.
        Conflict: ``two_keys_live``: the caller has two with these scopes, enough to rotate; or
            ``key_was_made``: this intent has made one, which is not shown again.
    """
    if (
        not 1 <= len(name) <= _MAX_NAME
        or name != name.strip()
        or not name.isprintable()
        or not {"/", ":"}.isdisjoint(name)
    ):
        raise Invalid(
            f"a caller's name has 1 to {_MAX_NAME} printable characters, no / or :, "
            "and no space at its ends",
            code="invalid_name",
        )
    unknown = sorted(set(scopes) - set(Scope))
    if unknown or not scopes:
        known = ", ".join(Scope)
        raise Invalid(
            f"unknown scopes: {', '.join(unknown) or 'none given'}; known are {known}",
            code="unknown_scope",
        )
    key_id = f"key_{secrets.token_hex(6) if intent is None else intent.hex[-12:]}"
    key = f"{_PREFIX}{key_id.removeprefix('key_')}_{secrets.token_urlsafe(32)}"
    expires_at = None if lifetime is None else now() + lifetime
    granted = sorted(set(scopes))
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(load("recon.http", "lock_caller"), name)
        if intent is not None and await connection.fetchval(load("recon.http", "is_key"), key_id):
            raise Conflict(
                f"this was sent before and has made {key_id}, whose secret was shown then, once;"
                " revoke it if nobody has it",
                code="key_was_made",
            )
        live = await connection.fetch(load("recon.http", "live_keys"), name, granted)
        if len(live) >= _MAX_LIVE:
            ids = " and ".join(row["key_id"] for row in live)
            raise Conflict(
                f"{name} has two live keys with these scopes ({ids}); revoke one of them first",
                code="two_keys_live",
            )
        await connection.execute(
            load("recon.http", "insert_key"), key_id, name, hash_of(key), granted, expires_at
        )
        await record_action(
            connection,
            actor=actor,
            action="key_created",
            obj=f"key:{key_id}",
            name=name,
            scopes=" ".join(granted),
            expires_at=None if expires_at is None else format_time(expires_at),
        )
    return CreatedKey(key_id, key, granted, expires_at)


async def list_keys(pool: Pool) -> list[ApiKey]:
    """All keys, newest first."""
    async with pool.acquire() as connection:
        rows = await connection.fetch(load("recon.http", "list_keys"))
    return [ApiKey(**dict(row)) for row in rows]


async def revoke_key(pool: Pool, key_id: str, *, actor: str = "cli") -> None:
    """Refuse a key from now on.

    Args:
        pool: the database.
        key_id: which.
        actor: who revokes it, for the audit.

    Raises:
        NotFound: no such key.
    """
    async with pool.acquire() as connection, connection.transaction():
        if await connection.fetchval(load("recon.http", "revoke_key"), key_id) is None:
            raise NotFound(f"there is no key {key_id}", code="key_not_found")
        await record_action(connection, actor=actor, action="key_revoked", obj=f"key:{key_id}")


def hash_of(key: str) -> bytes:
    """What is stored of a key."""
    # The key is 256 random bits: a plain digest cannot be searched.
    return hashlib.sha256(key.encode()).digest()
