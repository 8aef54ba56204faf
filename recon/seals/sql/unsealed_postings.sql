-- Postings, each with its idempotency row and what it did to a hold,
-- that no seal covers yet: $1 the instant from which on there may be such. Their frozen bytes are
-- also in compare_postings.sql; a column of one without the other makes every row "changed".
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
                    SELECT row(i.request_hash, i.currency, i.version) FROM public.idempotency AS i
                    WHERE i.user_id = p.user_id AND i.source = p.source AND i.key = p.key
                ),
                (
                    SELECT row(h.currency, h.account, h.amount, h.opened_at) FROM public.holds AS h
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
WHERE
    p.recorded_at >= $1
    AND NOT EXISTS (
        SELECT FROM public.seal_links AS l
        WHERE
            l.kind = 'posting'
            AND l.at >= $1
            AND l.row_key = jsonb_build_array(p.user_id, p.currency, p.version)::text
    )
