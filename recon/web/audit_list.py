"""The audit: who did what to which object, before and after; filtered as the URL says."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import msgspec

from recon.clock import format_time
from recon.csv_text import plain_text
from recon.db import load_in_order
from recon.web.csv_pages import PAGE, csv_chunks, last_of
from recon.web.days import Days
from recon.web.formatting import instant, plain_words, told

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from recon.db import Pool

__all__ = ["AuditQuery", "Audited", "audit_chunks", "list_audit"]

_COLUMNS: Final = ("audit_id", "at", "actor", "action", "object", "detail")
_PROPOSED: Final = "discrepancy.proposed"
# What these hold is written by us, not by a person: a code of ours is said in words, as elsewhere.
_CODES: Final = frozenset({"cause", "found reason", "found state", "outcome", "state", "status"})
_SUMS: Final = frozenset({"amount", "payout"})
_INSTANT: Final = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]{8,15}(Z|[+-]\d\d:\d\d)")


@dataclass(frozen=True, slots=True)
class AuditQuery:
    """What is asked for; ``None`` means any.

    Args:
        actor: ``staff:<name>`` or a caller's name.
        action: its start, such as ``discrepancy.``.
        obj: the object, as ``<kind>:<id>``.
        days: from the first to the last.
    """

    actor: str | None = None
    action: str | None = None
    obj: str | None = None
    days: Days = field(default_factory=Days)

    @classmethod
    def parse(cls, query: Mapping[str, str]) -> AuditQuery:
        """Read a URL's query; an empty field is one that is not there.

        Raises:
            Invalid: ``invalid_filter``, with the field's name.
        """
        given = {name: text.strip() for name, text in query.items() if text.strip()}
        return cls(
            given.get("actor"),
            given.get("action"),
            given.get("object"),
            Days.parse(query),
        )

    def said(self) -> dict[str, str]:
        """The URL's query for this."""
        said = {"actor": self.actor, "action": self.action, "object": self.obj}
        return {name: text for name, text in said.items() if text} | self.days.said()


@dataclass(frozen=True, slots=True)
class Audited:
    """One thing that somebody did; ``detail`` is what was written with it."""

    audit_id: UUID
    at: datetime
    actor: str
    action: str
    obj: str
    detail: dict[str, Any]

    @property
    def said(self) -> str:
        """The action in words; of an adjustment as such, though its discrepancy is the object."""
        if self.action == _PROPOSED:
            return "Adjustment proposed"
        return plain_words(self.action.replace("discrepancy.adjustment_", "adjustment."))

    @property
    def changes(self) -> list[tuple[str, str, str]]:
        """What it has changed: name, before, after. What has no after it has left as it was."""
        if "after" not in self.detail:
            return []
        before, after = (_parts(self.detail.get(side)) for side in ("before", "after"))
        return [
            (name, _told(name, before.get(name)), _told(name, after.get(name)))
            for name in dict.fromkeys((*before, *after))
            if before.get(name) != after.get(name)
        ]

    @property
    def more(self) -> list[tuple[str, str]]:
        """What else was written with it."""
        said = {name: it for name, it in self.detail.items() if name not in {"before", "after"}}
        if "after" not in self.detail:
            found = _parts(self.detail.get("before"))
            said |= {f"found {name}": value for name, value in found.items()}
        return [(name, _told(name, value)) for name, value in said.items() if value is not None]


async def list_audit(
    connection: asyncpg.Connection[Any],
    wanted: AuditQuery,
    *,
    before: UUID | None = None,
    limit: int = 50,
    oldest: bool = False,
) -> list[Audited]:
    """A page of the audit, newest first, from before an entry; or ``oldest`` first, from after."""
    rows = await connection.fetch(
        load_in_order("recon.web", "audited", turned=oldest),
        *(wanted.actor, wanted.action, wanted.obj),
        *(wanted.days.begins, wanted.days.ends, before, limit),
    )
    return [
        Audited(
            row["audit_id"], row["at"], row["actor"], row["action"], row["object"], row["detail"]
        )
        for row in rows
    ]


def audit_chunks(
    pool: Pool, wanted: AuditQuery, *, oldest: bool = False
) -> AsyncGenerator[bytes, None]:
    """The audit as CSV, newest first or ``oldest``."""

    async def read(
        connection: asyncpg.Connection[Any], before: UUID | None
    ) -> tuple[list[Audited], UUID | None]:
        found = await list_audit(connection, wanted, before=before, limit=PAGE, oldest=oldest)
        return found, last_of(found, lambda one: one.audit_id)

    return csv_chunks(pool, _COLUMNS, read, _cells)


def _cells(one: Audited) -> Sequence[str]:
    detail = msgspec.json.encode(one.detail, order="sorted").decode()
    said = (str(one.audit_id), format_time(one.at), one.actor, one.action, one.obj, detail)
    return [plain_text(text) for text in said]


def _parts(side: object) -> dict[str, Any]:
    """One side of a change; what has one property alone says only its value, which is its state."""
    if side is None:
        return {}
    return side if isinstance(side, dict) else {"state": side}


def _told(name: str, value: object) -> str:
    if value is None:
        return "none"
    if not isinstance(value, str):
        return msgspec.json.encode(value).decode()
    if name in _CODES or name in _SUMS:
        return plain_words(value).lower() if name in _CODES else told(value)
    if not _INSTANT.fullmatch(value):
        return value
    try:
        return instant(datetime.fromisoformat(value))
    except (ValueError, OverflowError):  # a person's words, which no calendar knows
        return value
