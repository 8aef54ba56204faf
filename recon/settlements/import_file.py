"""Import a settlement file: read it, compare it with what is booked, and write down what was found.

The file is read and parsed before anything is locked. Then one transaction holds the endpoint (of
two imports at once the second waits, and finds what the first wrote), streams what is booked into
the import's own DuckDB, compares, and writes. So a file is here whole or not at all, whatever
becomes of the process, and importing it again changes nothing.
"""

from __future__ import annotations

import asyncio
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from threading import Event
from typing import TYPE_CHECKING, Any, BinaryIO, Final, TypeAlias

import msgspec

from recon.clock import new_id, now
from recon.db import load, with_retries
from recon.settlements import comparing, finding, writing
from recon.settlements.folders import work_folder
from recon.settlements.formats import delimiters, recognise
from recon.settlements.model import FAMILIES, ImportOptions, SettlementFile
from recon.settlements.periods import Spoken, merged, to_judge
from recon.settlements.read import read_file
from recon.settlements.records import Reader
from recon.settlements.stage import Stage

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    import asyncpg

    from recon.db import Pool
    from recon.settlements.formats import Layout
    from recon.settlements.model import Account, Batch
    from recon.settlements.periods import Period

    Connection: TypeAlias = asyncpg.Connection[Any]

__all__ = ["Imported", "import_settlement"]

_CHUNK: Final = 64 * 2**20
_MARGIN: Final = timedelta(days=1)
"""Clocks and time zones apart, nothing is settled longer than this before it is booked."""
_SETTLED_WITHIN: Final = timedelta(days=31)
"""A payment is settled so soon after it was booked; a file of later settles it again."""
_LONGEST_NAME: Final = 255
_LOOKED_UP: Final = 200_000
"""So many ids are looked up one by one; for more, everything of the endpoint is read."""
_EVER: Final = (datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC))
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

    stage: Stage
    folder: Path
    layout: Layout
    reader: Reader
    name: str
    account: Account
    options: ImportOptions
    actor: str
    spans: list[Period]

    @property
    def period(self) -> Period:
        """From its first line's time to its last's."""
        return self.spans[0][0], self.spans[-1][1]


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
    name = _plain(name)
    with work_folder() as folder:
        progress("Reading the file")
        stop = Event()
        try:
            work = await asyncio.to_thread(
                _read,
                source,
                folder,
                stop,
                name=name,
                account=account,
                options=options,
                actor=actor,
            )
        except asyncio.CancelledError:
            stop.set()
            raise
        try:
            return await _compare(pool, work, progress)
        except asyncio.CancelledError:
            # A thread cannot be cancelled; what it runs can.
            work.stage.interrupt()
            raise
        finally:
            await asyncio.to_thread(work.stage.close)


def _read(
    source: BinaryIO,
    folder: Path,
    stop: Event,
    *,
    name: str,
    account: Account,
    options: ImportOptions,
    actor: str,
) -> _Import:
    """Read the whole file into the stage: one thread cuts it into records, another parses them."""
    cuts = delimiters(options.delimiter)
    reader = Reader(source, options.most_bytes)
    rows = {cut: reader.first_rows(cut) for cut in cuts}
    cut, place, layout = recognise(rows, account.provider, options.columns)
    reader.skip(place + 1, cut)
    stage = Stage(folder, options, layout)
    try:
        with ThreadPoolExecutor(max_workers=1) as parser:
            parsing: Future[None] | None = None
            for path in _chunks(reader, layout.width, folder, stop):
                if parsing is not None:
                    parsing.result()
                parsing = parser.submit(_parse, stage, path, cut)
            if parsing is not None:
                parsing.result()
        comparing.prove_lines(stage, reader.rejected, account)
        spans = comparing.spans_of(stage)
    except BaseException:
        stage.close()
        raise
    return _Import(stage, folder, layout, reader, name, account, options, actor, spans)


def _chunks(reader: Reader, width: int, folder: Path, stop: Event) -> Iterator[Path]:
    """Files of numbered records, some megabytes each."""
    number, size = 0, 0
    path = folder / "chunk-0.csv"
    out = path.open("wb")
    try:
        for block in reader.records(width):
            if stop.is_set():
                return
            size += out.write(block)
            if size < _CHUNK:
                continue
            out.close()
            yield path
            number, size = number + 1, 0
            path = folder / f"chunk-{number}.csv"
            out = path.open("wb")
    finally:
        out.close()
    if size:
        yield path


def _parse(stage: Stage, path: Path, delimiter: str) -> None:
    stage.take_lines(path, delimiter)
    path.unlink()


@with_retries
async def _compare(pool: Pool, work: _Import, progress: Callable[[str], None]) -> Imported:
    async with pool.acquire() as connection, connection.transaction():
        await connection.execute(
            load("recon.settlements", "hold_endpoint"),
            work.account.endpoint,
            timeout=writing.COPY_TIMEOUT_S,
        )
        before: UUID | None = await connection.fetchval(
            load("recon.settlements", "by_content"),
            *(work.account.endpoint, work.reader.content_sha256),
        )
        if before is not None:
            return Imported(await read_file(connection, before), is_repeated=True)
        file_id = await _import(connection, work, progress)
        return Imported(await read_file(connection, file_id), is_repeated=False)


