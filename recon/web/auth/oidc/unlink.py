"""Forget which account of the provider somebody on the staff has."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.audit import record_action
from recon.db import load
from recon.errors import NotFound

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["unlink_staff"]


async def unlink_staff(pool: Pool, name: str, *, actor: str) -> None:
    """Let the next account that comes under this name have it; what is open stays open.

    Raises:
        NotFound: ``identity_not_found``: no account is linked with that name.
    """
    async with pool.acquire() as connection, connection.transaction():
        if not await connection.fetch(load("recon.web", "delete_identities"), name):
            raise NotFound(
                f"no account of a sign-in provider is linked with {name}", code="identity_not_found"
            )
        await record_action(
            connection, actor=actor, action="identity_unlinked", obj=f"staff:{name}"
        )
