"""A wallet's statement as CSV: every entry with the balances after it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from recon.clock import format_time
from recon.csv_text import plain_text
from recon.ledger import read_entries
from recon.money import format_minor
from recon.web.csv_pages import PAGE, csv_chunks, last_of

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence
    from datetime import datetime

    import asyncpg

    from recon.db import Pool
    from recon.ledger import Posting

__all__ = ["statement_chunks"]

_COLUMNS: Final = (
    *("version", "recorded_at", "event_at", "kind", "source", "key", "debit", "credit"),
    *("currency", "amount", "available_after", "held_after", "reserved_after"),
)


def statement_chunks(
    pool: Pool, user_id: str, currency: str, *, at: datetime | None, oldest: bool = False
) -> AsyncGenerator[bytes, None]:
    """The statement, newest entries first.

    Args:
        pool: the ledger.
        user_id: whose wallet.
        currency: which.
        at: only what was recorded until then; ``None``: all.
        oldest: the oldest entries first.
    """

    async def read(
        connection: asyncpg.Connection[Any], before: int | None
    ) -> tuple[list[Posting], int | None]:
        found = await read_entries(
            connection,
            user_id,
            currency,
            before_version=before,
            limit=PAGE,
            at=at,
            oldest=oldest,
        )
        return found, last_of(found, lambda one: one.version)

    return csv_chunks(pool, _COLUMNS, read, _cells)


def _cells(entry: Posting) -> Sequence[str]:
    money = (entry.amount, entry.available_after, entry.held_after, entry.reserved_after)
    return (
        *(str(entry.version), format_time(entry.recorded_at), format_time(entry.event_at)),
        *(plain_text(text) for text in (entry.kind, entry.source, entry.key)),
        *(entry.debit, entry.credit, entry.currency),
        *(format_minor(minor, entry.currency) for minor in money),
    )
