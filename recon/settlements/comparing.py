"""Compare a staged file with what is booked: every step over whole tables, in DuckDB.

Each function blocks and is called in a thread, one after the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from recon.settlements.matching import compiled
from recon.settlements.model import FAMILIES, PAYMENT_KINDS
from recon.settlements.stage import instant, micros

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from recon.settlements.periods import Period
    from recon.settlements.stage import Stage

__all__ = [
    "ODD_PAYMENTS",
    "ODD_REFERENCES",
    "SOUGHT",
    "booked_before",
    "compare",
    "drop_doubled",
    "find_unclaimed",
    "ids_before",
    "view_settled",
]

_PAYMENTS: Final = ", ".join(f"'{kind}'" for kind in PAYMENT_KINDS)

_SOUGHT: Final = """
    SELECT payment_id AS id FROM odd
    WHERE verdict = 'missing_here' AND NOT starts_with(payment_id, chr(31))
    UNION
    SELECT effect_id FROM odd WHERE verdict = 'missing_here' AND effect_id IS NOT NULL
"""

SOUGHT: Final = "SELECT id FROM sought"
"""Ids under which the PSP has settled something that was not found among what is booked."""

ODD_PAYMENTS: Final = """
    SELECT id FROM sought UNION SELECT payment_id FROM odd WHERE verdict = 'status_conflict'
"""
ODD_REFERENCES: Final = """
    SELECT DISTINCT reference FROM odd
    WHERE reference IS NOT NULL AND verdict IN ('missing_here', 'status_conflict')
"""
"""What whoever may know more of a payment is asked by."""


def view_settled(stage: Stage) -> None:
    """The expression's two tables, as views over what was loaded."""
    # What a PSP pays to a player is a payout to it like those to us. Whose it is may have been
    # known to nobody when an earlier file told of it.
    for table in ("parsed", "earlier"):
        stage.run(f"""
            UPDATE {table}
            SET
                kind = CASE WHEN amount < 0 THEN 'withdrawal_returned' ELSE 'withdrawal' END,
                amount = abs(amount)
            WHERE kind = 'payout' AND effect_id IN (
                SELECT effect_id FROM moved WHERE kind LIKE 'withdrawal%'
                UNION ALL
                SELECT payment_id FROM known WHERE kind LIKE 'withdrawal%'
            )
        """)  # noqa: S608 - our own words
    stage.run("""
        CREATE OR REPLACE TABLE also_known AS
        SELECT also_known_as, min(payment_id) AS payment_id
        FROM moved WHERE also_known_as IS NOT NULL GROUP BY also_known_as
    """)
    stage.run("""
        CREATE OR REPLACE TABLE of_reference AS
        SELECT reference, min(payment_id) AS payment_id FROM reported GROUP BY reference
    """)
    stage.run(f"""
        CREATE OR REPLACE VIEW settled AS
        SELECT
            l.kind,
            coalesce(a.payment_id, l.payment_id, r.payment_id, chr(31) || l.reference)
                AS payment_id,
            l.effect_id, l.currency, l.amount, l.line_no, l.settled_at, 1::BIGINT AS is_new
        FROM lines AS l
        LEFT JOIN also_known AS a ON l.payment_id = a.also_known_as
        LEFT JOIN of_reference AS r ON l.payment_id IS NULL AND l.reference = r.reference
        WHERE l.kind IN ({_PAYMENTS})
        UNION ALL
        SELECT
            e.kind, coalesce(a.payment_id, e.payment_id, r.payment_id, chr(31) || e.reference),
            e.effect_id, e.currency, e.amount,
            NULL, make_timestamp((e.settled_at * 1000000)::BIGINT), 0
        FROM earlier AS e
        LEFT JOIN also_known AS a ON e.payment_id = a.also_known_as
        LEFT JOIN of_reference AS r ON e.payment_id IS NULL AND e.reference = r.reference
        WHERE e.kind IN ({_PAYMENTS})
    """)  # noqa: S608 - our own words
    # What left suspense is one movement in two rows: the second says whose it is.
    stage.run("""
        CREATE OR REPLACE VIEW booked AS
        SELECT
            m.kind, m.payment_id, m.effect_id, m.currency, m.amount, m.rowid AS movement_no,
            m.booked_at
        FROM moved AS m
        ANTI JOIN (SELECT effect_id, effect FROM moved WHERE effect LIKE '%:released') AS r
            ON m.effect_id = r.effect_id AND m.effect || ':released' = r.effect
    """)


