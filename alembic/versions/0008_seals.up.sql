-- Every row that may never change, once it is committed: a dense sequence over all of them, with
-- the hash of the row's frozen bytes. Written by the sealer, off every hot path; see recon/seals.
CREATE TABLE seal_links (
    seq bigint PRIMARY KEY CHECK (seq > 0),
    kind text NOT NULL CHECK (
        kind IN (
            'posting', 'movement', 'delivery', 'repeat', 'event', 'adjustment', 'decision',
            'ruling', 'ruling_decision', 'audit'
        )
    ),
    -- The row's own key, as a JSON array.
    row_key text NOT NULL,
    -- What the row itself says of its time; by it the sealer finds what it has linked already.
    at timestamptz NOT NULL,
    row_hash bytea NOT NULL
);

CREATE INDEX seal_links_at_idx ON seal_links USING brin (at)
WITH (pages_per_range = 16, autosummarize = on);

-- A seal covers the links from first_seq to last_seq, and by `previous` every seal before it.
CREATE TABLE seals (
    number bigint PRIMARY KEY CHECK (number > 0),
    first_seq bigint NOT NULL,
    -- One below first_seq: nothing new was there, and the seal says so.
    last_seq bigint NOT NULL,
    root bytea NOT NULL,
    -- Eight bytes of each link's own hash: by them the link that was changed is found.
    leaves bytea NOT NULL,
    previous bytea NOT NULL,
    sealed_at timestamptz NOT NULL,
    -- Whatever was committed before this instant is linked; null while the first pass is under way.
    covers_until timestamptz,
    -- No transaction that began before this instant is still to commit.
    settled_before timestamptz,
    -- A row that says it is older than this and has no link was not there in time.
    certain_before timestamptz,
    -- No transaction with a number from here on had begun at covers_until.
    xid_ceiling bigint,
    hash bytea NOT NULL,
    -- Which key signed it; null: none.
    key_id text,
    signature bytea,
    CONSTRAINT seals_range_check CHECK (first_seq > 0 AND last_seq >= first_seq - 1),
    CONSTRAINT seals_signed_check CHECK ((key_id IS NULL) = (signature IS NULL))
);

-- How far the sealer has come, whoever it is, whether or not there was anything to seal: one row.
CREATE TABLE sealing (
    is_all boolean PRIMARY KEY DEFAULT true CHECK (is_all),
    -- Whatever was committed before this instant was looked at by a pass that ended well.
    covers_until timestamptz NOT NULL
);

-- What the service found when it verified the books and their past by itself; one at a time.
CREATE TABLE verifications (
    verification_id uuid PRIMARY KEY,
    state text NOT NULL DEFAULT 'running' CHECK (
        state IN ('running', 'holds', 'faulty', 'failed')
    ),
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    -- What does not hold: check, player, currency, and what was found.
    faults jsonb NOT NULL DEFAULT '[]',
    -- Why it could not be made.
    reason text,
    CONSTRAINT verifications_finished_check CHECK ((state = 'running') = (finished_at IS NULL))
);

CREATE UNIQUE INDEX verifications_running_idx ON verifications (state) WHERE state = 'running';
CREATE INDEX verifications_started_at_idx ON verifications (started_at);

CREATE TRIGGER seal_links_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seal_links
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER seals_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON seals
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
