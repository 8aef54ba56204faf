-- Postings, each with its idempotency row and what it did to a hold,
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
    WHERE kind = 'posting'
) AS l
FULL JOIN (
    SELECT
        jsonb_build_array(p.user_id, p.currency, p.version)::text AS row_key,
        p.recorded_at AS at,
        sha256(
            record_send(
                row(
                    p.user_id,
                    p.currency,
                    p.version,
                    p.debit,
                    p.credit,
                    p.amount,
                    p.kind,
                    p.source,
                    p.key,
                    p.hold_id,
                    p.event_at,
                    p.recorded_at,
                    p.available_after,
                    p.held_after,
                    p.reserved_after,
                    (
                        SELECT row(i.request_hash, i.currency, i.version)
                        FROM public.idempotency AS i
                        WHERE i.user_id = p.user_id AND i.source = p.source AND i.key = p.key
                    ),
                    (
                        SELECT row(h.currency, h.account, h.amount, h.opened_at)
                        FROM public.holds AS h
                        WHERE
                            h.user_id = p.user_id
                            AND h.hold_id = p.hold_id
                            AND h.version = p.version
                    ),
                    (
                        SELECT row(r.outcome, r.resolved_at) FROM public.hold_resolutions AS r
                        WHERE
                            r.user_id = p.user_id
                            AND r.hold_id = p.hold_id
                            AND r.version = p.version
                    )
                )
            )
        ) AS row_hash
    FROM public.postings AS p
) AS f ON l.row_key = f.row_key
WHERE l.row_hash IS DISTINCT FROM f.row_hash
