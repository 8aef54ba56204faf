"""Import a settlement file: read it, compare it with what is booked, and write down what was found.

The file is read and parsed before anything is locked. Then one transaction holds the endpoint (of
two imports at once the second waits, and finds what the first wrote), streams what is booked into
the import's own DuckDB, compares, and writes. So a file is here whole or not at all, whatever
becomes of the process, and importing it again changes nothing.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from threading import Event
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

import msgspec

from recon.clock import new_id, now
from recon.db import load, with_retries
from recon.settlements import attribute, comparing, finding, lines, writing
from recon.settlements.folders import work_folder
from recon.settlements.loading import MARGIN, compare_with_all, load_near
from recon.settlements.model import FAMILIES, ImportOptions, SettlementFile
from recon.settlements.periods import Spoken, to_judge
from recon.settlements.read import read_file
from recon.settlements.staging import Staged, stage_file
from recon.settlements.write_down import file_of, write_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from recon.db import Pool
    from recon.settlements.model import Account
    from recon.settlements.periods import Period

    Connection: TypeAlias = asyncpg.Connection[Any]

__all__ = ["Imported", "import_settlement"]

_LONGEST_NAME: Final = 255
# Adyen has no notification that a payout has reached its bank: only the report says so.
_NEVER_SAY_PAID: Final = frozenset({"adyen"})


@dataclass(frozen=True, slots=True)
class Imported:
    """The file as it stands, and whether it was here before."""

    file: SettlementFile
    is_repeated: bool


@dataclass(frozen=True, slots=True)
class _Import:
    """One import under way, its file read and parsed."""

    staged: Staged
    name: str
    actor: str
    progress: Callable[[str], None]


async def import_settlement(
    pool: Pool,
    source: BinaryIO,
    *,
    name: str,
    account: Account,
    options: ImportOptions,
    actor: str,
    progress: Callable[[str], None] = lambda _: None,
) -> Imported:
    """Import a file of a PSP account, and compare it with what is booked of that account.

    Args:
        pool: the database.
        source: the file, packed by gzip or not; it can be read from its beginning.
        name: what people call it.
        account: whose file it is.
        options: how it is read and compared.
        actor: who imports it.
        progress: told of each step as it begins.

    Returns:
        The file with its findings; of one that was imported before, as it stands today.

    Raises:
        FormatError: it has no header that we know, or is another provider's.
        MerchantAccountError: it is of another merchant account.
        NotReadableError: it is no text, or too many lines cannot be read.
        TruncatedError: it ends in the middle.
        Invalid: a name of a column is not ours.
    """
    with work_folder() as folder:
        progress("Reading the file")
        stop = Event()
        try:
            staged = await asyncio.to_thread(
                stage_file, source, folder, stop, account=account, options=options
            )
        except asyncio.CancelledError:
            stop.set()
            raise
        try:
            return await _compare(pool, _Import(staged, _plain(name), actor, progress))
        except asyncio.CancelledError:
            # A thread cannot be cancelled; what it runs can.
            staged.stage.interrupt()
            raise
        finally:
            await asyncio.to_thread(staged.stage.close)


@with_retries
async def _compare(pool: Pool, work: _Import) -> Imported:
    staged = work.staged
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            load("recon.settlements", "hold_endpoint"),
            staged.account.endpoint,
            timeout=writing.COPY_TIMEOUT_S,
        )
        before: UUID | None = await connection.fetchval(
            load("recon.settlements", "by_content"),
            *(staged.account.endpoint, staged.content_sha256),
        )
        if before is not None:
            return Imported(await read_file(connection, before), is_repeated=True)
        file_id = await _import(connection, work)
        return Imported(await read_file(connection, file_id), is_repeated=False)


async def _import(connection: Connection, work: _Import) -> UUID:
    staged, stage, at = work.staged, work.staged.stage, now()
    first, grace = staged.period[0], staged.options.grace
    await asyncio.to_thread(stage.forget_loaded)
    before = await _spoken_before(connection, staged.account.endpoint)
    # Whether payouts are players' is not known yet: what may be asked is read.
    may_ask = to_judge(before, staged.spans, FAMILIES, grace=grace, now=at)
    begin = min([first, *(part[0] for parts in may_ask.values() for part in parts)])
    begin -= grace + MARGIN

    work.progress("Reading what is booked")
    await load_near(connection, staged, begin)
    await asyncio.to_thread(comparing.find_unclaimed, stage)
    tells = staged.layout.tells(await asyncio.to_thread(lines.kinds_of, stage))
    asked = to_judge(before, staged.spans, tells, grace=grace, now=at)

    work.progress("Comparing payment by payment")
    file_id = new_id()
    await _compare_while_written(connection, staged, file_id, asked)
    await compare_with_all(connection, staged, asked, begin)
    await asyncio.to_thread(
        attribute.attribute,
        stage,
        never_says_paid=staged.account.provider in _NEVER_SAY_PAID,
    )
    await asyncio.to_thread(finding.find, stage, staged.account)

    work.progress("Writing down what was found")
    spoken = Spoken(spans=staged.spans, tells=tells, judged=asked)
    ends = [end for one in (*before, spoken) for parts in one.judged.values() for _, end in parts]
    until = max(ends, default=first)
    file = await asyncio.to_thread(
        lambda: file_of(staged, file_id, name=work.name, actor=work.actor, until=until)
    )
    await writing.insert_file(connection, file, spoken)
    await write_findings(connection, staged, file)
    return file.file_id


async def _compare_while_written(
    connection: Connection,
    staged: Staged,
    file_id: UUID,
    asked: Mapping[str, Sequence[Period]],
) -> None:
    """Compare, and let Postgres take the lines in meanwhile."""
    path = staged.folder / "lines.csv"
    await asyncio.to_thread(lines.write_lines, staged.stage, file_id, path)
    copying = asyncio.create_task(
        writing.copy_in(connection, "settlement_lines", writing.LINE_COLUMNS, path)
    )
    try:
        await asyncio.to_thread(comparing.compare, staged.stage, asked)
        await copying
    except BaseException:
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)
        raise


async def _spoken_before(connection: Connection, endpoint: str) -> list[Spoken]:
    """Of what the endpoint's files speak that are here."""
    rows = await connection.fetch(load("recon.settlements", "periods"), endpoint)
    return [msgspec.convert(dict(row), Spoken) for row in rows]


def _plain(name: str) -> str:
    """A file's name as text: it may hold what Postgres cannot store."""
    return name.encode("utf-8", "replace").decode().replace("\0", "")[:_LONGEST_NAME]
