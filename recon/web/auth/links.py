"""Links that sign one person in, once, soon.

A link is looked at as often as anybody likes, by whatever reads mail before people do; a form on
the page that it leads to uses it up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.audit import record_action
from recon.db import load
from recon.errors import NotFound, Unauthentic
from recon.web.auth.sessions import open_session
from recon.web.auth.tokens import digest_of, new_token

if TYPE_CHECKING:
    from datetime import timedelta

    from recon.db import Pool
    from recon.web.auth.refusals import Refusals

__all__ = ["create_sign_in_link", "name_on_link", "sign_in_by_link"]


async def create_sign_in_link(
    pool: Pool, name: str, lifetime: timedelta, *, actor: str = "cli"
) -> str:
    """The token of a new link, for ``/sign-in/once/<token>``.

    Args:
        pool: the database.
        name: whom it signs in.
        lifetime: until it opens nothing any more.
        actor: who makes it, for the audit.

    Raises:
        NotFound: ``staff_not_found``: nobody of that name may sign in.
    """
    token = new_token()
    async with pool.acquire() as connection, connection.transaction():
        made = await connection.fetchval(
            load("recon.web", "insert_link"), digest_of(token), name, lifetime
        )
        if made is None:
            raise NotFound(f"there is nobody called {name} on the staff", code="staff_not_found")
        await record_action(connection, actor=actor, action="link_created", obj=f"staff:{name}")
    return token


async def name_on_link(pool: Pool, token: str) -> str:
    """Whom a link signs in; it stays as it is.

    Raises:
        Unauthentic: ``invalid_link``: used, too old, or never made.
    """
    async with pool.acquire() as connection:
        name: str | None = await connection.fetchval(
            load("recon.web", "name_on_link"), digest_of(token)
        )
    if name is None:
        raise _spent()
    return name


async def sign_in_by_link(pool: Pool, refusals: Refusals, token: str, *, address: str) -> str:
    """Use a link up; the session's token.

    Raises:
        Unauthentic: ``invalid_link``: used, too old, or never made.
        TooManyRequests: and so were many others from this address.
    """
    session: str | None = None
    async with pool.acquire() as connection, connection.transaction():
        name = await connection.fetchval(load("recon.web", "use_link"), digest_of(token))
        if name is not None:
            session = await open_session(connection, name, by="link", address=address)
    if session is None:
        await refusals.record(pool, obj="link", address=address)
        raise _spent()
    return session


def _spent() -> Unauthentic:
    return Unauthentic(
        "This link was used already or is too old. Ask for a new one.", code="invalid_link"
    )
