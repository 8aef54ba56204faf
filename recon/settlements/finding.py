"""Turn what does not agree into findings, their cases, and what they explain of older ones.

In DuckDB, like the comparison: each function blocks and is called in a thread.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from recon.clock import new_id
from recon.money import Money
from recon.settlements.model import CASES, PAYMENT_KINDS, FindingKind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from uuid import UUID

    from recon.settlements.model import Account, Batch
    from recon.settlements.stage import Stage

__all__ = [
    "EXPLAINED",
    "TOLD_ANEW",
    "NewCase",
    "assign_cases",
    "find",
    "find_explained",
    "find_in_batches",
]

_CASES_OF_A_KIND: Final = 50
"""So many findings of a kind have each a case of its own; those beyond share one."""

_ALONE: Final = tuple(
    kind
    for kind in FindingKind
    if kind not in {FindingKind.REJECTED_LINE, FindingKind.DUPLICATE_LINE, FindingKind.UNKNOWN_TYPE}
)
"""Findings that somebody looks into one by one; of the others a file has one case each."""

_NAMES: Final = ", ".join(f"'{kind}'" for kind in _ALONE)
_PAYMENTS: Final = ", ".join(f"'{kind}'" for kind in PAYMENT_KINDS)


@dataclass(frozen=True, slots=True)
class NewCase:
    """A case that a file opens."""

    case_id: UUID
    kind: str
    reference: str | None
    user_id: str | None
    amount: Money | None
    reason: str


def find(stage: Stage, account: Account) -> None:
    """Fill ``findings``: what does not agree, lines twice there or unreadable, unknown types."""
    nobody = f"~{account.endpoint}"
    # A movement that is in no file stays one finding, however often it is looked for.
    stage.run("""
        DELETE FROM odd AS o USING open_findings AS f
        WHERE o.verdict = 'missing_there' AND f.kind = 'missing_there' AND f.about = o.kind
            AND f.payment_id = o.payment_id AND f.effect_id IS NOT DISTINCT FROM o.effect_id
    """)
    stage.run(
        """
        INSERT INTO findings BY NAME
        SELECT
            CASE WHEN o.holder IS NOT NULL AND NOT starts_with(o.holder, '~') THEN o.holder
                WHEN o.user_id IS NOT NULL AND o.holder IS NULL THEN o.user_id
                ELSE $1 END AS user_id,
            o.verdict AS kind,
            o.kind AS about,
            CASE WHEN NOT starts_with(o.payment_id, chr(31)) THEN o.payment_id END AS payment_id,
            o.effect_id,
            o.reference,
            o.line_no,
            o.settled_currency,
            o.settled_amount,
            o.booked_currency,
            CASE WHEN o.booked_currency IS NOT NULL THEN o.booked_amount END AS booked_amount,
            coalesce(o.settled_at, o.booked_at) AS settled_at,
            CASE o.verdict
                WHEN 'missing_here'
                THEN 'the PSP has settled this ' || replace(o.kind, '_', ' ')
                    || ', and it is not booked here'
                WHEN 'missing_there'
                THEN 'this ' || replace(o.kind, '_', ' ') || ' is booked here and in no file'
                WHEN 'status_conflict'
                THEN 'the PSP has settled this ' || replace(o.kind, '_', ' ')
                    || ', and here it failed'
                ELSE 'the PSP has settled ' || decimal_text(o.settled_amount, s.places) || ' '
                    || o.settled_currency || ', and ' || decimal_text(o.booked_amount, b.places)
                    || ' ' || o.booked_currency || ' is booked here'
            END
            || CASE WHEN starts_with(coalesce(o.holder, ''), '~')
                THEN '; it is in suspense' ELSE '' END
            || coalesce('; ' || o.told, '') AS detail
        FROM odd AS o
        LEFT JOIN currencies AS s ON o.settled_currency = s.code
        LEFT JOIN currencies AS b ON o.booked_currency = b.code
        """,
        [nobody],
    )
    stage.run(
        """
        INSERT INTO findings BY NAME
        SELECT
            $1 AS user_id, 'missing_here' AS kind, 'withdrawal' AS about, l.payment_id,
            l.effect_id, l.line_no, l.currency AS settled_currency, l.amount AS settled_amount,
            l.settled_at, 'the PSP has paid this out, it is in no batch, and withdrawal '
                || u.waiting || ' of as much waits to be told of' AS detail
        FROM unclaimed AS u JOIN lines AS l USING (line_no)
        """,
        [nobody],
    )
    stage.run(
        f"""
        INSERT INTO findings BY NAME
        SELECT
            $1 AS user_id, 'duplicate_line' AS kind, p.kind AS about, p.payment_id, p.effect_id,
            p.reference, p.line_no, p.currency AS settled_currency,
            CASE WHEN p.kind IN ({_PAYMENTS}) THEN p.amount ELSE p.net END AS settled_amount,
            p.settled_at, coalesce(
                d.otherwise, 'line ' || d.first_no || ' says the same; it is counted once'
            ) AS detail
        FROM set_apart AS d JOIN parsed AS p USING (line_no)
        WHERE d.fate = 'duplicate' OR d.otherwise IS NOT NULL
        """,  # noqa: S608 - our own words
        [nobody],
    )
    stage.run(
        "INSERT INTO findings BY NAME SELECT $1 AS user_id, 'rejected_line' AS kind, line_no,"
        " reason AS detail FROM rejected",
        [nobody],
    )
    stage.run(
        """
        INSERT INTO findings BY NAME
        SELECT
            $1 AS user_id, 'unknown_type' AS kind, 'other' AS about, min(line_no) AS line_no,
            net_currency AS settled_currency, sum(net) AS settled_amount,
            min(settled_at) AS settled_at,
            'lines of type ' || left(word, 64) || ', which is not known here: ' || count(*)
                AS detail
        FROM lines WHERE kind = 'other' GROUP BY word, net_currency
        """,
        [nobody],
    )


def find_in_batches(stage: Stage, account: Account, unbalanced: Sequence[Batch]) -> None:
    """Add batches that do not come to zero with their payout."""
    if not unbalanced:
        return
    stage.run(
        """
        INSERT INTO findings BY NAME
        SELECT
            $1 AS user_id, 'payout_mismatch' AS kind, 'payout' AS about, unnest($2) AS payment_id,
            unnest($3) AS settled_currency, unnest($4)::DECIMAL(38, 0) AS settled_amount,
            unnest($5) AS detail
        """,
        [
            f"~{account.endpoint}",
            [batch.batch for batch in unbalanced],
            [batch.difference.currency for batch in unbalanced],
            [str(batch.difference.minor) for batch in unbalanced],
            [_left_of(batch) for batch in unbalanced],
        ],
    )


def _left_of(batch: Batch) -> str:
    lines, payouts = batch.lines - batch.payouts, batch.payouts
    return (
        f"{lines} {'line of it comes' if lines == 1 else 'lines of it come'} to"
        f" {batch.net} {batch.net.currency}, {payouts} {'payout' if payouts == 1 else 'payouts'}"
        f" to {batch.paid}: {batch.difference} is left"
    )


def assign_cases(stage: Stage, file_id: UUID, name: str) -> list[NewCase]:
    """Give every finding a case: of its own, or one that it shares with the rest of its kind."""
    stage.run(
        f"""
        CREATE OR REPLACE TABLE numbered AS
        SELECT
            *,
            -- Ids of one import that go up with the lines, so that pages of findings do too.
            ($2 || printf('%012x', row_number() OVER (
                ORDER BY line_no NULLS LAST, kind, payment_id, effect_id
            )))::UUID AS finding_id,
            CASE WHEN kind IN ({_NAMES}) AND row_number() OVER (
                PARTITION BY kind ORDER BY line_no, payment_id, effect_id
            ) <= $1 THEN uuidv7() END AS own_case
        FROM findings
        """,  # noqa: S608 - our own words
        [_CASES_OF_A_KIND, new_id().hex[:20]],
    )
    stage.run("""
        CREATE OR REPLACE TABLE shared AS
        SELECT kind, uuidv7() AS case_id, count(*) AS findings, min(line_no) AS line_no
        FROM numbered WHERE own_case IS NULL GROUP BY kind
    """)
    stage.run("""
        CREATE OR REPLACE VIEW found AS
        SELECT n.*, coalesce(n.own_case, s.case_id) AS case_id
        FROM numbered AS n LEFT JOIN shared AS s ON n.kind = s.kind AND n.own_case IS NULL
    """)
    cases = [
        NewCase(
            case_id=case_id,
            kind=CASES[FindingKind(kind)],
            reference=reference,
            user_id=None if user_id.startswith("~") else user_id,
            amount=None if amount is None or currency is None else Money(int(amount), currency),
            reason=f"{detail} ({name}{f', line {line_no}' if line_no is not None else ''})",
        )
        for case_id, kind, reference, user_id, amount, currency, detail, line_no in stage.rows("""
            SELECT
                own_case, kind, coalesce(reference, payment_id), user_id,
                coalesce(settled_amount, booked_amount),
                coalesce(settled_currency, booked_currency), detail, line_no
            FROM numbered WHERE own_case IS NOT NULL ORDER BY own_case
        """)
    ]
    return cases + [
        NewCase(
            case_id=case_id,
            kind=CASES[FindingKind(kind)],
            reference=str(file_id),
            user_id=None,
            amount=None,
            reason=f"{findings} findings of kind {kind} in {name}"
            + (f", the first in line {line_no}" if line_no is not None else "")
            + f": recon settlements show {file_id}",
        )
        for kind, case_id, findings, line_no in stage.rows(
            "SELECT kind, case_id, findings, line_no FROM shared ORDER BY kind"
        )
    ]


EXPLAINED: Final = (
    "SELECT user_id, finding_id FROM spoken_of ANTI JOIN told_anew USING (finding_id)"
)
TOLD_ANEW: Final = "SELECT user_id, finding_id FROM told_anew"
"""Older findings that this file explains, and those that it says anew: see `find_explained`."""


def find_explained(stage: Stage) -> None:
    """Fill ``spoken_of`` with the older findings of which this file speaks."""
    # A payment that is missing may have several captures: another one of them explains nothing.
    stage.run("""
        CREATE OR REPLACE TABLE spoken_of AS
        SELECT f.* FROM open_findings AS f
        SEMI JOIN (SELECT kind, payment_id FROM settled WHERE is_new = 1) AS s
            ON f.about = s.kind AND f.payment_id = s.payment_id
        WHERE f.effect_id IS NULL OR f.effect_id = f.payment_id
            OR (f.about = 'deposit' AND f.kind <> 'missing_here')
        UNION
        SELECT f.* FROM open_findings AS f
        SEMI JOIN (SELECT kind, effect_id FROM settled WHERE is_new = 1) AS s
            ON f.about = s.kind AND f.effect_id = s.effect_id
    """)
    stage.run("""
        CREATE OR REPLACE TABLE told_anew AS
        SELECT DISTINCT f.user_id, f.finding_id FROM spoken_of AS f
        JOIN odd AS o ON o.kind = f.about AND o.payment_id = f.payment_id
    """)
