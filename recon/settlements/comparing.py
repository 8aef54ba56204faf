"""Compare a staged file with what is booked: every step over whole tables, in DuckDB.

Each function blocks and is called in a thread, one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from recon.money import Money
from recon.settlements.errors import MerchantAccountError, NotReadableError
from recon.settlements.matching import compiled
from recon.settlements.model import FAMILIES, PAYMENT_KINDS, Batch, Format, LineKind, Total
from recon.settlements.periods import merged
from recon.settlements.records import MAX_REJECTED

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path
    from uuid import UUID

    from recon.settlements.formats import Layout
    from recon.settlements.model import Account
    from recon.settlements.periods import Period
    from recon.settlements.records import Rejected
    from recon.settlements.stage import Stage

__all__ = [
    "Counts",
    "attribute",
    "batches",
    "booked_before",
    "compare",
    "count",
    "drop_doubled",
    "find_unclaimed",
    "kinds_of",
    "payouts",
    "prove_lines",
    "references",
    "sort_lines",
    "spans_of",
    "totals",
    "view_settled",
    "write_lines",
]

_PAYMENTS: Final = ", ".join(f"'{kind}'" for kind in PAYMENT_KINDS)
_MOST_TOTALS: Final = 1000
_SILENCE: Final = timedelta(days=31)
_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND: Final = timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Counts:
    """How many lines a file has, and what they are."""

    lines: int
    new: int
    repeated: int
    duplicate: int
    rejected: int


def prove_lines(stage: Stage, rejected: Sequence[Rejected], account: Account) -> None:
    """Refuse a file that is of another account, or of which too much cannot be read.

    Raises:
        MerchantAccountError: a line is of another merchant account than the endpoint's.
        NotReadableError: too many lines cannot be read, or none can.
    """
    for one in rejected:
        stage.run("INSERT INTO rejected VALUES ($1, $2)", [one.line_no, one.reason])
    odd = stage.rows("SELECT line_no, reason FROM parsed WHERE reason IS NOT NULL LIMIT 1001")
    if len(odd) + len(rejected) > MAX_REJECTED:
        shown = "; ".join(f"line {number}: {reason}" for number, reason in sorted(odd)[:3])
        raise NotReadableError(
            f"more than {MAX_REJECTED} lines cannot be read, so nothing was imported. {shown}"
        )
    stage.run("INSERT INTO rejected SELECT line_no, reason FROM parsed WHERE reason IS NOT NULL")
    if stage.one("SELECT count(*) FROM parsed WHERE reason IS NULL") == 0:
        first = stage.rows("SELECT line_no, reason FROM rejected ORDER BY line_no LIMIT 1")
        why = f"line {first[0][0]}: {first[0][1]}" if first else "it has a header and nothing else"
        raise NotReadableError(f"no line of the file can be used. {why}")
    if account.merchant_account is None:
        return
    others = stage.rows(
        "SELECT min(line_no), account FROM parsed WHERE account <> $1 GROUP BY account ORDER BY 1"
        " LIMIT 1",
        [account.merchant_account],
    )
    if others:
        number, name = others[0]
        raise MerchantAccountError(
            f"line {number} is of merchant account {name[:64]}, and endpoint {account.endpoint} is"
            f" {account.merchant_account}; nothing was imported"
        )


def spans_of(stage: Stage) -> list[Period]:
    """The times of which the file speaks: where it has no line for a month, it says nothing."""
    days = stage.rows(
        "SELECT epoch_us(min(settled_at)), epoch_us(max(settled_at)) FROM parsed"
        " WHERE reason IS NULL GROUP BY settled_at::DATE"
    )
    return merged(((_instant(first), _instant(last)) for first, last in days), _SILENCE)


def kinds_of(stage: Stage) -> list[str]:
    """The kinds of the file's lines, those among them that earlier files had."""
    return [row[0] for row in stage.rows("SELECT DISTINCT kind FROM parsed WHERE reason IS NULL")]