async def _import(connection: Connection, work: _Import, progress: Callable[[str], None]) -> UUID:
    stage, endpoint = work.stage, work.account.endpoint
    await asyncio.to_thread(stage.forget_loaded)
    first, last = work.period
    at = now()
    before = await _spoken_before(connection, endpoint)
    # Whether payouts are players' is not known yet: what may be asked is read.
    may_ask = to_judge(before, work.spans, FAMILIES, grace=work.options.grace, now=at)
    begin = min([first, *(part[0] for parts in may_ask.values() for part in parts)])
    begin -= work.options.grace + _MARGIN

    progress("Reading what is booked")
    await _copy_out(connection, work, "earlier", "earlier_lines", endpoint, begin, _EVER[1])
    await asyncio.to_thread(comparing.sort_lines, stage)
    await _copy_out(connection, work, "moved", "booked_within", endpoint, begin, last + _MARGIN)
    await _look_up(
        connection,
        work,
        "reported",
        "payments_of_references",
        await asyncio.to_thread(comparing.references, stage),
    )
    await _copy_out(connection, work, "open_findings", "open_findings_of", endpoint)
    # Of a payout only its id tells whether it is to us or to a player.
    payouts = await asyncio.to_thread(comparing.payouts, stage, layout=work.layout)
    await _look_up(connection, work, "moved", "booked_of", payouts)
    for some in writing.slices(payouts):
        await _copy_out(connection, work, "known", "known_of", endpoint, [*some], [])
    if payouts:
        await _copy_out(connection, work, "unpaid", "unpaid_withdrawals", endpoint, last + _MARGIN)
    await asyncio.to_thread(comparing.drop_doubled, stage)
    await asyncio.to_thread(comparing.view_settled, stage)
    await asyncio.to_thread(comparing.find_unclaimed, stage)
    tells = work.layout.tells(await asyncio.to_thread(comparing.kinds_of, stage))
    asked = to_judge(before, work.spans, tells, grace=work.options.grace, now=at)

    progress("Comparing payment by payment")
    file_id = new_id()
    path = work.folder / "lines.csv"
    await asyncio.to_thread(comparing.write_lines, stage, file_id, path)
    copying = asyncio.create_task(
        writing.copy_in(connection, "settlement_lines", writing.LINE_COLUMNS, path)
    )
    try:
        # Postgres takes the lines in meanwhile.
        missing = await asyncio.to_thread(comparing.compare, stage, asked)
        await copying
    except BaseException:
        copying.cancel()
        await asyncio.gather(copying, return_exceptions=True)
        raise
    await _compare_with_all(connection, work, asked, missing, begin)
    await asyncio.to_thread(
        comparing.attribute,
        stage,
        never_says_paid=work.account.provider in _NEVER_SAY_PAID,
    )
    await asyncio.to_thread(finding.find, stage, work.account)

    progress("Writing down what was found")
    spoken = Spoken(spans=work.spans, tells=tells, judged=asked)
    ends = [end for one in (*before, spoken) for parts in one.judged.values() for _, end in parts]
    until = max(ends, default=first)
    file = await asyncio.to_thread(_file_of, work, file_id, until)
    await writing.insert_file(connection, file, spoken)
    await _write(connection, work, file)
    return file.file_id


async def _spoken_before(connection: Connection, endpoint: str) -> list[Spoken]:
    """Of what the endpoint's files speak that are here."""
    rows = await connection.fetch(load("recon.settlements", "periods"), endpoint)
    return [msgspec.convert(dict(row), Spoken) for row in rows]


