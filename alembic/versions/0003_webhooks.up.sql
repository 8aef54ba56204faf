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
    PRIMARY KEY (endpoint, event_id)
) WITH (fillfactor = 95);

CREATE UNIQUE INDEX deliveries_delivery_id_idx ON deliveries (delivery_id);
CREATE INDEX deliveries_unbooked_user_idx ON deliveries (user_id)
WHERE state IN ('waiting', 'suspended', 'quarantined');
CREATE INDEX deliveries_unbooked_reference_idx ON deliveries (reference)
WHERE state IN ('waiting', 'suspended', 'quarantined');
-- The inbox's pages of what is not plainly booked.
CREATE INDEX deliveries_state_idx ON deliveries (state, delivery_id)
WHERE state <> 'booked';
CREATE INDEX deliveries_reference_idx ON deliveries (endpoint, reference)
WHERE reference IS NOT NULL;
-- What a PSP said of one payment; also finds what waits for its payment to be known.
CREATE INDEX deliveries_payment_idx ON deliveries (endpoint, payment_id);

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

CREATE INDEX movements_payment_idx ON movements (endpoint, payment_id);
CREATE INDEX movements_also_known_as_idx ON movements (endpoint, also_known_as)
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
    closed_at timestamptz
);

CREATE INDEX cases_open_idx ON cases (case_id) WHERE state = 'open';
CREATE INDEX cases_delivery_idx ON cases (delivery_id) WHERE delivery_id IS NOT NULL;

CREATE TRIGGER movements_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON movements
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER delivery_repeats_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON delivery_repeats
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
