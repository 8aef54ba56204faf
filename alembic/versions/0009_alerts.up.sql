-- One message to people; its id is the webhook-id by which receivers know a repeat.
CREATE TABLE alerts (
    alert_id uuid PRIMARY KEY,
    type text NOT NULL,
    -- The body of the webhook, as it is signed and sent.
    payload jsonb NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX alerts_type_idx ON alerts (type, created_at);

-- What was told, each once: a discrepancy's first, second, … time, a run, a gap in the schedule.
CREATE TABLE alert_subjects (
    kind text NOT NULL,
    subject text NOT NULL,
    generation integer NOT NULL,
    -- Null: it was looked at, and there was nothing to tell.
    -- Or the message is so old that it was forgotten.
    alert_id uuid REFERENCES alerts (alert_id) ON DELETE SET NULL DEFERRABLE INITIALLY DEFERRED,
    -- Why again, and how much was unexplained then.
    reason text,
    amount numeric(38, 0),
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, subject, generation)
);

CREATE INDEX alert_subjects_alert_idx ON alert_subjects (alert_id);

-- A message on its way through one channel.
CREATE TABLE alert_deliveries (
    alert_id uuid NOT NULL REFERENCES alerts (alert_id) ON DELETE CASCADE,
    channel text NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'sent', 'given_up')),
    attempts integer NOT NULL DEFAULT 0,
    next_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_error text,
    ended_at timestamptz,
    PRIMARY KEY (alert_id, channel),
    CONSTRAINT alert_deliveries_ended_check CHECK ((state = 'pending') = (ended_at IS NULL))
);

CREATE INDEX alert_deliveries_pending_idx ON alert_deliveries (channel, alert_id)
WHERE state = 'pending';

-- Where messages go, by its name in the settings. Whoever has the newest fence may send.
CREATE TABLE alert_channels (
    channel text PRIMARY KEY,
    -- The hash of where it leads: another address is a new beginning.
    target text NOT NULL,
    fence bigint NOT NULL DEFAULT 0,
    held_until timestamptz NOT NULL DEFAULT '-infinity',
    disabled_at timestamptz,
    disabled_reason text,
    CONSTRAINT alert_channels_disabled_check CHECK (
        (disabled_at IS NULL) = (disabled_reason IS NULL)
    )
);

-- The schedule of runs as it is in force, and since when: before that nothing was due.
CREATE TABLE alert_lanes (
    scope text PRIMARY KEY,
    every interval NOT NULL,
    since timestamptz NOT NULL DEFAULT clock_timestamp()
);
