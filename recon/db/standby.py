"""Whether a server is a standby of another one, and how far it has come.

A place in the write-ahead log says nothing by itself: every cluster counts from the same beginning,
and one that was promoted, or comes from a backup of before a restore, goes on counting by itself.
So which cluster it is, on which timeline and which database there, is compared first.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import asyncpg

from recon.db.errors import DatabaseUnavailableError
from recon.db.sql import load

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime, timedelta
    from typing import Any

    from recon.db.pool import Pool
    from recon.db.sql import Sql

__all__ = ["NoStandbyError", "Standing", "bytes_of", "fault_of", "standing_of"]

_PLACE: Final = re.compile(r"([0-9A-Fa-f]{1,8})/([0-9A-Fa-f]{1,8})")


class NoStandbyError(DatabaseUnavailableError):
    """It answers, and is no standby of this primary: what it has is not what was written here."""

    code = "no_standby"


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a standby has come.

    Attributes:
        place: in the write-ahead log, in bytes.
        as_of: everything that was committed until then is there, by the primary's clock.
        behind: how long ago that was.
    """

    place: int
    as_of: datetime
    behind: timedelta


async def standing_of(replica: Pool, *, primary: Pool) -> Standing:
    """How a standby stands to its primary now.

    Raises:
        NoStandbyError: it is none, or another's.
        DatabaseUnavailableError: it has taken over nothing yet.
    """
    written = await _told(primary, load("recon.db", "primary_standing"))
    replayed = await _told(replica, load("recon.db", "standby_standing"))
    # What was written meanwhile may be there already.
    is_ahead = bytes_of(replayed["place"]) > bytes_of(written["place"])
    latest = await _told(primary, load("recon.db", "primary_standing")) if is_ahead else written
    fault = fault_of(latest, replayed)
    if fault is not None:
        raise NoStandbyError(fault)
    place = bytes_of(replayed["place"])
    if place >= bytes_of(written["place"]):
        as_of = written["at"]
    elif replayed["at"] is not None:
        as_of = min(replayed["at"], written["at"])
    else:
        # Just started: nobody knows how old what it has is.
        raise DatabaseUnavailableError("the replica has taken over nothing yet")
    return Standing(place, as_of, written["at"] - as_of)


def fault_of(written: Mapping[str, Any], replayed: Mapping[str, Any]) -> str | None:
    """Why a server is no standby of a primary; ``None``: it is one.

    Args:
        written: what the primary says of itself, as in ``primary_standing.sql``.
        replayed: what the other said before that, as in ``standby_standing.sql``.
    """
    faults = {
        "what is set as the primary is a standby itself": written["place"] is None,
        "the replica is no standby: it was promoted, or never was one": replayed["place"] is None,
        f"the replica is of another cluster: its system identifier is {replayed['cluster']}, the"
        f" primary's {written['cluster']}": replayed["cluster"] != written["cluster"],
        "the replica's URL names another database than the primary's": (
            replayed["database"] != written["database"]
        ),
        f"the replica is on timeline {replayed['timeline']}, the primary on {written['timeline']}:"
        " one of them is of before a failover or a restore": (
            replayed["timeline"] != written["timeline"]
        ),
        "the replica has more than the primary ever wrote: it is of another history": (
            bytes_of(replayed["place"]) > bytes_of(written["place"])
        ),
    }
    return next((said for said, is_so in faults.items() if is_so), None)


def bytes_of(place: str | None) -> int:
    """A place in the write-ahead log as a number; 0 where it is none."""
    found = _PLACE.fullmatch(place or "")
    return 0 if found is None else (int(found[1], 16) << 32) + int(found[2], 16)


async def _told(pool: Pool, statement: Sql) -> Mapping[str, Any]:
    try:
        row: Mapping[str, Any] = await pool.fetchrow(statement)
    except asyncpg.InsufficientPrivilegeError as error:
        raise NoStandbyError(
            "whether the replica is a standby of this primary cannot be known: let the service's"
            " role execute pg_control_system, pg_control_checkpoint and pg_control_recovery"
        ) from error
    return row
