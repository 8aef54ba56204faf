-- $1 a ledger_entry each; see ledger_post in 0001_ledger.up.sql. Amounts are digits both ways,
-- which are sent several times as fast as numerics.
SELECT
    p.outcome,
    p.version,
    p.available::text,
    p.held::text,
    p.reserved::text
FROM (
    SELECT
        array_agg(e.user_id) AS user_ids,
        array_agg(e.currency) AS currencies,
        array_agg(e.debit) AS debits,
        array_agg(e.credit) AS credits,
        array_agg(e.amount::numeric) AS amounts,
        array_agg(e.kind) AS kinds,
        array_agg(e.source) AS sources,
        array_agg(e.key) AS keys,
        array_agg(e.request_hash) AS request_hashes,
        array_agg(e.event_at) AS times,
        array_agg(e.guarded) AS guards,
        array_agg(e.hold_id) AS holds,
        array_agg(e.hold_op) AS hold_ops
    FROM unnest($1::ledger_entry[]) AS e
) AS a
CROSS JOIN
    LATERAL ledger_post(
        a.user_ids,
        a.currencies,
        a.debits,
        a.credits,
        a.amounts,
        a.kinds,
        a.sources,
        a.keys,
        a.request_hashes,
        a.times, a.guards, a.holds, a.hold_ops
    ) AS p
ORDER BY p.member
