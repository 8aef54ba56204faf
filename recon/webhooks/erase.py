"""Erase what is known of a player as a person, once nothing obliges anybody to keep it.

Only payloads are about a person: names, addresses and the ends of card numbers that a PSP has told.
Everything else knows the player by the game's opaque id, whom the operator can no longer tell once
the operator has forgotten them; it stays, with the payloads' hashes, and so does the chain.
"""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING, Final

from msgspec import Struct

from recon.audit import record_action
from recon.db import load, with_retries
from recon.errors import Conflict, NotFound

if TYPE_CHECKING:
    from datetime import datetime
    from typing import Any

    import asyncpg

    from recon.db import Pool

__all__ = ["RECORDS_KEPT", "Erased", "erase_player"]

RECORDS_KEPT: Final = timedelta(days=5 * 365 + 2)
"""How long after the relationship has ended its records are kept: five years, leap days included.

Source: the UK's Money Laundering Regulations 2017, regulation 40(3).
"""


class Erased(Struct, frozen=True):
    """What became of a player's payloads.

    Attributes:
        erased: payloads that are gone.
        kept: deliveries that still wait, are in suspense or have an open case: settle them, and
            erase again.
    """

    user_id: str
    erased: int
    kept: int


@with_retries
async def erase_player(
    pool: Pool, user_id: str, *, ended: datetime, now: datetime, actor: str
) -> Erased:
    """Take away every payload that is about a player's payments, and say so in the audit.

    Args:
        pool: the database.
        user_id: the player.
        ended: when the relationship with them did, as somebody says. What is written here of the
            player later says that it had not.
        now: as of when it is asked for.
        actor: who does it.

    Raises:
        Conflict: ``records_kept``: it has not been over for long enough.
        NotFound: ``user_not_found``: nothing was ever heard of such a player.
    """
    # One snapshot: nothing that comes in between is taken without having been looked at.
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read"),
    ):
        await _refuse_while_kept(connection, user_id, ended=ended, now=now)
        row = await connection.fetchrow(load("recon.webhooks", "erase_payloads"), user_id)
        erased = Erased(user_id, row["erased"], row["kept"])
        await record_action(
            connection,
            actor=actor,
            action="erased",
            obj=f"player:{user_id}",
            ended=ended.date().isoformat(),
            payloads=erased.erased,
            kept=erased.kept,
        )
    return erased


async def _refuse_while_kept(
    connection: asyncpg.Connection[Any], user_id: str, *, ended: datetime, now: datetime
) -> None:
    row = await connection.fetchrow(load("recon.webhooks", "newest_records"), user_id)
    newest = [(at, record) for record, at in row.items() if at is not None]
    if not newest:
        raise NotFound(
            f"there is no player {user_id!r} here: no posting, payment, bet or delivery names them",
            code="user_not_found",
        )
    at, record = max(newest)
    until = max(at, ended) + RECORDS_KEPT
    if now < until:
        because = (
            f"; their newest {record} is of {at:%F}, after the end that was given"
            if at > ended
            else ""
        )
        raise Conflict(
            "records are kept for five years after the relationship has ended: until"
            f" {until:%F}{because}",
            code="records_kept",
        )