def sort_lines(stage: Stage) -> None:
    """Set apart what the file says twice, what an earlier one said, and what cannot be read.

    What remains is the view ``lines``.
    """
    stage.run("""
        CREATE OR REPLACE TABLE doubled AS
        SELECT line_key, min(line_no) AS first_no, arg_min(says, line_no) AS first_says
        FROM parsed WHERE reason IS NULL GROUP BY line_key HAVING count(*) > 1
    """)
    stage.run("""
        CREATE OR REPLACE TABLE set_apart AS
        SELECT line_no, 'rejected' AS fate, NULL AS first_no, NULL AS otherwise
        FROM parsed WHERE reason IS NOT NULL
        UNION ALL
        SELECT
            p.line_no, 'duplicate', d.first_no,
            CASE WHEN p.says <> d.first_says
                THEN 'line ' || d.first_no
                    || ' has the same id and says otherwise; this one is not counted' END
        FROM parsed AS p JOIN doubled AS d USING (line_key)
        WHERE p.reason IS NULL AND p.line_no <> d.first_no
        UNION ALL
        SELECT
            p.line_no, 'repeated', NULL,
            CASE WHEN abs(p.amount) <> abs(e.amount) OR p.currency <> e.currency
                THEN 'an earlier file has this line with ' || decimal_text(abs(e.amount), c.places)
                    || ' ' || e.currency || '; this one is not counted' END
        FROM parsed AS p
        JOIN (
            SELECT line_key, any_value(amount) AS amount, any_value(currency) AS currency
            FROM earlier GROUP BY line_key
        ) AS e USING (line_key)
        LEFT JOIN currencies AS c ON e.currency = c.code
        ANTI JOIN (
            SELECT q.line_no FROM parsed AS q JOIN doubled AS d USING (line_key)
            WHERE q.line_no <> d.first_no
        ) AS twice USING (line_no)
        WHERE p.reason IS NULL
    """)
    stage.run("""
        CREATE OR REPLACE VIEW lines AS SELECT * FROM parsed ANTI JOIN set_apart USING (line_no)
    """)


def count(stage: Stage) -> Counts:
    """How many there are of each."""
    apart = {
        fate: int(lines)
        for fate, lines in stage.rows("SELECT fate, count(*) FROM set_apart GROUP BY fate")
    }
    rejected = stage.one("SELECT count(*) FROM rejected")
    new = stage.one("SELECT count(*) FROM lines")
    repeated, duplicate = apart.get("repeated", 0), apart.get("duplicate", 0)
    return Counts(new + repeated + duplicate + rejected, new, repeated, duplicate, rejected)


def references(stage: Stage) -> list[str]:
    """References of lines that name no id of the PSP's."""
    return [
        row[0]
        for row in stage.rows(
            "SELECT DISTINCT reference FROM lines WHERE payment_id IS NULL"  # noqa: S608 - our own words
            f" AND kind IN ({_PAYMENTS})"
            " UNION SELECT reference FROM earlier"
            " WHERE payment_id IS NULL AND reference IS NOT NULL"
        )
    ]


def payouts(stage: Stage, *, layout: Layout) -> list[str]:
    """Ids of payouts that may be a player's, where one word is said of both."""
    if layout.format is not Format.STRIPE:
        return []
    return [
        row[0]
        for row in stage.rows(
            "SELECT effect_id FROM lines WHERE kind = 'payout' AND effect_id IS NOT NULL"
            " UNION SELECT effect_id FROM earlier WHERE kind = 'payout' AND effect_id IS NOT NULL"
        )
    ]


def write_lines(stage: Stage, file_id: UUID, path: Path) -> None:
    """Write the new lines as CSV, as they are kept."""
    stage.write(
        f"""
        SELECT
            '{file_id}', l.line_no, l.line_key, l.kind, coalesce(l.payment_id, r.payment_id),
            l.effect_id,
            CASE WHEN coalesce(l.payment_id, r.payment_id) IS NULL THEN l.reference END,
            l.currency, l.amount, l.settled_at::VARCHAR || 'Z'
        FROM lines AS l
        LEFT JOIN of_reference AS r ON l.payment_id IS NULL AND l.reference = r.reference
        """,  # noqa: S608 - an id of our own
        path,
    )


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


