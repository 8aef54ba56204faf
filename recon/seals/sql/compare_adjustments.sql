-- Adjustments as they were proposed,
-- that are not what was sealed, and those that no seal covers: $1 the instant before which such a
-- row was not there in time, null where nothing is certain yet.
SELECT
    l.seq,
    coalesce(l.row_key, f.row_key) AS row_key,
    coalesce(f.at, l.at) AS at,
    CASE
        WHEN f.row_key IS NULL THEN 'missing'
        WHEN l.row_hash <> f.row_hash THEN 'changed'
        WHEN l.seq IS NULL AND f.at < $1 THEN 'inserted'
        ELSE 'unsealed'
    END AS finding
FROM (
    SELECT
        seq,
        row_key,
        at,
        row_hash
    FROM public.seal_links
    WHERE kind = 'adjustment'
) AS l
FULL JOIN (
    SELECT
        jsonb_build_array(j.user_id, j.adjustment_id)::text AS row_key,
        j.proposed_at AS at,
        sha256(
            record_send(
                row(
                    j.user_id,
                    j.adjustment_id,
                    j.discrepancy_id,
                    j.currency,
                    j.amount,
                    j.reason,
                    j.ledger_version,
                    j.available_difference,
                    j.ledger_available,
                    j.game_available,
                    j.proposed_by,
                    j.proposed_at
                )
            )
        ) AS row_hash
    FROM public.adjustments AS j
) AS f ON l.row_key = f.row_key
WHERE l.row_hash IS DISTINCT FROM f.row_hash
