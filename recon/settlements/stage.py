"""One import's own DuckDB, on disk and bounded in memory: lines, and what is booked.

Everything here blocks, so it is called in threads.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from recon.errors import Invalid
from recon.money import exponents
from recon.settlements.formats.adyen import ZONES
from recon.settlements.parsing import insert_parsed, instants_believed
from recon.settlements.tables import BESIDE, MACROS, MOVED, TABLES, TAKE_MOVED

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import duckdb

    from recon.settlements.formats import Layout
    from recon.settlements.model import ImportOptions

__all__ = ["Stage", "instant", "micros"]

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


class Stage:
    """The tables of one import, in a folder of its own.

    Args:
        folder: where DuckDB keeps them, and what does not fit its memory.
        options: how much memory, how many threads, which zone.
        layout: whose columns the lines have.
    """

    def __init__(self, folder: Path, options: ImportOptions, layout: Layout) -> None:
        import duckdb  # noqa: PLC0415 - as long as it takes, only an import needs it

        self._layout = layout
        self._options = options
        self._db: duckdb.DuckDBPyConnection = duckdb.connect(
            str(folder / "stage.duckdb"),
            config={
                "memory_limit": options.memory_limit,
                "threads": options.threads,
                "temp_directory": str(folder / "spilled"),
                "preserve_insertion_order": False,
                # Nothing is fetched, and nothing is loaded that is not in the wheel.
                "autoinstall_known_extensions": False,
                "autoload_known_extensions": False,
            },
        )
        # The session's own zone would be the machine's.
        self._db.execute("SET TimeZone = 'UTC'")
        # In one commit, as each waits for the disk.
        self._db.begin()
        self._require_zone(options.timezone)
        self._db.execute(MACROS + TABLES)
        self._fill("words", [(word.text, word.kind.value, word.sign) for word in layout.words])
        self._fill("currencies", exponents().items())
        self._fill("zones", ZONES.items())
        self._db.commit()
        # From here on it reads and writes in its folder and nowhere else, whatever it is told.
        self._db.execute(f"SET allowed_directories = [{_text(folder)}]")
        self._db.execute("SET enable_external_access = false")
        self._db.execute("SET lock_configuration = true")

    def _require_zone(self, name: str) -> None:
        """Refuse a zone that is none, rather than every line of the file.

        Raises:
            Invalid: ``invalid_timezone``.
        """
        if not self.rows("SELECT 1 FROM pg_timezone_names() WHERE name = $1", [name]):
            raise Invalid(f"{name[:64]!r} is no time zone", code="invalid_timezone")

    def _fill(self, table: str, rows: Iterable[tuple[object, ...]]) -> None:
        columns = [[*column] for column in zip(*rows, strict=True)]
        values = ", ".join(f"unnest(${number})" for number in range(1, len(columns) + 1))
        self.run(f"INSERT INTO {table} SELECT {values}", columns)

    def close(self) -> None:
        """Close the database; the folder is the caller's to remove."""
        self._db.close()

    def interrupt(self) -> None:
        """Stop what runs, from another thread."""
        self._db.interrupt()

    def forget_loaded(self) -> None:
        """Empty what was loaded beside the file's own lines, so that a comparison begins anew."""
        for table in BESIDE:
            self.run(f"DELETE FROM {table}")  # noqa: S608 - ours

    def run(self, statement: str, parameters: Iterable[object] = ()) -> None:
        """Run a statement."""
        self._db.execute(statement, [*parameters])

    def rows(self, query: str, parameters: Iterable[object] = ()) -> list[tuple[Any, ...]]:
        """Every row of a query whose answer is small."""
        return self._db.execute(query, [*parameters]).fetchall()

    def one(self, query: str, parameters: Iterable[object] = ()) -> Any:  # noqa: ANN401 - a value
        """The first value of a query's first row."""
        return self.rows(query, parameters)[0][0]

    def list_up(self, query: str) -> int:
        """Keep the answer of a query, until the next one is kept: how many rows it has."""
        self.run(
            "CREATE OR REPLACE TABLE listed AS"  # noqa: S608 - ours
            f" SELECT row_number() OVER () AS place, * FROM ({query})"
        )
        return int(self.one("SELECT count(*) FROM listed"))

    def listed(self, start: int, count: int) -> list[tuple[Any, ...]]:
        """So many of the rows that were kept."""
        return self.rows(
            "SELECT * EXCLUDE (place) FROM listed WHERE place > $1 AND place <= $1 + $2",
            [start, count],
        )

    def write(self, query: str, path: Path) -> None:
        """Write the answer of a query as CSV, for Postgres's ``COPY``."""
        self._db.execute(f"COPY ({query}) TO {_text(path)} (FORMAT csv, HEADER false)")

    def take(self, table: str, path: Path) -> None:
        """Add what Postgres's ``COPY`` wrote as CSV to one of the tables."""
        if not path.stat().st_size:
            return
        if table == "moved":
            self.run(TAKE_MOVED.format(source=_csv(path, MOVED)))
            return
        columns = dict[str, str](
            self.rows(
                "SELECT column_name, data_type FROM duckdb_columns() WHERE table_name = $1",
                [table],
            )
        )
        self.run(f"INSERT INTO {table} SELECT * FROM {_csv(path, columns)}")  # noqa: S608 - ours

    def take_lines(self, path: Path, delimiter: str) -> None:
        """Read a block of numbered records into ``parsed``, with a reason where one is no line."""
        texts = {"line_no": "BIGINT"} | {f"c{n}": "VARCHAR" for n in range(self._layout.width)}
        self.run(
            insert_parsed(self._layout, _csv(path, texts, delimiter)),
            [self._options.timezone, *instants_believed()],
        )


def micros(at: datetime) -> int:
    """A time as DuckDB's ``epoch_us`` tells it."""
    return (at - _EPOCH) // _MICROSECOND


def instant(told: Any) -> datetime:  # noqa: ANN401 - a number of DuckDB's
    """The time that an ``epoch_us`` is."""
    return _EPOCH + int(told) * _MICROSECOND


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _csv(path: Path, columns: Mapping[str, str], delimiter: str = ",") -> str:
    named = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in columns.items())
    return (
        f"read_csv({_text(path)}, columns = {{{named}}}, auto_detect = false, header = false,"
        f" delim = {_text(delimiter)}, quote = '\"', escape = '\"', new_line = '\\n')"
    )
