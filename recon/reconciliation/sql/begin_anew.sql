-- $1 run, $2 users and $3 currencies in parallel: it has seen that these agree. Where another run
-- suspects one of them, its difference has not stood: it begins anew, and a look that is under way
-- decides nothing. One that is being decided on at this moment is left out.
UPDATE suspects AS s
SET since = clock_timestamp(), due_at = clock_timestamp(), looks = s.looks + 1
FROM (
    SELECT
        o.user_id,
        o.currency,
        o.run_id
    FROM unnest($2::text[], $3::text[]) AS a (user_id, currency)
    INNER JOIN suspects AS o ON a.user_id = o.user_id AND a.currency = o.currency
    WHERE o.run_id <> $1
    FOR UPDATE OF o SKIP LOCKED
) AS t
WHERE s.user_id = t.user_id AND s.currency = t.currency AND s.run_id = t.run_id
