-- The inbox: every authentic delivery with its bytes and what became of it.
CREATE TABLE deliveries (
    endpoint text NOT NULL,
    event_id text NOT NULL,
    delivery_id uuid NOT NULL,
    provider text NOT NULL,
    received_at timestamptz NOT NULL,
    body bytea,
    body_sha256 bytea NOT NULL,
    -- What must be the same when the event id comes again: the body, or the signed fields where a
    -- provider signs an item anew for each attempt.
    content_sha256 bytea NOT NULL,
    headers jsonb NOT NULL,
    verified_by text NOT NULL,
    event_type text NOT NULL,
    -- The movement in the field's words (deposit.succeeded); null where the type moves no money.
    kind text,
    payment_id text,
    effect_id text,
    reference text,
    user_id text,
    currency text,
    amount numeric(38, 0),
    event_at timestamptz,
    state text NOT NULL CHECK (
        state IN ('booked', 'repeated', 'ignored', 'waiting', 'suspended', 'quarantined')
    ),
    reason text,
    -- When it was found to wait for too long; it is found once for ever.
    waited_at timestamptz,
    PRIMARY KEY (endpoint, event_id)
) WITH (fillfactor = 95);

CREATE UNIQUE INDEX deliveries_delivery_id_idx ON deliveries (delivery_id);
CREATE INDEX deliveries_unbooked_user_idx ON deliveries (user_id)
WHERE state IN ('waiting', 'suspended', 'quarantined');
-- What moved nothing and names a player: `recon erase` has no other way to it.
CREATE INDEX deliveries_unmoved_user_idx ON deliveries (user_id)
WHERE state IN ('ignored', 'repeated') AND user_id IS NOT NULL;
CREATE INDEX deliveries_unbooked_reference_idx ON deliveries (reference)
WHERE state IN ('waiting', 'suspended', 'quarantined');
-- The inbox's pages of what is not plainly booked.
CREATE INDEX deliveries_state_idx ON deliveries (state, delivery_id)
WHERE state <> 'booked';
-- What may be found to wait for too long: it leaves its index when it is.
CREATE INDEX deliveries_waiting_idx ON deliveries (received_at)
WHERE state = 'waiting' AND waited_at IS NULL;
CREATE INDEX deliveries_reference_idx ON deliveries (reference, endpoint)
WHERE reference IS NOT NULL;
-- What a PSP said of one payment; also finds what waits for its payment to be known.
CREATE INDEX deliveries_payment_idx ON deliveries (payment_id, endpoint);
-- What an older secret has verified: whether it is still in use is one look-up.
CREATE INDEX deliveries_old_key_idx ON deliveries (endpoint, verified_by, delivery_id)
WHERE verified_by LIKE 'key:%' AND verified_by NOT LIKE 'key:0:%';

-- A delivery that came again. Other bytes under the same event id are an alarm, and are kept.
CREATE TABLE delivery_repeats (
    endpoint text NOT NULL,
    event_id text NOT NULL,
    repeat_id uuid NOT NULL,
    received_at timestamptz NOT NULL,
    body_sha256 bytea NOT NULL,
    same_bytes boolean NOT NULL,
    body bytea,
    PRIMARY KEY (endpoint, event_id, repeat_id)
);

-- By this the sealer finds what is new.
CREATE INDEX delivery_repeats_received_at_idx ON delivery_repeats USING brin (received_at)
WITH (pages_per_range = 16, autosummarize = on);

-- Only other bytes are kept: few, and none of them for ever.
CREATE INDEX delivery_repeats_body_idx ON delivery_repeats (repeat_id) WHERE body IS NOT NULL;

-- How far payloads were redacted, and those on the way that had to stay: what has been dealt with
-- is not looked at again.
CREATE TABLE redaction (
    only_row boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    done_until uuid NOT NULL
);
INSERT INTO redaction (done_until) VALUES ('00000000-0000-0000-0000-000000000000');

CREATE TABLE redaction_left (delivery_id uuid PRIMARY KEY);

-- What money has moved at the PSP, once for ever: two events about one movement are one row.
CREATE TABLE movements (
    endpoint text NOT NULL,
    object_id text NOT NULL,
    effect text NOT NULL,
    delivery_id uuid NOT NULL,
    payment_id text NOT NULL,
    -- Another id of the payment at the PSP, by which a refund or a dispute may name it.
    also_known_as text,
    user_id text NOT NULL,
    currency text NOT NULL,
    amount numeric(38, 0) NOT NULL,
    event_at timestamptz NOT NULL,
    PRIMARY KEY (endpoint, object_id, effect)
);

