"""The expression compiles for other databases than DuckDB; periods of files are exact."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import sqlglot

from recon.settlements.matching import BOOKED, SETTLED, compiled, tables
from recon.settlements.periods import judged, merged, without

DAY = timedelta(days=1)


def day(number: int) -> datetime:
    return datetime(2025, 3, number, tzinfo=UTC)


def test_the_same_expression_is_sql_of_spark_over_the_same_columns() -> None:
    found = sqlglot.parse_one(compiled("pyspark"), read="spark")

    named = {cte.alias for cte in found.find_all(sqlglot.exp.CTE)}
    read = {table.name for table in found.find_all(sqlglot.exp.Table)}
    assert read - named == {"settled", "booked"}
    settled, booked = tables()
    assert (settled.columns, booked.columns) == (tuple(SETTLED), tuple(BOOKED))
    assert _columns(found) == _columns(sqlglot.parse_one(compiled("duckdb"), read="duckdb"))


def _columns(statement: sqlglot.exp.Expr) -> list[str]:
    select = statement.find(sqlglot.exp.Select)
    assert select is not None
    return [column.alias_or_name for column in select.expressions]


def test_only_stretches_of_files_without_their_last_days_are_judged() -> None:
    files = [(day(1), day(3)), (day(4), day(6)), (day(10), day(12))]

    assert merged(files, DAY) == [(day(1), day(6)), (day(10), day(12))]
    assert judged(files, 2 * DAY) == [(day(1), day(4))]
    assert judged([*files, (day(7), day(9))], DAY) == [(day(1), day(11))]


def test_what_was_judged_before_is_not_judged_again() -> None:
    before, after = [(day(1), day(4))], [(day(1), day(11))]

    assert without(after, before) == [(day(4), day(11))]
    assert without(after, [(day(2), day(3)), (day(5), day(6))]) == [
        *((day(1), day(2)), (day(3), day(5)), (day(6), day(11))),
    ]
    assert without(before, after) == []
