-- What a PSP is about to report, registered by the operator's own systems before it happens.
CREATE TABLE payments (
    reference text PRIMARY KEY CHECK (reference <> '' AND length(reference) <= 128),
    endpoint text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('deposit', 'withdrawal')),
    user_id text NOT NULL,
    currency text NOT NULL REFERENCES currencies (code),
    amount numeric(38, 0) NOT NULL CHECK (amount > 0),
    state text NOT NULL CHECK (
        state IN ('registered', 'pending', 'accepted', 'succeeded', 'paid', 'failed', 'returned')
    ),
    -- The PSP's own id, once it has reported.
    payment_id text,
    -- The reservation of a withdrawal in the ledger.
    hold_id uuid,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reported_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it was found that no PSP has reported it in time, and that a withdrawal which the PSP
    -- has taken on stays unpaid; each is found once for ever.
    overdue_at timestamptz,
    unpaid_at timestamptz
);

CREATE INDEX payments_user_idx ON payments (user_id, currency, registered_at);
-- Payments whose outcome no PSP has told yet.
CREATE INDEX payments_open_idx ON payments (user_id, currency)
WHERE state IN ('registered', 'pending', 'accepted');
CREATE INDEX payments_recent_idx ON payments (updated_at)
WHERE state IN ('registered', 'pending', 'accepted');
CREATE INDEX payments_payment_id_idx ON payments (payment_id, endpoint)
WHERE payment_id IS NOT NULL;
-- What may be found to be overdue: it leaves its index when it is, so that what was abandoned long
-- ago is not looked at again.
CREATE INDEX payments_unreported_idx ON payments (registered_at)
WHERE state = 'registered' AND overdue_at IS NULL;
CREATE INDEX payments_unpaid_idx ON payments (reported_at)
WHERE direction = 'withdrawal' AND state IN ('pending', 'accepted') AND unpaid_at IS NULL;

-- Payments named by (endpoint, reference) or (endpoint, the PSP's id), in parallel (null: not so
-- named); with p_lock, locked in key order. Planned once a session, and whatever the table's size
-- was then: see ledger_post; and intake_look_up for the fences. Its columns are named: as rows of
-- the table, a call that is under way while a later version adds one would fail.
CREATE FUNCTION payments_find(
    p_endpoint text[], p_reference text[], p_payment_id text[], p_lock boolean
)
RETURNS TABLE (
    reference text, endpoint text, direction text, user_id text, currency text, amount numeric,
    state text, payment_id text, hold_id uuid, registered_at timestamptz,
    reported_at timestamptz, updated_at timestamptz
)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_indexonlyscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
DECLARE
    named text[];
BEGIN
    SELECT array_agg(k.reference ORDER BY k.reference)
    INTO named
    FROM (
        SELECT f.reference
        FROM unnest(p_endpoint, p_reference) AS a (endpoint, reference)
        CROSS JOIN LATERAL (
            SELECT p.reference FROM payments AS p
            WHERE p.reference = a.reference AND p.endpoint || '' = a.endpoint
            OFFSET 0
        ) AS f
        UNION
        SELECT f.reference
        FROM unnest(p_endpoint, p_payment_id) AS a (endpoint, payment_id)
        CROSS JOIN LATERAL (
            SELECT p.reference FROM payments AS p
            WHERE p.payment_id = a.payment_id AND p.endpoint || '' = a.endpoint
            OFFSET 0
        ) AS f
    ) AS k;

    IF p_lock THEN
        RETURN QUERY
        SELECT
            l.reference, l.endpoint, l.direction, l.user_id, l.currency, l.amount, l.state,
            l.payment_id, l.hold_id, l.registered_at, l.reported_at, l.updated_at
        FROM unnest(named) AS k (reference)
        CROSS JOIN LATERAL (
            SELECT p.* FROM payments AS p
            WHERE p.reference = k.reference
            FOR NO KEY UPDATE
        ) AS l;
    ELSE
        RETURN QUERY
        SELECT
            p.reference, p.endpoint, p.direction, p.user_id, p.currency, p.amount, p.state,
            p.payment_id, p.hold_id, p.registered_at, p.reported_at, p.updated_at
        FROM unnest(named) AS k (reference)
        CROSS JOIN LATERAL (
            SELECT p.* FROM payments AS p WHERE p.reference = k.reference OFFSET 0
        ) AS p;
    END IF;
END
$$;

-- What a PSP has said of payments, which are locked by payments_find.
--   p_reported_at: when we had it (null: now).
CREATE FUNCTION payments_report(
    p_reference text[], p_state text[], p_payment_id text[], p_reported_at timestamptz[]
)
RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
BEGIN
    UPDATE payments AS p
    SET
        state = r.state,
        payment_id = coalesce(p.payment_id, r.payment_id),
        reported_at = coalesce(p.reported_at, r.reported_at, clock_timestamp()),
        updated_at = clock_timestamp()
    FROM unnest(p_reference, p_state, p_payment_id, p_reported_at)
        AS r (reference, state, payment_id, reported_at)
    WHERE p.reference = r.reference;
END
$$;