async def _compare_with_all(
    connection: Connection,
    work: _Import,
    asked: Mapping[str, Sequence[Period]],
    missing: list[str],
    begin: datetime,
) -> None:
    """Look for what is missing among what was booked long before, and compare once more."""
    stage, endpoint = work.stage, work.account.endpoint
    booked = await asyncio.to_thread(stage.one, "SELECT count(*) FROM moved")
    if len(missing) > _LOOKED_UP:
        await asyncio.to_thread(stage.run, "DELETE FROM moved")
        await _copy_out(connection, work, "moved", "booked_within", endpoint, *_EVER)
        await asyncio.to_thread(stage.run, "DELETE FROM earlier")
        await _copy_out(connection, work, "earlier", "earlier_lines", endpoint, *_EVER)
    else:
        await _look_up(connection, work, "moved", "booked_of", missing)
        # What was booked long before may have been settled then, by a file that was not read.
        ids, spans = await asyncio.to_thread(comparing.booked_before, stage, begin)
        for first, last in merged(spans, _SETTLED_WITHIN):
            times = first - _MARGIN, last + _SETTLED_WITHIN, begin
            for some in writing.slices(ids):
                await _copy_out(
                    connection, work, "earlier", "earlier_lines_of", endpoint, *times, [*some]
                )
    if await asyncio.to_thread(stage.one, "SELECT count(*) FROM moved") != booked:
        await asyncio.to_thread(comparing.drop_doubled, stage)
        await asyncio.to_thread(comparing.view_settled, stage)
        missing = await asyncio.to_thread(comparing.compare, stage, asked)
    references = await asyncio.to_thread(
        stage.rows,
        "SELECT DISTINCT reference FROM odd"
        " WHERE reference IS NOT NULL AND verdict IN ('missing_here', 'status_conflict')",
    )
    conflicts = await asyncio.to_thread(
        stage.rows, "SELECT DISTINCT payment_id FROM odd WHERE verdict = 'status_conflict'"
    )
    ids = sorted({*missing, *(row[0] for row in conflicts)})
    named = [row[0] for row in references]
    for some in writing.slices(ids):
        await _copy_out(connection, work, "known", "known_of", endpoint, [*some], [])
    for some in writing.slices(named):
        await _copy_out(connection, work, "known", "known_of", endpoint, [], [*some])


def _file_of(work: _Import, file_id: UUID, until: datetime) -> SettlementFile:
    stage = work.stage
    counts = comparing.count(stage)
    payments = stage.one("SELECT count(*) FROM settled WHERE is_new = 1")
    unmatched = stage.one(
        "SELECT coalesce(sum(new_lines), 0)::BIGINT FROM odd WHERE verdict <> 'missing_there'"
    )
    return SettlementFile(
        file_id=file_id,
        endpoint=work.account.endpoint,
        format=work.layout.format,
        name=work.name,
        content_sha256=work.reader.content_sha256,
        bytes=work.reader.size,
        lines=counts.lines,
        new_lines=counts.new,
        repeated_lines=counts.repeated,
        duplicate_lines=counts.duplicate,
        rejected_lines=counts.rejected,
        matched=payments - unmatched,
        period_from=work.period[0],
        period_to=work.period[1],
        checked_until=until,
        totals=tuple(comparing.totals(stage)),
        imported_at=now(),
        imported_by=work.actor,
    )


async def _write(connection: Connection, work: _Import, file: SettlementFile) -> None:
    stage, endpoint, name = work.stage, file.endpoint, work.name
    path = work.folder / "out.csv"
    touched = await writing.add_to_batches(
        connection, endpoint, file.file_id, await asyncio.to_thread(comparing.batches, stage)
    )
    await writing.resolve_batches(connection, endpoint, touched, f"told of anew by {name}")
    await asyncio.to_thread(
        finding.find_in_batches, stage, work.account, _unbalanced(touched, work.layout)
    )
    resolved, said_anew = await asyncio.to_thread(finding.explained, stage)
    await writing.resolve(connection, resolved, f"explained by {name}")
    await writing.resolve(connection, said_anew, f"told of anew by {name}")

    cases = await asyncio.to_thread(finding.assign_cases, stage, file.file_id, name)
    await writing.insert_cases(connection, endpoint, cases, file.imported_at)
    findings = (
        f"SELECT user_id, finding_id, {_quoted(endpoint)}, '{file.file_id}', kind,"  # noqa: S608 - ours
        " about, payment_id, effect_id, reference, line_no, settled_currency, settled_amount,"
        " booked_currency, booked_amount, settled_at::VARCHAR || 'Z', detail, case_id FROM found"
    )
    await asyncio.to_thread(stage.write, findings, path)
    await writing.copy_in(connection, "settlement_findings", writing.FINDING_COLUMNS, path)


def _unbalanced(batches: Sequence[Batch], layout: Layout) -> list[Batch]:
    """Batches that do not come to zero, though lines and payout are there or should be.

    A payout of which no line tells what is in it is one that somebody asked for, or its lines are
    in another report.
    """
    return [
        batch
        for batch in batches
        if batch.difference.minor and (layout.payouts_close or 0 < batch.payouts < batch.lines)
    ]


def _plain(name: str) -> str:
    """A file's name as text: it may hold what Postgres cannot store."""
    return name.encode("utf-8", "replace").decode().replace("\0", "")[:_LONGEST_NAME]


def _quoted(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"


async def _look_up(
    connection: Connection, work: _Import, table: str, statement: str, ids: Sequence[str]
) -> None:
    for some in writing.slices(ids):
        await _copy_out(connection, work, table, statement, work.account.endpoint, [*some])


async def _copy_out(
    connection: Connection, work: _Import, table: str, statement: str, *parameters: object
) -> None:
    """Stream the answer of one of our statements into a table of the stage."""
    path = work.folder / "in.csv"
    await connection.copy_from_query(
        load("recon.settlements", statement),
        *parameters,
        output=path,
        format="csv",
        timeout=writing.COPY_TIMEOUT_S,
    )
    await asyncio.to_thread(work.stage.take, table, path)
    path.unlink()
