"""Seal what is new: one pass, in blocks, each a transaction of its own."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog

from recon.clock import now
from recon.db import NO_PATH, load
from recon.seals.errors import ChainBrokenError, SealerMovedError
from recon.seals.metrics import observe_pass, observe_seal
from recon.seals.model import Kind, Seal
from recon.seals.queries import insert_seal, last_seal
from recon.seals.rules import (
    FIRST,
    LATEST_CLOCK,
    is_deep,
    lookback,
    make_seal,
    settled_before,
    why_not_after,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from recon.db import Pool, Sql
    from recon.seals.keys import SealKeys

__all__ = ["Sealed", "Sealer"]

log = structlog.get_logger(__name__)

_LOCK: Final = 0x7365616C  # "seal"
_TIMEOUT_S: Final = 3600
_FETCHED_AT_ONCE: Final = 500
_WRITTEN_AT_ONCE: Final = 500
"""Few enough that nothing else in the process waits long for them."""

_COLUMNS: Final = ("seq", "kind", "row_key", "at", "row_hash")

_UNSEALED: Final = {
    Kind.POSTING: "unsealed_postings",
    Kind.MOVEMENT: "unsealed_movements",
    Kind.DELIVERY: "unsealed_deliveries",
    Kind.REPEAT: "unsealed_repeats",
    Kind.EVENT: "unsealed_events",
    Kind.ADJUSTMENT: "unsealed_adjustments",
    Kind.DECISION: "unsealed_decisions",
    Kind.AUDIT: "unsealed_audit",
}


@dataclass(frozen=True, slots=True)
class Sealed:
    """What a pass has done.

    Args:
        rows: how many were linked.
        seals: how many seals that made.
        last: the newest seal now, whoever made it.
    """

    rows: int
    seals: int
    last: Seal | None


@dataclass(frozen=True, slots=True)
class _Span:
    """What a whole pass makes certain; told by its last seal."""

    covers_until: datetime
    settled_before: datetime | None
    certain_before: datetime | None
    xid_ceiling: int


_Link = tuple[str, str, "datetime", bytes]


class Sealer:
    """Seals what is new, pass after pass; any number may run, one at a time does.

    It remembers the newest seal that it has seen, and goes no further when that is gone.

    Args:
        pool: two connections of it are used during a pass: one reads from one snapshot and keeps
            other sealers out, one writes block after block.
        keys: the newest one signs.
        block: rows of a seal, at most.
    """

    def __init__(self, pool: Pool, keys: SealKeys, *, block: int = 10_000) -> None:
        self._pool = pool
        self._keys = keys
        self._block = block
        self._seen: Seal | None = None

    async def tick(self) -> None:
        """One pass, for a clock; a chain that is not to be built on is raised, for the log."""
        try:
            await self.run()
        except SealerMovedError as error:
            log.info("sealer_moved", reason=error.message)

    async def run(self, *, deep: bool = False, adopt: bool = False) -> Sealed | None:
        """Link and seal whatever was committed when this began.

        Killed in the middle, it leaves whole blocks, and the next pass goes on behind them.

        Args:
            deep: look back all the way, due or not.
            adopt: go on behind a chain that was not signed by one of our keys.

        Returns:
            ``None`` when another sealer is at work.

        Raises:
            ChainBrokenError: the newest seal is not one to build on.
            SealerMovedError: another sealer took over in the middle.
        """
        try:
            return await self._run(deep=deep, adopt=adopt)
        except asyncpg.UniqueViolationError as error:
            raise SealerMovedError("another sealer went on with the chain") from error

    async def _run(self, *, deep: bool, adopt: bool) -> Sealed | None:
        async with _alone(self._pool) as reader:
            if reader is None:
                return None
            last = await last_seal(reader)
            await self._look_at(reader, last, adopt=adopt)
            view = await reader.fetchrow(load("recon.seals", "snapshot"))
            settled = await _settled(reader, view, last)
            deep = deep or adopt or is_deep(settled, last)
            span = _span(view, settled, last, deep=deep)
            since = lookback(last, deep=deep)
            began, newest = last, last
            waiting: list[_Link] = []
            async for link in _unsealed(reader, since):
                # The last block is known to be so only once there is nothing behind it.
                if len(waiting) == self._block:
                    newest = await self._seal(newest, waiting, None)
                    waiting = []
                waiting.append(link)
            if waiting or _says_more(span, newest) or adopt:
                newest = await self._seal(newest, waiting, span)
        self._seen = newest
        observe_pass(span.covers_until)
        before = (began.number, began.last_seq) if began else (0, 0)
        after = (newest.number, newest.last_seq) if newest else (0, 0)
        return Sealed(after[1] - before[1], after[0] - before[0], newest)

    async def _look_at(
        self, reader: asyncpg.Connection[Any], last: Seal | None, *, adopt: bool
    ) -> None:
        """Refuse a chain that was cut, changed, or signed by nobody we know."""
        seen = self._seen
        if seen is not None and (
            await reader.fetchval(load("recon.seals", "seal_hash"), seen.number) != seen.hash
        ):
            raise ChainBrokenError(
                f"seal {seen.number}, made or seen by this process, is gone: the"
                " chain was cut; if a backup was restored, start this process anew"
            )
        reason = None if last is None else why_not_after(last, self._keys, adopt=adopt)
        if reason is not None:
            raise ChainBrokenError(reason)

    async def _seal(self, before: Seal | None, links: list[_Link], span: _Span | None) -> Seal:
        """Write one block and its seal; ``span`` with the last one of a pass."""
        first = before.last_seq + 1 if before else 1
        async with self._pool.acquire() as connection, connection.transaction():
            await connection.execute(f"SET LOCAL {NO_PATH}")
            found = await last_seal(connection)
            if found != before:
                raise SealerMovedError("another sealer went on with the chain")
            for start in range(0, len(links), _WRITTEN_AT_ONCE):
                part = links[start : start + _WRITTEN_AT_ONCE]
                await connection.copy_records_to_table(
                    "seal_links",
                    records=((seq, *link) for seq, link in enumerate(part, first + start)),
                    schema_name="public",
                    columns=_COLUMNS,
                    timeout=_TIMEOUT_S,
                )
            last = first + len(links) - 1
            blank = _blank(before, first, last, span)
            sums = await connection.fetchrow(load("recon.seals", "root"), first, last)
            made = make_seal(replace(blank, **dict(sums or {})), self._keys)
            await insert_seal(connection, made)
        observe_seal(made)
        # The log is a witness of its own, out of the reach of whoever owns the database.
        log.info(
            "sealed",
            seal=made.number,
            links=made.links,
            last_seq=made.last_seq,
            root=made.root.hex(),
            hash=made.hash.hex(),
            key_id=made.key_id,
        )
        return made


@asynccontextmanager
async def _alone(pool: Pool) -> AsyncIterator[asyncpg.Connection[Any] | None]:
    """One snapshot for a whole pass, in the transaction that keeps other sealers out."""
    async with (
        pool.acquire() as reader,
        reader.transaction(isolation="repeatable_read", readonly=True),
    ):
        await reader.execute(f"SET LOCAL {NO_PATH}")
        if not await reader.fetchval(load("recon.seals", "take_lock"), _LOCK):
            yield None
            return
        # Links have no index on rows' keys: a loop over them would be one for every row.
        for setting in (
            "enable_nestloop = off",
            "cursor_tuple_fraction = 1",
            "jit = off",
            "statement_timeout = 0",
        ):
            await reader.execute(f"SET LOCAL {setting}")
        yield reader


async def _settled(
    reader: asyncpg.Connection[Any], view: asyncpg.Record, last: Seal | None
) -> datetime | None:
    floor, ceiling = view["xid_floor"], view["xid_ceiling"]
    known = await reader.fetchval(load("recon.seals", "settled"), floor)
    return settled_before(view["at"], floor=floor, ceiling=ceiling, known=known, last=last)


def _span(
    view: asyncpg.Record, settled: datetime | None, last: Seal | None, *, deep: bool
) -> _Span:
    certain = last.certain_before if last else None
    if deep and settled is not None:
        certain = max(filter(None, (certain, settled - LATEST_CLOCK)))
    return _Span(view["at"], settled, certain, view["xid_ceiling"])


def _says_more(span: _Span, newest: Seal | None) -> bool:
    """Whether a pass that found nothing is worth a seal: it moves what is certain."""
    known = newest.certain_before if newest else None
    return span.certain_before is not None and (known is None or span.certain_before > known)


async def _unsealed(reader: asyncpg.Connection[Any], since: datetime) -> AsyncIterator[_Link]:
    for kind, name in _UNSEALED.items():
        async for row in reader.cursor(
            _statement(name), since, prefetch=_FETCHED_AT_ONCE, timeout=_TIMEOUT_S
        ):
            yield kind.value, row["row_key"], row["at"], row["row_hash"]


def _statement(name: str) -> Sql:
    return load("recon.seals", name)


def _blank(before: Seal | None, first: int, last: int, span: _Span | None) -> Seal:
    draft = Seal(
        number=before.number + 1 if before else 1,
        first_seq=first,
        last_seq=last,
        root=b"",
        leaves=b"",
        previous=before.hash if before else FIRST,
        sealed_at=now(),
        covers_until=before.covers_until if before else None,
        settled_before=before.settled_before if before else None,
        certain_before=before.certain_before if before else None,
        xid_ceiling=before.xid_ceiling if before else None,
        hash=b"",
        key_id=None,
        signature=None,
    )
    if span is None:
        return draft
    return replace(
        draft,
        covers_until=span.covers_until,
        settled_before=span.settled_before,
        certain_before=span.certain_before,
        xid_ceiling=span.xid_ceiling,
    )
