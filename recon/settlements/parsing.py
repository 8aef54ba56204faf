"""Records as text become lines, in one statement: kinds, amounts, times, and why one is none."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

from recon.clock import now
from recon.settlements.formats import FIELDS
from recon.settlements.model import PAYMENT_KINDS, SIGNS

if TYPE_CHECKING:
    from recon.settlements.formats import Layout

__all__ = ["insert_parsed", "instants_believed"]


def insert_parsed(layout: Layout, records: str) -> str:
    """SQL that adds records (a table of ``line_no`` and texts ``c0``, ``c1``, …) to ``parsed``.

    Its parameters are the zone of times that do not say theirs, and `instants_believed`.
    """
    fields = ", ".join(f"{layout.field_sql(name)} AS {name}" for name in FIELDS)
    source = f"SELECT line_no, {fields} FROM {records}"  # noqa: S608 - ours
    return _READ.format(source=source, **_AMOUNTS[layout.signed])


def instants_believed() -> tuple[datetime, datetime]:
    """From when to when a line may be."""
    return _BELIEVED_FROM, now() + _AHEAD


_PAYMENT_KINDS: Final = ", ".join(f"'{kind}'" for kind in PAYMENT_KINDS)
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

_BELIEVED_FROM: Final = datetime(2000, 1, 1, tzinfo=UTC)
_AHEAD: Final = timedelta(days=14)
"""A payout may be dated by the day on which it is expected."""

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
        THEN 'its time is not between the year 2000 and two weeks from now'
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
