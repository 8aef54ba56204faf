"""Seal what is new: one pass, in blocks, each a transaction of its own."""

from __future__ import annotations

from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Final

import asyncpg
import structlog

from recon.clock import now
from recon.db import NO_PATH, load
from recon.seals.anchor import keep_anchor, read_anchor
from recon.seals.errors import ChainBrokenError, SealerMovedError
from recon.seals.metrics import observe_miss, observe_seal
from recon.seals.model import Anchor, Kind, Seal
from recon.seals.queries import insert_seal, last_seal, last_seal_by
from recon.seals.rules import (
    FIRST,
    LATEST_CLOCK,
    STALLED,
    is_before,
    is_deep,
    lookback,
    make_seal,
    settled_before,
    why_not_after,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime
    from pathlib import Path

    from recon.db import Pool, Sql
    from recon.seals.keys import SealKeys

__all__ = ["Sealed", "Sealer"]

log = structlog.get_logger(__name__)

_LOCK: Final = 0x7365616C  # "seal"
_TIMEOUT_S: Final = 3600
_FETCHED_AT_ONCE: Final = 500
_WRITTEN_AT_ONCE: Final = 500
"""Few enough that nothing else in the process waits long for them."""

_STUCK_AFTER: Final = 3
"""Passes on end: links that belong to no seal stand where ours would, which `verify` tells of."""

_COLUMNS: Final = ("seq", "kind", "row_key", "at", "row_hash")

_UNSEALED: Final = {
    Kind.POSTING: "unsealed_postings",
    Kind.MOVEMENT: "unsealed_movements",
    Kind.DELIVERY: "unsealed_deliveries",
    Kind.REPEAT: "unsealed_repeats",
    Kind.EVENT: "unsealed_events",
    Kind.ADJUSTMENT: "unsealed_adjustments",
    Kind.DECISION: "unsealed_decisions",
    Kind.RULING: "unsealed_rulings",
    Kind.RULING_DECISION: "unsealed_ruling_decisions",
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

    covers_until: datetime | None
    settled_before: datetime | None
    certain_before: datetime | None
    xid_ceiling: int | None


_Link = tuple[str, str, "datetime", bytes]


class Sealer:
    """Seals what is new, pass after pass; any number may run, one at a time does.

    It remembers the newest seal that it has seen, and goes no further when that is gone.

    Args:
        pool: two connections of it are used during a pass: one reads from one snapshot and keeps
            other sealers out, one writes block after block.
        keys: the newest one signs.
        block: rows of a seal, at most.
        anchor: the file in which the newest seal is kept outside of the database: what does not
            have it in its chain is not gone on with. ``None``: nowhere.
    """

    def __init__(
        self, pool: Pool, keys: SealKeys, *, block: int = 10_000, anchor: Path | None = None
    ) -> None:
        self._pool = pool
        self._keys = keys
        self._block = block
        self._anchor = anchor
        self._seen: Seal | None = None
        self._moved = 0

    async def tick(self) -> None:
        """One pass, for a clock; a chain that is not to be built on is raised, for the log."""
        before = self._seen
        try:
            await self.run()
        except SealerMovedError as error:
            self._moved += 1
            # One that really went on has left a seal, and our next pass has seen it.
            if self._moved < _STUCK_AFTER:
                log.info("sealer_moved", reason=error.message)
            else:
                log.error(  # noqa: TRY400 - where it stands says nothing more
                    "sealing_stuck", passes=self._moved, after=before and before.number
                )
                raise ChainBrokenError(
                    "pass after pass finds rows of the chain that belong to no seal where the next"
                    " one would stand; `recon verify` tells more"
                ) from error
        else:
            self._moved = 0

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
        async with _alone(self._pool) as (reader, mark):
            if reader is None:
                return None
            last = await last_seal(reader)
            await self._look_at(reader, last, adopt=adopt)
            good, is_put_back = last, is_before(mark["at"], last)
            if is_put_back:
                if not is_before(await reader.fetchval(load("recon.seals", "clock")), last):
                    return None  # a rival began after us, and was done before us
                good = await last_seal_by(reader, mark["at"])
                log.warning("clock_put_back", at=mark["at"], last=last.number if last else None)
            settled = await _settled(reader, mark, good)
            deep = deep or adopt or is_put_back or is_deep(settled, good)
            span = _span(mark, settled, good, deep=deep)
            since = lookback(good, deep=deep)
            began, newest = last, last
            waiting: list[_Link] = []
            async for link in _unsealed(reader, since):
                # The last block is known to be so only once there is nothing behind it.
                if len(waiting) == self._block:
                    newest = await self._seal(newest, waiting, _span_of(good))
                    waiting = []
                waiting.append(link)
            if waiting or _says_more(span, newest) or is_put_back or adopt:
                newest = await self._seal(newest, waiting, span)
        self._seen = newest
        if newest is not None and self._anchor is not None:
            self._keep(newest, self._anchor, adopt=adopt)
        async with self._pool.acquire() as connection:
            await connection.execute(load("recon.seals", "covered"), mark["at"])
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
        if not adopt:
            await self._hold_against_anchor(reader)
            if last is None and await reader.fetchval(load("recon.seals", "has_old")):
                raise ChainBrokenError(
                    "nothing is sealed, and the books are older than a day: if the seals were not"
                    " taken away, let `recon seal --adopt` begin"
                )
        reason = None if last is None else why_not_after(last, self._keys, adopt=adopt)
        if reason is None and last is not None and not adopt:
            reason = await self._why_retired(reader, last)
        if reason is not None:
            raise ChainBrokenError(reason)

    async def _hold_against_anchor(self, reader: asyncpg.Connection[Any]) -> None:
        kept = None if self._anchor is None else read_anchor(self._anchor)
        if kept is None:
            return
        found = await reader.fetchval(load("recon.seals", "seal_hash"), kept.number)
        if found is None or found.hex() != kept.hash:
            raise ChainBrokenError(
                f"seal {kept.number}, which {self._anchor} names, is"
                f" {'gone' if found is None else 'another one'}: the chain was cut or made anew;"
                " if a backup was restored, let `recon seal --adopt` go on behind it"
            )

    def _keep(self, newest: Seal, path: Path, *, adopt: bool) -> None:
        kept = None if adopt else read_anchor(path)
        if kept is None or kept.number < newest.number:
            hexed = newest.hash.hex()
            keep_anchor(path, Anchor(newest.number, hexed, newest.sealed_at, newest.key_id))

    async def _why_retired(self, reader: asyncpg.Connection[Any], last: Seal) -> str | None:
        """Whether the newest seal is by a key that a newer one had replaced before."""
        newer = self._keys.newer_than(last.key_id)
        row = await reader.fetchrow(load("recon.seals", "signed_by"), newer) if newer else None
        if row is None:
            return None
        return (
            f"seal {last.number} is signed by key {last.key_id}, and seal {row['number']} before it"
            f" by {row['key_id']}, which replaced that: look at `recon verify`, and if it is right,"
            " let `recon seal --adopt` sign behind it"
        )

    async def _seal(self, before: Seal | None, links: list[_Link], span: _Span) -> Seal:
        """Write one block and its seal; until the last one of a pass, ``span`` is as before it."""
        first = before.last_seq + 1 if before else 1
        async with self._pool.acquire() as connection, connection.transaction():
            for setting in (NO_PATH, STALLED):
                await connection.execute(f"SET LOCAL {setting}")
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
async def _alone(
    pool: Pool,
) -> AsyncIterator[tuple[asyncpg.Connection[Any] | None, asyncpg.Record]]:
    """One snapshot for a whole pass, in the transaction that keeps other sealers out.

    And the mark from before it: an instant, and the number of a transaction that began then.
    """
    async with AsyncExitStack() as stack:
        reader = await stack.enter_async_context(pool.acquire())
        mark = await reader.fetchrow(load("recon.seals", "mark"))
        await stack.enter_async_context(
            reader.transaction(isolation="repeatable_read", readonly=True)
        )
        await reader.execute(f"SET LOCAL {NO_PATH}")
        if not await reader.fetchval(load("recon.seals", "take_lock"), _LOCK):
            observe_miss()
            log.debug("another_sealer_at_work")
            yield None, mark
            return
        # Links have no index on rows' keys: a loop over them would be one for every row.
        for setting in (
            "enable_nestloop = off",
            "cursor_tuple_fraction = 1",
            "jit = off",
            "statement_timeout = 0",
            STALLED,
        ):
            await reader.execute(f"SET LOCAL {setting}")
        yield reader, mark


async def _settled(
    reader: asyncpg.Connection[Any], mark: asyncpg.Record, last: Seal | None
) -> datetime | None:
    floor = await reader.fetchval(load("recon.seals", "floor"))
    known = await reader.fetchval(load("recon.seals", "settled"), floor, mark["at"])
    return settled_before(mark["at"], own=mark["xid"], floor=floor, known=known, last=last)


def _span(
    mark: asyncpg.Record, settled: datetime | None, last: Seal | None, *, deep: bool
) -> _Span:
    certain = last.certain_before if last else None
    if deep and settled is not None:
        certain = max(filter(None, (certain, settled - LATEST_CLOCK)))
    return _Span(mark["at"], settled, certain, mark["xid"])


def _span_of(seal: Seal | None) -> _Span:
    """What was certain already: in the middle of a pass nothing else is."""
    if seal is None:
        return _Span(None, None, None, None)
    return _Span(seal.covers_until, seal.settled_before, seal.certain_before, seal.xid_ceiling)


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


def _blank(before: Seal | None, first: int, last: int, span: _Span) -> Seal:
    return Seal(
        number=before.number + 1 if before else 1,
        first_seq=first,
        last_seq=last,
        root=b"",
        leaves=b"",
        previous=before.hash if before else FIRST,
        sealed_at=now(),
        covers_until=span.covers_until,
        settled_before=span.settled_before,
        certain_before=span.certain_before,
        xid_ceiling=span.xid_ceiling,
        hash=b"",
        key_id=None,
        signature=None,
    )
