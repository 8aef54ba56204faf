"""Payment by payment: what a PSP has settled against what is booked here, as one Ibis expression.

It knows two tables by their columns and no database. DuckDB runs it in this process; on a cluster
the same expression runs on Spark, over tables of these columns (docs/settlements.md shows how).
Importing Ibis takes longer than most commands: it is imported when a file is compared, not before.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from ibis.expr.types import IntegerColumn, Table

__all__ = ["BOOKED", "SETTLED", "compared", "compiled", "tables"]

SETTLED: Final = {
    "kind": "string",
    "payment_id": "string",
    "effect_id": "string",
    "reference": "string",
    "user_id": "string",
    "currency": "string",
    "amount": "decimal(38, 0)",
    "line_no": "int64",
    "settled_at": "timestamp",
    "is_new": "int64",
}
"""Lines that move a player's money. Those of earlier files stand beside a file's own (``is_new``
1), for what is settled in parts, and for what was settled before."""

BOOKED: Final = {
    "kind": "string",
    "payment_id": "string",
    "effect_id": "string",
    "user_id": "string",
    "currency": "string",
    "amount": "decimal(38, 0)",
    "booked_at": "timestamp",
}
"""Money that moved at the PSP as we have it; a deposit that failed after all is there twice, the
second time below zero. A deposit's own object (``effect_id``) is its payment or its capture."""


def tables() -> tuple[Table, Table]:
    """The two tables by name alone: ``settled`` and ``booked``."""
    import ibis  # noqa: PLC0415 - it takes longer than most commands

    return ibis.table(SETTLED, name="settled"), ibis.table(BOOKED, name="booked")


def compared(settled: Table, booked: Table) -> Table:
    """Every payment, refund, dispute and payout of either side once, with a verdict.

    Two rows are about the same thing where both name the same refund, dispute, capture or payout;
    what is left is compared payment by payment, so that one settled in parts, or known here by
    another id of its own, is compared as a whole.

    Args:
        settled: columns as in `SETTLED`.
        booked: columns as in `BOOKED`.

    Returns:
        One row each: ``kind``, ``payment_id``, ``effect_id``, ``reference``, ``user_id``,
        ``line_no``, ``new_lines``, ``settled_currency``, ``settled_amount``, ``settled_at``,
        ``booked_currency``, ``booked_amount``, ``booked_at``, ``holder`` and ``verdict``:
        ``matched``, ``missing_here``, ``missing_there``, ``currency_mismatch``,
        ``status_conflict`` or ``amount_mismatch``.
    """
    import ibis  # noqa: PLC0415 - it takes longer than most commands

    theirs = _grouped_settled(_keyed(settled, booked))
    ours = _grouped_booked(_keyed(booked, settled))
    both = theirs.outer_join(ours, ["kind", "key"], lname="", rname="our_{name}")
    here, there = both.movements.notnull(), both.lines.notnull()
    undone = here & (both.booked_amount == 0)
    verdict = ibis.cases(
        (~here & (both.settled_amount == 0), "matched"),
        (~here, "missing_here"),
        (~there & undone, "matched"),
        (~there, "missing_there"),
        (undone & (both.settled_amount > 0), "status_conflict"),
        (
            (both.settled_currency != both.booked_currency)
            | (both.settled_currency != both.other_currency),
            "currency_mismatch",
        ),
        (both.settled_amount != both.booked_amount, "amount_mismatch"),
        else_="matched",
    )
    return both.select(
        kind=both.kind.fill_null(both.our_kind),
        payment_id=both.payment_id.fill_null(both.our_payment_id),
        effect_id=both.effect_id.fill_null(both.our_effect_id),
        reference=both.reference,
        user_id=both.user_id,
        line_no=both.line_no,
        new_lines=both.new_lines.fill_null(0),
        settled_currency=both.settled_currency,
        settled_amount=both.settled_amount,
        settled_at=both.settled_at,
        booked_currency=both.booked_currency,
        booked_amount=both.booked_amount,
        booked_at=both.booked_at,
        holder=both.holder,
        verdict=verdict,
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
    named = (
        others.filter(others.effect_id.notnull())
        .select("kind", "effect_id")
        .distinct()
        .rename(named_kind="kind", named_effect="effect_id")
    )
    joined = rows.left_join(
        named, [rows.kind == named.named_kind, rows.effect_id == named.named_effect]
    )
    return joined.mutate(key=joined.named_effect.fill_null(joined.payment_id))


def _grouped_settled(rows: Table) -> Table:
    new: IntegerColumn = rows.is_new
    return rows.group_by("kind", "key").agg(
        lines=rows.count(),
        new_lines=new.sum(),
        line_no=rows.line_no.min(where=new == 1),
        payment_id=rows.payment_id.min(),
        effect_id=rows.effect_id.min(),
        reference=rows.reference.min(),
        user_id=rows.user_id.min(),
        settled_currency=rows.currency.min(),
        other_currency=rows.currency.max(),
        settled_amount=rows.amount.sum(),
        settled_at=rows.settled_at.max(),
    )


def _grouped_booked(rows: Table) -> Table:
    return rows.group_by("kind", "key").agg(
        movements=rows.count(),
        payment_id=rows.payment_id.min(),
        effect_id=rows.effect_id.min(),
        holder=rows.user_id.min(),
        booked_currency=rows.currency.min(),
        booked_amount=rows.amount.sum(),
        booked_at=rows.booked_at.max(),
    )