-- What moved in a settlement file's period: read in the order of writing, almost free to keep.
CREATE INDEX movements_event_at_idx ON movements USING brin (event_at)
WITH (pages_per_range = 16, autosummarize = on);
-- A deposit's own object is its payment, which the primary key finds.
CREATE INDEX movements_payment_idx ON movements (payment_id, endpoint)
WHERE payment_id <> object_id;
CREATE INDEX movements_also_known_as_idx ON movements (also_known_as, endpoint)
WHERE also_known_as IS NOT NULL;

-- What people must look at that is not a difference between two balances.
CREATE TABLE cases (
    case_id uuid PRIMARY KEY,
    kind text NOT NULL,
    endpoint text,
    delivery_id uuid,
    reference text,
    user_id text,
    currency text,
    amount numeric(38, 0),
    reason text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'closed')),
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    -- Who closed it and why; a case that its delivery closed by finding its place says neither.
    closed_by text,
    closed_reason text
);

-- Pages of cases, newest first.
CREATE INDEX cases_state_idx ON cases (state, case_id);
CREATE INDEX cases_kind_idx ON cases (kind, state, case_id);
CREATE INDEX cases_open_kind_idx ON cases (kind, opened_at) WHERE state = 'open';
CREATE INDEX cases_delivery_idx ON cases (delivery_id) WHERE delivery_id IS NOT NULL;
CREATE INDEX cases_reference_idx ON cases (reference) WHERE reference IS NOT NULL;

-- A payment that was overdue is reported after all: its case closes in the commit that says so,
-- whatever wrote it.
CREATE FUNCTION close_overdue_cases() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE cases
    SET
        state = 'closed',
        closed_at = clock_timestamp(),
        closed_by = 'psp:' || new.endpoint,
        closed_reason = 'it was reported after all: ' || new.state
    WHERE
        reference = new.reference
        AND state = 'open'
        AND (
            kind = 'payment_overdue'
            OR (kind = 'withdrawal_overdue' AND new.state NOT IN ('pending', 'accepted'))
        );
    RETURN NULL;
END
$$;

CREATE TRIGGER payments_close_overdue_cases AFTER UPDATE OF state ON payments
FOR EACH ROW
WHEN (
    (old.overdue_at IS NOT NULL OR old.unpaid_at IS NOT NULL)
    AND new.state IS DISTINCT FROM old.state
)
EXECUTE FUNCTION close_overdue_cases();

-- A payment is not overdue while a case tells of its report, which could not be booked. When that
-- case closes and the payment is still registered, it is looked at again, see
-- recon/payments/sql/open_unreported.sql.
CREATE FUNCTION look_for_overdue_again() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE payments AS p
    SET overdue_at = NULL
    FROM deliveries AS d
    WHERE
        d.delivery_id = new.delivery_id
        AND p.reference = d.reference
        AND p.endpoint = d.endpoint
        AND p.state = 'registered';
    RETURN NULL;
END
$$;

CREATE TRIGGER cases_look_for_overdue_again AFTER UPDATE OF state ON cases
FOR EACH ROW
WHEN (old.state = 'open' AND new.state = 'closed' AND new.delivery_id IS NOT NULL)
EXECUTE FUNCTION look_for_overdue_again();

-- How far the events that a PSP's own API lists were compared with the inbox.
CREATE TABLE backfills (
    endpoint text PRIMARY KEY,
    -- Whatever happened before this was listed, and what was missed was taken in; null: nothing.
    listed_until timestamptz,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    completed_at timestamptz,
    failed_at timestamptz,
    failure text,
    events bigint NOT NULL DEFAULT 0,
    -- Who lists now, and until when nobody else does; one that was killed is waited for no longer.
    held_by uuid,
    held_until timestamptz NOT NULL DEFAULT '-infinity'
);

CREATE TRIGGER movements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON movements
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER delivery_repeats_append_only
BEFORE UPDATE OF endpoint, event_id, repeat_id, received_at, body_sha256, same_bytes
OR DELETE OR TRUNCATE ON delivery_repeats
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A payload may go, and none may come in its place. Costs nothing where it is not written.
CREATE FUNCTION refuse_payload() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'a payload of % may go, and none comes in its place', tg_table_name
    USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER delivery_repeats_redaction BEFORE UPDATE OF body ON delivery_repeats