def compare(stage: Stage, asked: Mapping[str, Sequence[Period]]) -> list[str]:
    """Run the expression; ``odd`` is what is not booked just as it was settled, with its ids.

    What is booked and in no file counts only where it is ``asked`` of the times and the family of
    its kind.

    Returns:
        Ids under which the PSP has settled something that was not found among what is booked.
    """
    due = " OR ".join(
        f"kind = '{kind}' AND epoch_us(booked_at) BETWEEN {_micros(begin)} AND {_micros(end)}"
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
    return [
        row[0]
        for row in stage.rows("""
            SELECT payment_id FROM odd
            WHERE verdict = 'missing_here' AND NOT starts_with(payment_id, chr(31))
            UNION
            SELECT effect_id FROM odd WHERE verdict = 'missing_here' AND effect_id IS NOT NULL
        """)
    ]


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


def booked_before(stage: Stage, begin: datetime) -> tuple[list[str], list[Period]]:
    """Every id of what was booked before the times that were read, and when it was."""
    before = f"FROM moved WHERE epoch_us(booked_at) < {_micros(begin)}"
    ids = stage.rows(
        f"SELECT payment_id {before} UNION SELECT effect_id {before}"
        f" UNION SELECT also_known_as {before} AND also_known_as IS NOT NULL"
    )
    days = stage.rows(
        f"SELECT epoch_us(min(booked_at)), epoch_us(max(booked_at)) {before}"
        " GROUP BY booked_at::DATE"
    )
    return [row[0] for row in ids], [(_instant(first), _instant(last)) for first, last in days]


def attribute(stage: Stage, *, never_says_paid: bool) -> None:
    """Say of what is missing here whose it is and what we know of it, by ``known``.

    A withdrawal that was accepted, at a PSP that never says that one is paid, is no finding: the
    file is how it says so.
    """
    stage.run("""
        CREATE OR REPLACE TABLE told_of AS
        SELECT kind, payment_id, effect_id, unnest(told)
        FROM (
        SELECT
            o.kind, o.payment_id, o.effect_id,
            -- Of one of them everything: a payment's own id says more than a reference of ours.
            arg_min(
                {
                    'user_id': k.user_id, 'reference': k.reference, 'detail': k.detail,
                    'direction': k.direction, 'state': k.state, 'amount': k.amount,
                    'currency': k.currency
                },
                {'a': k.direction = 'delivery', 'b': o.is_ours, 'c': k.reference, 'd': k.detail}
            ) AS told
        FROM (
            SELECT *, payment_id AS id, false AS is_ours FROM odd
            UNION ALL
            SELECT *, chr(31) || reference, true FROM odd
            WHERE reference IS NOT NULL AND payment_id <> chr(31) || reference
        ) AS o
        JOIN (
            SELECT payment_id AS id, * FROM known WHERE payment_id IS NOT NULL
            UNION ALL
            SELECT chr(31) || reference, * FROM known WHERE reference IS NOT NULL
        ) AS k ON k.id = o.id
        WHERE o.verdict IN ('missing_here', 'status_conflict')
        GROUP BY o.kind, o.payment_id, o.effect_id
        )
    """)
    if never_says_paid:
        stage.run("""
            DELETE FROM odd AS o USING told_of AS t
            WHERE o.kind = t.kind AND o.payment_id = t.payment_id
                AND o.verdict = 'missing_here' AND o.kind = 'withdrawal'
                AND t.direction = 'withdrawal' AND t.state IN ('pending', 'accepted')
                AND t.amount = o.settled_amount AND t.currency = o.settled_currency
        """)
    stage.run("""
        UPDATE odd AS o
        SET
            holder = coalesce(o.holder, t.user_id),
            reference = coalesce(t.reference, o.reference),
            told = t.detail,
            verdict = CASE
                WHEN t.direction IN ('deposit', 'withdrawal')
                    AND t.state IN ('failed', 'returned') AND o.kind = t.direction
                THEN 'status_conflict'
                ELSE o.verdict
            END
        FROM told_of AS t
        WHERE o.kind = t.kind AND o.payment_id = t.payment_id
            AND o.effect_id IS NOT DISTINCT FROM t.effect_id
            AND o.verdict IN ('missing_here', 'status_conflict')
    """)


def batches(stage: Stage) -> list[Batch]:
    """What the file's new lines add to each batch."""
    return [
        Batch(
            batch=batch,
            lines=lines,
            net=Money(int(net), currency),
            paid=Money(int(paid), currency),
            payouts=payouts,
        )
        for batch, currency, lines, net, paid, payouts in stage.rows("""
            SELECT
                batch, net_currency, count(*),
                coalesce(sum(net) FILTER (WHERE kind <> 'payout'), 0),
                coalesce(sum(net) FILTER (WHERE kind = 'payout'), 0),
                count(*) FILTER (WHERE kind = 'payout')
            FROM lines WHERE batch IS NOT NULL
            GROUP BY batch, net_currency ORDER BY batch, net_currency
        """)
    ]


def totals(stage: Stage) -> list[Total]:
    """Sums over the file's new lines.

    Raises:
        NotReadableError: there are too many types for a settlement file.
    """
    rows = stage.rows(
        """
        SELECT
            kind, word, CASE WHEN kind IN ('fee', 'payout', 'transfer') THEN NULL ELSE currency END,
            count(*), sum(coalesce(amount, 0)), net_currency, sum(net), sum(fee)
        FROM lines GROUP BY ALL ORDER BY 1, 2, 3, 6 LIMIT $1
        """,
        [_MOST_TOTALS + 1],
    )
    if len(rows) > _MOST_TOTALS:
        raise NotReadableError(f"it has more than {_MOST_TOTALS} types; is this a settlement file?")
    return [
        Total(
            kind=LineKind(kind),
            word=word,
            currency=currency,
            lines=lines,
            gross=int(gross) if currency is not None else 0,
            net_currency=net_currency,
            net=int(net),
            fee=int(fee),
        )
        for kind, word, currency, lines, gross, net_currency, net, fee in rows
    ]


def _micros(instant: datetime) -> int:
    return (instant - _EPOCH) // _MICROSECOND


def _instant(micros: Any) -> datetime:  # noqa: ANN401 - a number of DuckDB's
    return _EPOCH + int(micros) * _MICROSECOND
