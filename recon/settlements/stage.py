"""One import's own DuckDB, on disk and bounded in memory: lines, and what is booked.

Money is ``DECIMAL(38, 0)`` in minor units, read from its digits; nothing passes through a float.
Everything here blocks, so it is called in threads.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from recon.clock import now
from recon.errors import Invalid
from recon.money import exponents
from recon.settlements.formats import FIELDS
from recon.settlements.formats.adyen import ZONES
from recon.settlements.model import PAYMENT_KINDS, SIGNS

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from pathlib import Path

    import duckdb

    from recon.settlements.formats import Layout
    from recon.settlements.model import ImportOptions

__all__ = ["Stage"]

_MOVED: Final = {
    "effect": "VARCHAR",
    "payment_id": "VARCHAR",
    "effect_id": "VARCHAR",
    "also_known_as": "VARCHAR",
    "user_id": "VARCHAR",
    "currency": "VARCHAR",
    "amount": "DECIMAL(38, 0)",
    "booked_at": "TIMESTAMP",
}
"""Columns of `booked_within.sql` and `booked_of.sql`, as Postgres writes them."""

_TAKE_MOVED: Final = """
INSERT INTO moved
SELECT
    CASE split_part(effect, ':', 1)
        WHEN 'paid' THEN 'withdrawal'
        WHEN 'returned' THEN 'withdrawal_returned'
        WHEN 'refund_failed' THEN 'refund_reversed'
        WHEN 'deposit_reversed' THEN 'deposit'
        ELSE split_part(effect, ':', 1)
    END,
    effect, payment_id, effect_id, also_known_as, user_id, currency,
    CASE WHEN starts_with(effect, 'deposit_reversed') THEN -amount ELSE amount END,
    booked_at
FROM {source}
"""

_BESIDE: Final = (
    *("earlier", "moved", "reported", "known", "unpaid", "open_findings", "findings"),
)

_AMOUNT: Final = r"-?[0-9]{1,20}(\.[0-9]{1,18})?"
_ZONED: Final = r".*[0-9] ?(Z|[+-][0-9]{2}:?[0-9]{2})"
_STAMP: Final = (
    r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}"
    r"([T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)? ?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
"""What else DuckDB takes for a time: `infinity`, `epoch`, and names of zones that it forgets."""

_MACROS: Final = f"""
-- Sums of millions are still numbers of 38 digits.
CREATE MACRO nullif_huge(amount) AS CASE WHEN abs(amount) < 1e30::DECIMAL(38, 0) THEN amount END;
-- Whole minor units of decimal text: 0 where there is none, NULL where it is no amount of a
-- currency with so many places.
CREATE MACRO minor(amount, places) AS CASE
    WHEN amount IS NULL THEN 0::DECIMAL(38, 0)
    WHEN regexp_full_match(amount, '{_AMOUNT}')
        AND length(rtrim(split_part(amount, '.', 2), '0')) <= places
    THEN nullif_huge((
        split_part(amount, '.', 1)
        || rpad(left(split_part(amount, '.', 2), places), places, '0')
    )::DECIMAL(38, 0))
END;
-- The other way: minor units as decimal text.
CREATE MACRO decimal_text(amount, places) AS CASE
    WHEN places = 0 THEN amount::VARCHAR
    ELSE (CASE WHEN amount < 0 THEN '-' ELSE '' END) || left(
        lpad(
            abs(amount)::VARCHAR, greatest(length(abs(amount)::VARCHAR), places + 1)::INTEGER, '0'
        ), -places
    ) || '.' || right(
        lpad(
            abs(amount)::VARCHAR, greatest(length(abs(amount)::VARCHAR), places + 1)::INTEGER, '0'
        ), places
    )
END;
CREATE MACRO instant(stamp, minutes, zone) AS CASE
    WHEN NOT regexp_full_match(stamp, '{_STAMP}') THEN NULL
    WHEN regexp_full_match(stamp, '{_ZONED}') THEN TRY_CAST(stamp AS TIMESTAMPTZ)
    WHEN minutes IS NOT NULL
    THEN (TRY_CAST(stamp AS TIMESTAMP) - minutes * INTERVAL 1 MINUTE) AT TIME ZONE 'UTC'
    ELSE TRY_CAST(stamp AS TIMESTAMP) AT TIME ZONE zone
