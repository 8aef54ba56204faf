-- $1 references, $2 states, $3 the PSP's payment ids, $4 when we had it (null: now), in parallel.
UPDATE payments AS p
SET
    state = r.state,
    payment_id = coalesce(p.payment_id, r.payment_id),
    reported_at = coalesce(p.reported_at, r.reported_at, clock_timestamp()),
    updated_at = clock_timestamp()
FROM
    unnest($1::text[], $2::text[], $3::text[], $4::timestamptz[])
        AS r (reference, state, payment_id, reported_at)
WHERE p.reference = r.reference
