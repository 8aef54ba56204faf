"""The tables of an import's stage, and the functions of its SQL.

Money is ``DECIMAL(38, 0)`` in minor units, read from its digits; nothing passes through a float.
"""

from __future__ import annotations

from typing import Final

__all__ = ["BESIDE", "MACROS", "MOVED", "TABLES", "TAKE_MOVED"]

MOVED: Final = {
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

TAKE_MOVED: Final = """
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

BESIDE: Final = (*("earlier", "moved", "reported", "known", "unpaid", "open_findings", "findings"),)
"""Those that are filled beside the file's own lines."""

_AMOUNT: Final = r"-?[0-9]{1,20}(\.[0-9]{1,18})?"
_ZONED: Final = r".*[0-9] ?(Z|[+-][0-9]{2}:?[0-9]{2})"
_STAMP: Final = (
    r"[0-9]{4}[-/][0-9]{1,2}[-/][0-9]{1,2}"
    r"([T ][0-9]{1,2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)? ?(Z|[+-][0-9]{2}:?[0-9]{2})?)?"
)
"""What else DuckDB takes for a time: `infinity`, `epoch`, and names of zones that it forgets."""

MACROS: Final = f"""
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

TABLES: Final = """
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