FOR EACH ROW WHEN (new.body IS NOT NULL) EXECUTE FUNCTION refuse_payload();
CREATE TRIGGER deliveries_redaction BEFORE UPDATE OF body ON deliveries
FOR EACH ROW WHEN (new.body IS NOT NULL) EXECUTE FUNCTION refuse_payload();

-- What the intake must know before it decides, in one call: it waits for its locks (p_keys, in
-- ascending order, held until the transaction ends) and reads after that, so that each read sees
-- what was committed meanwhile.
--   p_endpoint, p_event_id: of the deliveries that have come.
--   p_named_endpoint, p_name: every id of a payment, refund, dispute or payout that they tell.
--   kept: which of the deliveries are there already, by their place, with the id and the hash.
--   moved: something has moved under one of these names. sleeping: a delivery waits for one.
--   registered: a payment may be registered under one of them.
-- Planned once a session, and whatever the tables' size was then: see ledger_post.
CREATE FUNCTION intake_look_up(
    p_keys bigint[], p_endpoint text[], p_event_id text[], p_named_endpoint text[], p_name text[],
    OUT kept bigint[], OUT kept_delivery uuid[], OUT kept_content bytea[], OUT moved boolean,
    OUT sleeping boolean, OUT registered boolean
)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_indexonlyscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
BEGIN
    -- As in ledger_post: nobody who was cut off holds these locks for ever. One player or payment
    -- that somebody holds is not to hold up all who came with it for longer than they can try again
    -- each by itself; and nobody waits whose client has gone.
    PERFORM
        set_config('idle_in_transaction_session_timeout', '10s', true),
        set_config('lock_timeout', '2s', true),
        set_config('client_connection_check_interval', '1s', true),
        CASE current_setting('synchronous_commit')
            WHEN 'off' THEN set_config('synchronous_commit', 'on', true)
        END;
    PERFORM pg_advisory_xact_lock(k.key) FROM unnest(p_keys) AS k (key);

    -- Lateral, with a fence: a row is looked for by each name, never the other way round. An endpoint
    -- that goes with an id is kept from the planner (|| ''): most rows share it, and in an empty
    -- table any index that begins with it looks as good as the right one.
    SELECT array_agg(a.place), array_agg(f.delivery_id), array_agg(f.content_sha256)
    INTO kept, kept_delivery, kept_content
    FROM unnest(p_endpoint, p_event_id) WITH ORDINALITY AS a (endpoint, event_id, place)
    CROSS JOIN LATERAL (
        SELECT d.delivery_id, d.content_sha256
        FROM deliveries AS d
        WHERE d.endpoint = a.endpoint AND d.event_id = a.event_id
        OFFSET 0
    ) AS f;

    SELECT EXISTS (
        SELECT FROM unnest(p_named_endpoint, p_name) AS a (endpoint, name)
        CROSS JOIN LATERAL (
            SELECT FROM movements AS m
            WHERE m.endpoint = a.endpoint AND m.object_id = a.name
            OFFSET 0
        ) AS f
    ) OR EXISTS (
        SELECT FROM unnest(p_named_endpoint, p_name) AS a (endpoint, name)
        CROSS JOIN LATERAL (
            SELECT FROM movements AS m
            WHERE m.payment_id = a.name AND m.endpoint || '' = a.endpoint
                AND m.payment_id <> m.object_id
            OFFSET 0
        ) AS f
    ) OR EXISTS (
        SELECT FROM unnest(p_named_endpoint, p_name) AS a (endpoint, name)
        CROSS JOIN LATERAL (
            SELECT FROM movements AS m
            WHERE m.also_known_as = a.name AND m.endpoint || '' = a.endpoint
            OFFSET 0
        ) AS f
    ), EXISTS (
        SELECT FROM unnest(p_named_endpoint, p_name) AS a (endpoint, name)
        CROSS JOIN LATERAL (
            -- Its state is looked at outside the fence: the index of states has every delivery that
            -- is not booked.
            SELECT d.state, d.kind FROM deliveries AS d
            WHERE d.payment_id = a.name AND d.endpoint || '' = a.endpoint
            OFFSET 0
        ) AS f
        WHERE f.state IN ('waiting', 'suspended')
            OR (f.state = 'ignored' AND f.kind = 'deposit.failed')
    ), EXISTS (
        SELECT FROM unnest(p_named_endpoint, p_name) AS a (endpoint, name)
        CROSS JOIN LATERAL (
            SELECT FROM payments AS p
            WHERE p.reference = a.name AND p.endpoint || '' = a.endpoint
            OFFSET 0
        ) AS f
    ) OR EXISTS (
        SELECT FROM unnest(p_named_endpoint, p_name) AS a (endpoint, name)
        CROSS JOIN LATERAL (
            SELECT FROM payments AS p
            WHERE p.payment_id = a.name AND p.endpoint || '' = a.endpoint
            OFFSET 0
        ) AS f
    )
    INTO moved, sleeping, registered;