END;
"""

_TABLES: Final = """
CREATE TABLE words (word VARCHAR, kind VARCHAR, sign INTEGER);
CREATE TABLE currencies (code VARCHAR, places INTEGER);
CREATE TABLE zones (zone VARCHAR, minutes INTEGER);
CREATE TABLE parsed (
    line_no BIGINT,
    line_key UUID,
    says UUID,
    word VARCHAR,
    kind VARCHAR,
    payment_id VARCHAR,
    effect_id VARCHAR,
    reference VARCHAR,
    user_id VARCHAR,
    batch VARCHAR,
    account VARCHAR,
    currency VARCHAR,
    amount DECIMAL(38, 0),
    net_currency VARCHAR,
    net DECIMAL(38, 0),
    fee DECIMAL(38, 0),
    settled_at TIMESTAMP,
    reason VARCHAR
);
CREATE TABLE rejected (line_no BIGINT, reason VARCHAR);
CREATE TABLE earlier (
    line_key UUID,
    kind VARCHAR,
    payment_id VARCHAR,
    effect_id VARCHAR,
    reference VARCHAR,
    currency VARCHAR,
    amount DECIMAL(38, 0),
    settled_at DECIMAL(20, 6)
);
CREATE TABLE moved (
    kind VARCHAR,
    effect VARCHAR,
    payment_id VARCHAR,
    effect_id VARCHAR,
    also_known_as VARCHAR,
    user_id VARCHAR,
    currency VARCHAR,
    amount DECIMAL(38, 0),
    booked_at TIMESTAMP
);
CREATE TABLE reported (reference VARCHAR, payment_id VARCHAR);
CREATE TABLE known (
    payment_id VARCHAR,
    reference VARCHAR,
    user_id VARCHAR,
    direction VARCHAR,
    state VARCHAR,
    currency VARCHAR,
    amount DECIMAL(38, 0),
    detail VARCHAR,
    kind VARCHAR
);
CREATE TABLE unpaid (reference VARCHAR, currency VARCHAR, amount DECIMAL(38, 0));
CREATE TABLE findings (
    user_id VARCHAR,
    kind VARCHAR,
    about VARCHAR,
    payment_id VARCHAR,
    effect_id VARCHAR,
    reference VARCHAR,
    line_no BIGINT,
    settled_currency VARCHAR,
    settled_amount DECIMAL(38, 0),
    booked_currency VARCHAR,
    booked_amount DECIMAL(38, 0),
    settled_at TIMESTAMP,
    detail VARCHAR
);
CREATE TABLE open_findings (
    user_id VARCHAR,
    finding_id UUID,
    kind VARCHAR,
    about VARCHAR,
    payment_id VARCHAR,
    effect_id VARCHAR
);
"""


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
        self._db.execute(_MACROS + _TABLES)
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
        for table in _BESIDE:
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

    def write(self, query: str, path: Path) -> None:
        """Write the answer of a query as CSV, for Postgres's ``COPY``."""
        self._db.execute(f"COPY ({query}) TO {_text(path)} (FORMAT csv, HEADER false)")

    def take(self, table: str, path: Path) -> None:
        """Add what Postgres's ``COPY`` wrote as CSV to one of the tables."""
        if not path.stat().st_size:
            return
        if table == "moved":
            self.run(_TAKE_MOVED.format(source=_csv(path, _MOVED)))
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
        fields = ", ".join(f"{self._layout.field_sql(name)} AS {name}" for name in FIELDS)
        source = f"SELECT line_no, {fields} FROM {_csv(path, texts, delimiter)}"  # noqa: S608 - ours
        self.run(
            _READ.format(source=source, **_AMOUNTS[self._layout.signed]),
            [self._options.timezone, *_BELIEVED, now() + _AHEAD],
        )


def _text(value: object) -> str:
    return "'" + str(value).replace("'", "''") + "'"


def _csv(path: Path, columns: Mapping[str, str], delimiter: str = ",") -> str:
    named = ", ".join(f"{_text(name)}: {_text(kind)}" for name, kind in columns.items())
    return (
        f"read_csv({_text(path)}, columns = {{{named}}}, auto_detect = false, header = false,"
        f" delim = {_text(delimiter)}, quote = '\"', escape = '\"', new_line = '\\n')"
    )


_PAYMENT_KINDS: Final = ", ".join(_text(kind.value) for kind in PAYMENT_KINDS)
_SIGN: Final = (
    "CASE coalesce(w.kind, 'other') "
    + " ".join(f"WHEN '{kind.value}' THEN {sign}" for kind, sign in SIGNS.items())
    + " END"
)

