"""Every open discrepancy as a file to attach, within bounds."""

from __future__ import annotations

from contextlib import aclosing
from typing import TYPE_CHECKING, Final

from recon.alerts.model import Attachment
from recon.reconciliation import DiscrepancyFilter, Status
from recon.reconciliation.export import csv_chunks

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["open_discrepancies"]

_MOST_BYTES: Final = 5_000_000
"""Base64 adds a third, and many servers take ten million."""

_OPEN: Final = (Status.OPEN, Status.INVESTIGATING, Status.AWAITING_APPROVAL)


async def open_discrepancies(pool: Pool, *, base_url: str | None) -> Attachment | None:
    """What stands open as CSV, newest first, with the columns of every export.

    Five megabytes at most, in whole pages of rows; what is left out is said. ``None``: nothing is
    open.

    Args:
        pool: the database.
        base_url: of the links in it; ``None``: they lead to paths.
    """
    taken, size, is_cut = list[bytes](), 0, False
    chunks = csv_chunks(pool, DiscrepancyFilter(statuses=_OPEN), base_url=base_url or "")
    async with aclosing(chunks):
        async for chunk in chunks:
            if size + len(chunk) > _MOST_BYTES:
                is_cut = True
                break
            taken.append(chunk)
            size += len(chunk)
    content = b"".join(taken)
    rows = content.count(b"\r\n") - 1
    if rows < 1:
        return None
    return Attachment("discrepancies.csv", content, is_cut=is_cut)