END
$$;

-- Every movement of the payments and objects named in parallel (null: none), by named columns, as
-- payments_find has them; see recon/webhooks/sql/find_movements.sql.
CREATE FUNCTION intake_movements(p_endpoint text[], p_payment_id text[], p_object_id text[])
RETURNS TABLE (
    endpoint text, object_id text, effect text, delivery_id uuid, payment_id text,
    also_known_as text, user_id text, currency text, amount numeric, event_at timestamptz
)
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_indexonlyscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
BEGIN
    RETURN QUERY
    WITH known AS (
        SELECT a.endpoint, a.payment_id
        FROM unnest(p_endpoint, p_payment_id) AS a (endpoint, payment_id)
        WHERE a.payment_id IS NOT NULL
        UNION
        SELECT f.endpoint, f.payment_id
        FROM unnest(p_endpoint, p_payment_id) AS a (endpoint, payment_id)
        CROSS JOIN LATERAL (
            SELECT m.endpoint, m.payment_id FROM movements AS m
            WHERE m.also_known_as = a.payment_id AND m.endpoint || '' = a.endpoint
            OFFSET 0
        ) AS f
    )

    SELECT
        f.endpoint, f.object_id, f.effect, f.delivery_id, f.payment_id, f.also_known_as,
        f.user_id, f.currency, f.amount, f.event_at
    FROM known AS k
    CROSS JOIN LATERAL (
        SELECT m.* FROM movements AS m
        WHERE m.endpoint = k.endpoint AND m.object_id = k.payment_id
            AND m.payment_id = m.object_id
        OFFSET 0
    ) AS f
    UNION
    SELECT
        f.endpoint, f.object_id, f.effect, f.delivery_id, f.payment_id, f.also_known_as,
        f.user_id, f.currency, f.amount, f.event_at
    FROM known AS k
    CROSS JOIN LATERAL (
        SELECT m.* FROM movements AS m
        WHERE m.payment_id = k.payment_id AND m.endpoint || '' = k.endpoint
            AND m.payment_id <> m.object_id
        OFFSET 0
    ) AS f
    UNION
    SELECT
        f.endpoint, f.object_id, f.effect, f.delivery_id, f.payment_id, f.also_known_as,
        f.user_id, f.currency, f.amount, f.event_at
    FROM unnest(p_endpoint, p_object_id) AS a (endpoint, object_id)
    CROSS JOIN LATERAL (
        SELECT m.* FROM movements AS m
        WHERE m.endpoint = a.endpoint AND m.object_id = a.object_id
        OFFSET 0
    ) AS f;
END
$$;

-- What the intake writes, a row at a time: a client sends an array of rows several times as fast as
-- an array for each column. Amounts are digits, headers a JSON document.
CREATE TYPE intake_delivery AS (
    delivery_id uuid,
    endpoint text,
    event_id text,
    provider text,
    received_at timestamptz,
    body bytea,
    body_sha256 bytea,
    content_sha256 bytea,
    headers text,
    verified_by text,
    event_type text,
    kind text,
    payment_id text,
    effect_id text,
    reference text,
    user_id text,
    currency text,
    amount text,
    event_at timestamptz,
    state text,
    reason text
);

CREATE TYPE intake_movement AS (
    endpoint text,
    object_id text,
    effect text,
    delivery_id uuid,
    payment_id text,
    also_known_as text,
    user_id text,
    currency text,
    amount text,
    event_at timestamptz
);