# Where debit and credit stand apart, or one of them is signed, an amount has the direction of its
# kind when the sign is taken out. A plain file's amounts have it already.
_AMOUNTS: Final = {
    False: {
        "gross": "(minor(t.credit, g.places) - minor(t.debit, g.places)) * coalesce(w.sign, 1)",
        "net": "minor(t.net_credit, n.places) - minor(t.net_debit, n.places)",
        "signed": "false",
    },
    True: {
        "gross": "minor(t.credit, g.places)",
        "net": "CASE WHEN t.net_credit IS NOT NULL THEN minor(t.net_credit, n.places)"
        f" ELSE minor(t.credit, g.places) * {_SIGN} - minor(t.fee, n.places) END",
        "signed": "true",
    },
}

_BELIEVED: Final = (datetime(2000, 1, 1, tzinfo=UTC),)
_AHEAD: Final = timedelta(days=1)
"""A time without its zone may be read as so much later than it is."""

_READ: Final = (
    """
INSERT INTO parsed
SELECT
    line_no,
    CASE WHEN line_id IS NULL THEN says ELSE left(sha256(line_id), 32)::UUID END,
    says, word, kind, payment_id, effect_id, reference, user_id, batch, account,
    currency, amount, net_currency, net, fee, settled_at AT TIME ZONE 'UTC',
    CASE
        WHEN word IS NULL THEN 'it has no type'
        WHEN is_payment AND payment_id IS NULL AND reference IS NULL
        THEN 'a ' || word || ' names no payment'
        WHEN settled_at IS NULL AND zone IS NOT NULL AND minutes IS NULL
        THEN 'its time zone ' || left(zone, 32) || ' is not known'
        WHEN settled_at IS NULL THEN 'its time cannot be read'
        WHEN settled_at < $2 OR settled_at > $3
        THEN 'its time is not between the year 2000 and tomorrow'
        WHEN is_payment AND places IS NULL THEN 'its currency is not known'
        WHEN net_currency IS NULL THEN 'the currency of its net amount is not known'
        WHEN is_payment AND amount IS NULL THEN 'its amount is no amount of ' || currency
        WHEN is_signed AND amount < 0
        THEN 'its amount is below zero; its kind says which way it goes'
        WHEN net IS NULL THEN 'its net amount is no amount of ' || net_currency
        WHEN fee IS NULL THEN 'its fee is no amount of ' || net_currency
        WHEN greatest(
            length(payment_id), length(effect_id), length(reference), length(batch), length(word)
        ) > 256 THEN 'an id in it is longer than 256 characters'
    END
FROM (
    SELECT
        *,
        left(sha256(concat_ws(
            chr(31), coalesce(lower(word), ''), coalesce(account, ''), coalesce(payment_id, ''),
            coalesce(effect_id, ''), coalesce(reference, ''), coalesce(batch, ''),
            coalesce(currency, ''), amount, coalesce(net_currency, ''), net, settled_at,
            coalesce(note, '')
        )), 32)::UUID AS says
    FROM (
    SELECT
        t.line_no,
        t.line_id,
        t.word,
        coalesce(w.kind, 'other') AS kind,
        coalesce(w.kind, 'other') IN ("""
    + _PAYMENT_KINDS
    + """) AS is_payment,
        t.payment_id,
        t.effect_id,
        t.reference,
        CASE
            WHEN length(t.user_id) <= 256 AND NOT starts_with(t.user_id, '~') THEN t.user_id
        END AS user_id,
        CASE WHEN t.account IS NULL THEN t.batch ELSE t.account || '/' || t.batch END AS batch,
        t.account,
        g.code AS currency,
        g.places,
        {gross} AS amount,
        n.code AS net_currency,
        {net} AS net,
        minor(t.fee, n.places) + minor(t.fee_2, n.places) + minor(t.fee_3, n.places)
            + minor(t.fee_4, n.places) AS fee,
        instant(t.settled_at, z.minutes, CASE WHEN t.zone IS NULL THEN $1 END) AS settled_at,
        t.zone,
        -- What tells lines without a payment apart, fees of one second and one amount.
        CASE WHEN t.payment_id IS NULL THEN t.note END AS note,
        z.minutes,
        {signed} AS is_signed
    FROM ({source}) AS t
    LEFT JOIN words AS w ON lower(t.word) = w.word
    LEFT JOIN currencies AS g ON upper(t.currency) = g.code
    LEFT JOIN currencies AS n ON upper(coalesce(t.net_currency, t.currency)) = n.code
    LEFT JOIN zones AS z ON upper(t.zone) = z.zone
    ) AS q
) AS r
"""
)
