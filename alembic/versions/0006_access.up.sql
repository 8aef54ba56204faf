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
) WITH (fillfactor = 50); -- room for the answer beside the question

CREATE INDEX api_requests_started_at_idx ON api_requests USING brin (started_at);

-- A request as it begins; the token is of whoever runs it.
CREATE TYPE api_claim AS (
    principal text,
    idempotency_key text,
    request_hash bytea,
    token uuid
);

-- What it is answered; without a status nothing definitive came of it, and the next attempt runs
-- anew. Headers are a JSON document.
CREATE TYPE api_answer AS (
    principal text,
    idempotency_key text,
    token uuid,
    status smallint,
    content_type text,
    headers text,
    body bytea
);

-- Begin requests, no name twice among them, in the order of their names. Says of each whether it is
-- the caller's to run; null where there is none. A row that is there already is not locked, lest
-- whoever writes its answer waits: only an attempt that has been unanswered for p_dead_after, which
-- counts as dead, is taken over.
CREATE FUNCTION requests_begin(p_claims api_claim[], p_dead_after interval)
RETURNS boolean[]
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
DECLARE
    begun uuid[];
BEGIN
    WITH written AS (
        INSERT INTO api_requests (principal, idempotency_key, request_hash, token)
        SELECT c.principal, c.idempotency_key, c.request_hash, c.token
        FROM unnest(p_claims) AS c
        WHERE c.token IS NOT NULL
        ON CONFLICT (principal, idempotency_key) DO NOTHING
        RETURNING token
    )

    SELECT coalesce(array_agg(w.token), '{}') INTO begun FROM written AS w;

    IF cardinality(begun) < cardinality(p_claims) THEN
        WITH taken AS (
            UPDATE api_requests AS r
            SET token = c.token, started_at = clock_timestamp()
            FROM unnest(p_claims) AS c
            WHERE r.principal = c.principal
                AND r.idempotency_key = c.idempotency_key
                AND r.token <> c.token
                AND r.status IS NULL
                AND r.request_hash = c.request_hash
                AND r.started_at < clock_timestamp() - p_dead_after
            RETURNING r.token
        )

        SELECT begun || coalesce(array_agg(t.token), '{}') INTO begun FROM taken AS t;
    END IF;

    RETURN (
        SELECT array_agg(CASE WHEN c.token IS NOT NULL THEN c.token = ANY (begun) END ORDER BY c.ord)
        FROM unnest(p_claims) WITH ORDINALITY
            AS c (principal, idempotency_key, request_hash, token, ord)
    );
END
$$;

-- Store answers, in the order of their names: those that p_wanted does not say no to.
CREATE FUNCTION requests_finish(p_answers api_answer[], p_wanted boolean[])
RETURNS void
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
AS $$
BEGIN
    UPDATE api_requests AS r
    SET
        status = a.status, content_type = a.content_type, headers = a.headers::jsonb, body = a.body
    FROM ROWS FROM (unnest(p_answers), unnest(p_wanted)) AS a (
        principal, idempotency_key, token, status, content_type, headers, body, wanted
    )
    WHERE r.principal = a.principal
        AND r.idempotency_key = a.idempotency_key
        AND r.token = a.token
        AND a.status IS NOT NULL
        AND a.wanted IS NOT false;

    IF EXISTS (SELECT FROM unnest(p_answers) AS a WHERE a.token IS NOT NULL AND a.status IS NULL) THEN
        DELETE FROM api_requests AS r
        USING ROWS FROM (unnest(p_answers), unnest(p_wanted)) AS a (
            principal, idempotency_key, token, status, content_type, headers, body, wanted
        )
        WHERE r.principal = a.principal
            AND r.idempotency_key = a.idempotency_key
            AND r.token = a.token
            AND r.status IS NULL
            AND a.status IS NULL
            AND a.wanted IS NOT false;
    END IF;
END
$$;

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
    browser_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    last_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    revoked_at timestamptz
);

CREATE INDEX sessions_name_idx ON sessions (name);

-- By what a browser keeps of a session it is known again, for as long as the row is kept.
CREATE INDEX sessions_browser_idx ON sessions (browser_hash);

-- Tries to sign in that have not succeeded, to slow down guessing. A name that somebody types may
-- be a password in the wrong field, so only its hash is kept. The place is a network's address, or
-- the hash of a browser in which the owner of the name has signed in before.
CREATE TABLE sign_in_attempts (
    attempt_id uuid PRIMARY KEY,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    place text NOT NULL,
    name_hash bytea NOT NULL
);

CREATE INDEX sign_in_attempts_place_idx ON sign_in_attempts (place, at);
CREATE INDEX sign_in_attempts_name_idx ON sign_in_attempts (name_hash, at);
CREATE INDEX sign_in_attempts_at_idx ON sign_in_attempts (at);

-- A link that signs one person in once, soon.
CREATE TABLE sign_in_links (
    link_hash bytea PRIMARY KEY,
    name text NOT NULL REFERENCES staff (name),
    expires_at timestamptz NOT NULL,
    used_at timestamptz
);

-- Who of the staff a subject at an OIDC provider is, from their first sign-in by it on: what the
-- provider calls them may change hands, its subject does not.
CREATE TABLE staff_identities (
    issuer text NOT NULL,
    subject text NOT NULL,
    name text NOT NULL REFERENCES staff (name),
    linked_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (issuer, subject)
);

CREATE UNIQUE INDEX staff_identities_name_idx ON staff_identities (name, issuer);

-- Sign-ins that were sent to the provider and are not back. Each comes back once.
CREATE TABLE oidc_starts (
    start_hash bytea PRIMARY KEY,
    wanted text NOT NULL,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

CREATE INDEX oidc_starts_started_at_idx ON oidc_starts (started_at);

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