-- What a batch has decided, written together: a row each; p_reference, p_state, p_payment_id and
-- p_reported_at as payments_report takes them. Says what became of each entry. A delivery or a
-- movement that is there already is an error: whoever calls holds their locks and has looked.
CREATE FUNCTION intake_write(
    p_entries ledger_entry[], p_deliveries intake_delivery[], p_movements intake_movement[],
    p_reference text[], p_state text[], p_payment_id text[], p_reported_at timestamptz[]
)
RETURNS text[]
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    posted text[];
BEGIN
    SELECT array_agg(p.outcome ORDER BY p.member) INTO posted FROM ledger_post(p_entries) AS p;

    IF cardinality(p_reference) > 0 THEN
        PERFORM payments_report(p_reference, p_state, p_payment_id, p_reported_at);
    END IF;

    INSERT INTO deliveries (
        delivery_id, endpoint, event_id, provider, received_at, body, body_sha256,
        content_sha256, headers, verified_by, event_type, kind, payment_id, effect_id,
        reference, user_id, currency, amount, event_at, state, reason
    )
    SELECT
        d.delivery_id, d.endpoint, d.event_id, d.provider, d.received_at, d.body, d.body_sha256,
        d.content_sha256, d.headers::jsonb, d.verified_by, d.event_type, d.kind, d.payment_id,
        d.effect_id, d.reference, d.user_id, d.currency, d.amount::numeric, d.event_at, d.state,
        d.reason
    FROM unnest(p_deliveries) AS d;

    INSERT INTO movements (
        endpoint, object_id, effect, delivery_id, payment_id, also_known_as, user_id, currency,
        amount, event_at
    )
    SELECT
        m.endpoint, m.object_id, m.effect, m.delivery_id, m.payment_id, m.also_known_as, m.user_id,
        m.currency, m.amount::numeric, m.event_at
    FROM unnest(p_movements) AS m;

    RETURN posted;
END
$$;

-- A whole commit in one call, for deliveries that were decided about before, on the understanding
-- that nothing is known of what they speak of but the registered payments p_known_*, which are in
-- the order of their references. It waits for the locks and looks: false says that more is known,
-- and that nothing was written. Arguments as of intake_look_up, payments_find and intake_write.
CREATE FUNCTION intake_take(
    p_keys bigint[], p_endpoint text[], p_event_id text[], p_named_endpoint text[], p_name text[],
    p_about_endpoint text[], p_about_reference text[], p_about_payment_id text[],
    p_known_reference text[], p_known_state text[], p_known_payment_id text[],
    p_entries ledger_entry[], p_deliveries intake_delivery[], p_movements intake_movement[],
    p_reference text[], p_state text[], p_payment_id text[], p_reported_at timestamptz[]
)
RETURNS boolean
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
AS $$
DECLARE
    about record;
    posted text[];
    v_reference text[] := '{}';
    v_state text[] := '{}';
    v_payment_id text[] := '{}';
BEGIN
    -- Where a database or a role has another default, all of it would see what was there before the
    -- locks were.
    IF current_setting('transaction_isolation') <> 'read committed' THEN
        RETURN false;
    END IF;
    about := intake_look_up(p_keys, p_endpoint, p_event_id, p_named_endpoint, p_name);
    IF about.kept IS NOT NULL OR about.moved OR about.sleeping THEN
        RETURN false;
    END IF;
    IF about.registered THEN
        SELECT
            coalesce(array_agg(f.reference ORDER BY f.reference COLLATE "C"), '{}'),
            coalesce(array_agg(f.state ORDER BY f.reference COLLATE "C"), '{}'),
            coalesce(array_agg(f.payment_id ORDER BY f.reference COLLATE "C"), '{}')
        INTO v_reference, v_state, v_payment_id
        FROM payments_find(p_about_endpoint, p_about_reference, p_about_payment_id, true) AS f;
    END IF;
    IF v_reference <> p_known_reference OR v_state <> p_known_state
        OR v_payment_id IS DISTINCT FROM p_known_payment_id THEN
        RETURN false;
    END IF;

    posted := intake_write(
        p_entries, p_deliveries, p_movements, p_reference, p_state, p_payment_id, p_reported_at
    );
    -- Which of them it is, is found out by deciding about them under the locks.
    IF NOT posted <@ ARRAY['posted', 'repeated'] THEN
        RAISE EXCEPTION 'the ledger refuses a delivery' USING ERRCODE = 'RC001';
    END IF;
    RETURN true;
END
$$;
