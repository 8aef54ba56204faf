"""Open a session for somebody whom the provider knows, if they are on the staff.

The first sign-in links the provider's subject with the name; from then on the subject counts, and
nobody else gets in under that name. Where the provider gives roles, its word is what somebody may
do from that sign-in on, and whoever has a role is put on the staff; else an administrator has put
them there before. Who is disabled here stays out, whatever the provider says.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from recon.audit import record_action
from recon.db import load
from recon.web.auth.oidc.errors import SignInRefused
from recon.web.auth.sessions import open_session

if TYPE_CHECKING:
    import asyncpg

    from recon.db import Pool
    from recon.web.auth.oidc.person import Person
    from recon.web.roles import Role

__all__ = ["admit"]

_ACTOR: Final = "oidc"


async def admit(pool: Pool, person: Person, *, address: str) -> str:
    """The session's token.

    Raises:
        SignInRefused: ``not_on_staff``, ``disabled`` or ``name_of_another``.
    """
    async with pool.acquire() as connection, connection.transaction():
        linked = await connection.fetchval(
            load("recon.web", "identity"), person.issuer, person.subject
        )
        name = person.name if linked is None else linked
        await _on_staff(connection, name, person.role)
        if linked is None:
            await _link(connection, person)
        token = await open_session(connection, name, by="oidc", address=address)
    if token is None:
        raise _disabled(name)
    return token


async def _on_staff(connection: asyncpg.Connection[Any], name: str, role: Role | None) -> None:
    """See to it that they are on the staff, with the role that the provider gives."""
    if role is not None:
        added = await connection.fetchval(
            load("recon.web", "insert_staff_unless_there"), name, role
        )
        if added is not None:
            await record_action(
                connection, actor=_ACTOR, action="staff_added", obj=f"staff:{name}", role=role
            )
    row = await connection.fetchrow(load("recon.web", "lock_staff"), name)
    if row is None:
        raise SignInRefused(
            f"The sign-in provider knows you as {name}, and nobody of that name is on the staff."
            " Ask an administrator to let you in.",
            code="not_on_staff",
        )
    if row["is_disabled"]:
        raise _disabled(name)
    if role is not None and row["role"] != role:
        await connection.execute(load("recon.web", "change_role"), name, role)
        await record_action(
            connection,
            actor=_ACTOR,
            action="role_changed",
            obj=f"staff:{name}",
            before={"role": row["role"]},
            after={"role": role},
        )


async def _link(connection: asyncpg.Connection[Any], person: Person) -> None:
    made = await connection.fetchval(
        load("recon.web", "insert_identity"), person.issuer, person.subject, person.name
    )
    if made is not None:
        await record_action(
            connection,
            actor=_ACTOR,
            action="identity_linked",
            obj=f"staff:{person.name}",
            issuer=person.issuer,
            subject=person.subject,
        )
        return
    # Twice at once, and this is the second.
    linked = await connection.fetchval(load("recon.web", "identity"), person.issuer, person.subject)
    if linked != person.name:
        raise SignInRefused(
            f"{person.name} is linked with another account of the sign-in provider. If that was"
            " yours, ask an administrator to unlink it.",
            code="name_of_another",
        )


def _disabled(name: str) -> SignInRefused:
    return SignInRefused(
        f"{name} may not sign in any more. Ask an administrator if you should.", code="disabled"
    )
