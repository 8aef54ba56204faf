"""Payment by payment: what a PSP has settled against what is booked here, as one Ibis expression.

It knows two tables by their columns and no database. DuckDB runs it in this process; on a cluster
the same expression runs on Spark, over tables of these columns (docs/settlements.md shows how).
Importing Ibis takes longer than most commands: it is imported when a file is compared, not before.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ibis.expr.types import Table

__all__ = ["BOOKED", "SETTLED", "compared", "compiled", "tables"]

SETTLED: Final = {
    "kind": "string",
    "payment_id": "string",
    "effect_id": "string",
    "currency": "string",
    "amount": "decimal(38, 0)",
    "line_no": "int64",
    "settled_at": "timestamp",
    "is_new": "int64",
}
"""Lines that move a player's money. Those of earlier files stand beside a file's own (``is_new``
1), for what is settled in parts, and for what was settled before; they have no number."""

BOOKED: Final = {
    "kind": "string",
    "payment_id": "string",
    "effect_id": "string",
    "currency": "string",
    "amount": "decimal(38, 0)",
    "movement_no": "int64",
    "booked_at": "timestamp",
}
"""Money that moved at the PSP as we have it; a deposit that failed after all is there twice, the
second time below zero. A deposit's own object (``effect_id``) is its payment or its capture."""


def tables() -> tuple[Table, Table]:
    """The two tables by name alone: ``settled`` and ``booked``."""
    import ibis  # noqa: PLC0415 - it takes longer than most commands

    return ibis.table(SETTLED, name="settled"), ibis.table(BOOKED, name="booked")


def compared(settled: Table, booked: Table) -> Table:
    """Whatever is not settled and booked alike, with a verdict; what agrees is left out.

    Two rows are about the same thing where both name the same refund, dispute, capture or payout;
    what is left is compared payment by payment, so that one settled in parts, or known here by
    another id of its own, is compared as a whole.

    Millions are grouped and joined by numbers and keys alone, which every backend can do beyond its
    memory. Whoever needs more of a row finds it by its number.

    Args:
        settled: columns as in `SETTLED`.
        booked: columns as in `BOOKED`.

    Returns:
        ``kind``, ``line_no`` and ``movement_no`` (the first of each side, if it has one),
        ``new_lines``, ``settled_currency``, ``settled_amount``, ``settled_at``,
        ``booked_currency``, ``booked_amount``, ``booked_at`` and ``verdict``: ``missing_here``,
        ``missing_there``, ``currency_mismatch``, ``status_conflict`` or ``amount_mismatch``.
    """
    import ibis  # noqa: PLC0415 - it takes longer than most commands

    own = booked.filter(booked.effect_id != booked.payment_id)
    theirs = _settled_by_key(_keyed(settled, own))
    ours = _booked_by_key(
        ibis.union(
            booked.filter(booked.effect_id == booked.payment_id).mutate(key=booked.payment_id),
            _keyed(own, settled),
        )
    )
    both = theirs.outer_join(ours, ["kind", "key", "currency"], lname="", rname="our_{name}")
    both = both.mutate(
        kind=both.kind.fill_null(both.our_kind),
        key=both.key.fill_null(both.our_key),
        settled_currency=both.currency,
        booked_currency=both.our_currency,
    )
    odd = both.filter(both.settled_amount.fill_null(0) != both.booked_amount.fill_null(0))
    # What is settled in one currency and booked in another is two rows here; the settled one stays.
    same = ibis.window(group_by=[odd.kind, odd.key])
    here, there = odd.booked_currency.notnull(), odd.settled_currency.notnull()
    odd = odd.mutate(
        booked_currency=odd.booked_currency.fill_null(odd.booked_currency.max().over(same)),
        booked_amount=odd.booked_amount.fill_null(odd.booked_amount.max().over(same)),
        booked_at=odd.booked_at.fill_null(odd.booked_at.max().over(same)),
        movement_no=odd.movement_no.fill_null(odd.movement_no.min().over(same)),
        is_twin=~there & odd.settled_currency.max().over(same).notnull(),
        is_alone=~here,
    )
    odd = odd.filter(~odd.is_twin)
    return odd.select(
        "kind",
        "line_no",
        "movement_no",
        "settled_currency",
        "settled_amount",
        "settled_at",
        "booked_currency",
        "booked_amount",
        "booked_at",
        new_lines=odd.new_lines.fill_null(0),
        verdict=ibis.cases(
            (odd.settled_currency.isnull(), "missing_there"),
            (odd.booked_currency.isnull(), "missing_here"),
            (odd.is_alone, "currency_mismatch"),
            ((odd.booked_amount == 0) & (odd.settled_amount > 0), "status_conflict"),
            else_="amount_mismatch",
        ),
    )


@cache
def compiled(dialect: str) -> str:
    """The expression over `tables` as SQL of a database: ``duckdb`` or ``pyspark``."""
    # The compilers alone: the backends would bring pandas and pyarrow, 300 MB of no use here.
    from ibis.backends.sql.compilers import (  # noqa: PLC0415 - it takes longer than most commands
        DuckDBCompiler,
        PySparkCompiler,
    )

    compiler = {"duckdb": DuckDBCompiler, "pyspark": PySparkCompiler}[dialect]()
    sql: str = compiler.to_sqlglot(compared(*tables())).sql(dialect=compiler.dialect)
    return sql


def _keyed(rows: Table, others: Table) -> Table:
    """Rows with a ``key``: their own effect where the other side names it, else their payment."""
    import ibis  # noqa: PLC0415 - it takes longer than most commands

    named = rows.semi_join(others, ["kind", "effect_id"])
    left = rows.anti_join(others, ["kind", "effect_id"])
    return ibis.union(named.mutate(key=named.effect_id), left.mutate(key=left.payment_id))


def _settled_by_key(rows: Table) -> Table:
    return rows.group_by("kind", "key", "currency").agg(
        new_lines=rows.is_new.sum(),
        line_no=rows.line_no.min(),
        settled_amount=rows.amount.sum(),
        settled_at=rows.settled_at.max(),
    )


def _booked_by_key(rows: Table) -> Table:
    return rows.group_by("kind", "key", "currency").agg(
        movement_no=rows.movement_no.min(),
        booked_amount=rows.amount.sum(),
        booked_at=rows.booked_at.max(),
    )