def drop_doubled(stage: Stage) -> None:
    """What was looked up by an id may have been read before, or by another id of its own."""
    stage.run("""
        DELETE FROM moved AS m USING (
            SELECT effect_id, effect, min(rowid) AS first
            FROM moved GROUP BY effect_id, effect HAVING count(*) > 1
        ) AS d
        WHERE m.effect_id = d.effect_id AND m.effect = d.effect AND m.rowid <> d.first
    """)


def compare(stage: Stage, asked: Mapping[str, Sequence[Period]]) -> None:
    """Run the expression; ``odd`` is what is not booked just as it was settled, with its ids.

    ``sought`` are the ids under which the PSP has settled what is not among what was loaded.

    What is booked and in no file counts only where it is ``asked`` of the times and the family of
    its kind.

    """
    due = " OR ".join(
        f"kind = '{kind}' AND epoch_us(booked_at) BETWEEN {micros(begin)} AND {micros(end)}"
        for family, periods in asked.items()
        for kind in FAMILIES[family]
        for begin, end in periods
    )
    stage.run(f"""
        CREATE OR REPLACE TABLE found_odd AS
        SELECT * FROM ({compiled("duckdb")})
        WHERE CASE
            WHEN verdict = 'missing_there' THEN {due or "false"}
            ELSE new_lines > 0
        END
    """)  # noqa: S608 - our own words and numbers
    stage.run("""
        CREATE OR REPLACE TABLE odd AS
        SELECT
            o.*, coalesce(s.payment_id, m.payment_id) AS payment_id,
            coalesce(l.effect_id, m.effect_id) AS effect_id, l.reference, l.user_id,
            m.user_id AS holder, NULL::VARCHAR AS told
        FROM found_odd AS o
        LEFT JOIN parsed AS l ON o.line_no = l.line_no
        LEFT JOIN (
            SELECT line_no, payment_id FROM settled SEMI JOIN found_odd USING (line_no)
        ) AS s ON o.line_no = s.line_no
        LEFT JOIN moved AS m ON o.movement_no = m.rowid
    """)
    stage.run(f"CREATE OR REPLACE TABLE sought AS {_SOUGHT}")


def find_unclaimed(stage: Stage) -> None:
    """Payouts that are in no batch, while a withdrawal of as much waits to be told of.

    Nothing says that the one is the other; somebody is to look.
    """
    stage.run("""
        CREATE OR REPLACE TABLE unclaimed AS
        SELECT l.line_no, string_agg(u.reference, ', ' ORDER BY u.reference) AS waiting
        FROM lines AS l
        JOIN (
            SELECT *, row_number() OVER (PARTITION BY currency, amount ORDER BY reference) AS place
            FROM unpaid
        ) AS u ON l.currency = u.currency AND l.amount = u.amount AND u.place <= 3
        WHERE l.kind = 'payout' AND l.amount > 0
            AND l.batch NOT IN (
                SELECT batch FROM lines WHERE kind <> 'payout' AND batch IS NOT NULL
            )
        GROUP BY l.line_no
    """)


def ids_before(begin: datetime) -> str:
    """A query of every id of what was booked before the times that were read."""
    before = f"FROM moved WHERE epoch_us(booked_at) < {micros(begin)}"
    return (
        f"SELECT payment_id {before} UNION SELECT effect_id {before}"
        f" UNION SELECT also_known_as {before} AND also_known_as IS NOT NULL"
    )


def booked_before(stage: Stage, begin: datetime) -> list[Period]:
    """When what was booked before the times that were read was booked, by days."""
    days = stage.rows(
        "SELECT epoch_us(min(booked_at)), epoch_us(max(booked_at)) FROM moved"  # noqa: S608 - ours
        f" WHERE epoch_us(booked_at) < {micros(begin)} GROUP BY booked_at::DATE"
    )
    return [(instant(first), instant(last)) for first, last in days]
