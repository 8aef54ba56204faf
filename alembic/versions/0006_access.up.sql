-- Keys of internal callers: only a hash is stored.
CREATE TABLE api_keys (
    key_id text PRIMARY KEY,
    name text NOT NULL,
    key_hash bytea NOT NULL,
    scopes text[] NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    expires_at timestamptz,
    revoked_at timestamptz,
    last_used_at timestamptz
);

CREATE UNIQUE INDEX api_keys_hash_idx ON api_keys (key_hash);

-- Stored answers to callers' POSTs, by caller and Idempotency-Key.
CREATE TABLE api_requests (
    principal text NOT NULL,
    idempotency_key text NOT NULL,
    request_hash bytea NOT NULL,
    token uuid NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    status smallint,
    content_type text,
    headers jsonb,
    body bytea,
    PRIMARY KEY (principal, idempotency_key)
);

CREATE INDEX api_requests_started_at_idx ON api_requests USING brin (started_at);

-- Finance staff and their sessions.
CREATE TABLE staff (
    name text PRIMARY KEY CHECK (name <> '' AND length(name) <= 128),
    role text NOT NULL CHECK (role IN ('viewer', 'analyst', 'approver', 'admin')),
    password_hash text,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    disabled_at timestamptz
);

CREATE TABLE sessions (
    session_hash bytea PRIMARY KEY,
    name text NOT NULL REFERENCES staff (name),
    csrf_token text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at timestamptz
);

CREATE INDEX sessions_name_idx ON sessions (name);

-- Tries to sign in that have not succeeded, to slow down guessing. A name that somebody types may
-- be a password in the wrong field, so only its hash is kept.
CREATE TABLE sign_in_attempts (
    attempt_id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    address text NOT NULL,
    name_hash bytea NOT NULL
);

CREATE INDEX sign_in_attempts_address_idx ON sign_in_attempts (address, at);
CREATE INDEX sign_in_attempts_name_idx ON sign_in_attempts (name_hash, at);
CREATE INDEX sign_in_attempts_at_idx ON sign_in_attempts (at);

-- A link that signs one person in once, soon.
CREATE TABLE sign_in_links (
    link_hash bytea PRIMARY KEY,
    name text NOT NULL REFERENCES staff (name),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

-- Who did what to which object, before and after.
CREATE TABLE audit (
    audit_id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    object text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}'
);

-- What was done to one object.
CREATE INDEX audit_object_idx ON audit (object, audit_id);

-- By this the sealer finds what is new.
CREATE INDEX audit_at_idx ON audit USING brin (at)
WITH (pages_per_range = 16, autosummarize = on);

CREATE TRIGGER audit_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
