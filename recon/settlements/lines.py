"""A file's own lines: which are refused, repeated or new, and what they come to.

Each function blocks and is called in a thread, one after the other.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from recon.money import Money
from recon.settlements.errors import MerchantAccountError, NotReadableError
from recon.settlements.model import PAYMENT_KINDS, Batch, Format, LineKind, Total
from recon.settlements.periods import merged
from recon.settlements.records import MAX_REJECTED
from recon.settlements.stage import instant

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path
    from uuid import UUID

    from recon.settlements.formats import Layout
    from recon.settlements.model import Account
    from recon.settlements.periods import Period
    from recon.settlements.records import Rejected
    from recon.settlements.stage import Stage

__all__ = [
    "BATCHES",
    "REFERENCES",
    "Counts",
    "batch_of",
    "count",
    "kinds_of",
    "payouts",
    "prove_lines",
    "sort_lines",
    "spans_of",
    "totals",
    "write_lines",
]

_PAYMENTS: Final = ", ".join(f"'{kind}'" for kind in PAYMENT_KINDS)
_MOST_TOTALS: Final = 1000
_SILENCE: Final = timedelta(days=31)

REFERENCES: Final = f"""
    SELECT DISTINCT reference FROM lines WHERE payment_id IS NULL AND kind IN ({_PAYMENTS})
    UNION
    SELECT reference FROM earlier WHERE payment_id IS NULL AND reference IS NOT NULL
"""  # noqa: S608 - our own words
"""References of lines that name no id of the PSP's."""

_PAYOUTS: Final = """
    SELECT effect_id FROM lines WHERE kind = 'payout' AND effect_id IS NOT NULL
    UNION
    SELECT effect_id FROM earlier WHERE kind = 'payout' AND effect_id IS NOT NULL
"""

BATCHES: Final = """
    SELECT
        batch, net_currency, count(*),
        coalesce(sum(net) FILTER (WHERE kind <> 'payout'), 0),
        coalesce(sum(net) FILTER (WHERE kind = 'payout'), 0),
        count(*) FILTER (WHERE kind = 'payout')
    FROM lines WHERE batch IS NOT NULL
    GROUP BY batch, net_currency ORDER BY batch, net_currency
"""
"""What the file's new lines add to each batch; `batch_of` reads a row."""


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
    return merged(((instant(first), instant(last)) for first, last in days), _SILENCE)


def kinds_of(stage: Stage) -> list[str]:
    """The kinds of the file's lines, those among them that earlier files had."""
    return [row[0] for row in stage.rows("SELECT DISTINCT kind FROM parsed WHERE reason IS NULL")]


def sort_lines(stage: Stage) -> None:
    """Set apart what the file says twice, what an earlier one said, and what cannot be read.

    What remains is the view ``lines``.
    """
    stage.run("""
        CREATE OR REPLACE TABLE doubled AS
        SELECT line_key, min(line_no) AS first_no
        FROM parsed WHERE reason IS NULL GROUP BY line_key HAVING count(*) > 1
    """)
    stage.run("""
        CREATE OR REPLACE TABLE set_apart AS
        SELECT line_no, 'rejected' AS fate, NULL AS first_no, NULL AS otherwise
        FROM parsed WHERE reason IS NOT NULL
        UNION ALL
        SELECT
            p.line_no, 'duplicate', d.first_no,
            CASE WHEN p.says <> f.says
                THEN 'line ' || d.first_no
                    || ' has the same id and says otherwise; this one is not counted' END
        FROM parsed AS p
        JOIN doubled AS d USING (line_key)
        JOIN parsed AS f ON f.line_no = d.first_no
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


def payouts(layout: Layout) -> str | None:
    """A query of ids of payouts that may be a player's, where one word is said of both."""
    return _PAYOUTS if layout.format is Format.STRIPE else None


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


def batch_of(row: Sequence[Any]) -> Batch:
    """A row of `BATCHES`."""
    batch, currency, lines, net, paid, payouts = row
    return Batch(
        batch=batch,
        lines=lines,
        net=Money(int(net), currency),
        paid=Money(int(paid), currency),
        payouts=payouts,
    )


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
