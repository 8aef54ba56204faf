"""Reading elsewhere: what asks one pool for a connection gets it from another, for a block."""

from __future__ import annotations

from contextlib import contextmanager
from contextvars import ContextVar
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recon.db.pool import Pool

__all__ = ["instead_of", "reading_from"]

_instead: ContextVar[tuple[Pool, Pool] | None] = ContextVar("recon_db_instead", default=None)


@contextmanager
def reading_from(replica: Pool, *, instead_of: Pool) -> Iterator[None]:
    """Let whoever asks a pool in here, or in tasks that begin in here, have another's connections.

    So a reader need not know where it reads, and one that writes is refused by the standby.
    """
    token = _instead.set((instead_of, replica))
    try:
        yield
    finally:
        _instead.reset(token)


def instead_of(pool: Pool) -> Pool | None:
    """The pool that is asked in this one's stead, here."""
    pair = _instead.get()
    return pair[1] if pair is not None and pair[0] is pool else None
