-- $1 deliveries, $2 states, $3 reasons, $4 users, in parallel.
UPDATE deliveries AS d
SET state = n.state, reason = n.reason, user_id = n.user_id
FROM
    unnest($1::uuid[], $2::text[], $3::text[], $4::text[])
        AS n (delivery_id, state, reason, user_id)
WHERE d.delivery_id = n.delivery_id
