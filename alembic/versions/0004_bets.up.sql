-- A bet from its intent to its outcome. The bytes and the keys are fixed before the first call, so
-- that every attempt sends the same; only a cash-out that was refused for good gets a new key,
-- because the next one is another intent.
CREATE TABLE bets (
    user_id text NOT NULL,
    bet_id uuid NOT NULL,
    -- The caller's name for this intent: a bet asked for twice is one bet.
    caller_key text NOT NULL,
    round_id text NOT NULL,
    currency text NOT NULL REFERENCES currencies (code),
    amount numeric(38, 0) NOT NULL CHECK (amount > 0),
    auto_cashout numeric CHECK (auto_cashout > 1),
    state text NOT NULL CHECK (
        state IN (
            'placing', 'placed', 'cashing_out', 'cashed_out', 'lost', 'void', 'rejected'
        )
    ),
    hold_body bytea NOT NULL,
    hold_key uuid NOT NULL,
    confirm_key uuid NOT NULL,
    release_key uuid NOT NULL,
    cashout_key uuid NOT NULL,
    game_hold_id text,
    ticket_id text,
    payout_transaction_id text,
    payout numeric(38, 0) CHECK (payout > 0),
    cashout_multiplier numeric,
    reason text,
    placed_at timestamptz,
    settled_at timestamptz,
    created_at timestamptz NOT NULL,
    updated_at timestamptz NOT NULL,
    -- When the resolver looks again; while somebody works on the bet, when their claim ends. Null
    -- once the outcome is definitive, or people must decide.
    due_at timestamptz,
    -- Nobody works on it: until it is due no call is made for it, and it may be made due sooner.
    resting boolean NOT NULL DEFAULT false,
    -- Raised by each claim; only whoever has the newest number may write the outcome.
    fence integer NOT NULL DEFAULT 1,
    -- How often the game was asked in vain since the last progress.
    looks integer NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, bet_id),
    CONSTRAINT bets_has_ticket_check CHECK (
        state IN ('placing', 'rejected') OR (ticket_id IS NOT NULL AND placed_at IS NOT NULL)
    ),
    CONSTRAINT bets_paid_check CHECK (
        state <> 'cashed_out' OR (payout IS NOT NULL AND payout_transaction_id IS NOT NULL)
    ),
    CONSTRAINT bets_is_settled_check CHECK (
        (state IN ('cashed_out', 'lost', 'void', 'rejected')) = (settled_at IS NOT NULL)
        AND (settled_at IS NULL OR due_at IS NULL)
    ),
    CONSTRAINT bets_has_reason_check CHECK (state <> 'rejected' OR reason IS NOT NULL)
) WITH (fillfactor = 70);

-- An intent that was given back because the game was never reached may be tried again by its name.
CREATE UNIQUE INDEX bets_caller_key_idx ON bets (user_id, caller_key)
WHERE reason IS DISTINCT FROM 'game_unavailable';
CREATE INDEX bets_due_idx ON bets (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX bets_id_idx ON bets (bet_id);
CREATE UNIQUE INDEX bets_ticket_idx ON bets (user_id, ticket_id) WHERE ticket_id IS NOT NULL;
CREATE INDEX bets_unsettled_idx ON bets (user_id, currency)
WHERE state IN ('placing', 'placed', 'cashing_out');
CREATE INDEX bets_settled_idx ON bets (user_id, currency, settled_at) WHERE settled_at IS NOT NULL;

-- Every call that was made for a bet, and how it ended.
CREATE TABLE bet_attempts (
    user_id text NOT NULL,
    bet_id uuid NOT NULL,
    attempt_id uuid NOT NULL,
    step text NOT NULL,
    request_id text,
    status smallint,
    outcome text NOT NULL,
    latency_ms integer NOT NULL,
    at timestamptz NOT NULL,
    PRIMARY KEY (user_id, bet_id, attempt_id)
);

-- Which process listens to the game's stream: one at a time, until when nobody else does.
CREATE TABLE stream_holders (
    stream text PRIMARY KEY,
    held_by uuid,
    held_since timestamptz NOT NULL DEFAULT clock_timestamp(),
    held_until timestamptz NOT NULL,
    -- By its holder's clock: since when it listens, when it was last told anything.
    connected_at timestamptz,
    heard_at timestamptz,
    -- Why it does not listen, where it has tried.
    failure text
);

-- Which processes do not reach the game, and since when; one that does has no row. Who is killed
-- leaves one, which counts for as long as its process would have renewed it.
CREATE TABLE game_outages (
    process uuid PRIMARY KEY,
    down_since timestamptz NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp()
);

-- What the game has announced beside its answers: another version, deprecations, endings.
CREATE TABLE game_notices (
    kind text NOT NULL CHECK (kind IN ('api_version', 'deprecation', 'sunset')),
    operation text NOT NULL,
    value text NOT NULL,
    link text,
    first_seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (kind, operation)
);

CREATE TRIGGER bet_attempts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bet_attempts
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A bet that the game contradicts itself about rests until people have decided. When they close its
-- case the game is asked again; should it still say so, another case is opened.
CREATE FUNCTION ask_about_bet_again() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE bets
    SET due_at = clock_timestamp(), fence = fence + 1, looks = 0
    WHERE
        user_id = new.user_id
        AND bet_id = new.reference::uuid
        AND due_at IS NULL
        AND settled_at IS NULL;
    RETURN NULL;
END
$$;

CREATE TRIGGER cases_ask_about_bet_again AFTER UPDATE OF state ON cases
FOR EACH ROW
WHEN (
    old.state = 'open'
    AND new.state = 'closed'
    AND new.kind IN ('bet_mismatch', 'payout_mismatch', 'payout_failed')
)
EXECUTE FUNCTION ask_about_bet_again();

-- One who signs in and calls with a key of the same name is one person, however it is written: in
-- capitals, in full width, with other spaces.
CREATE FUNCTION is_same_person(p_one text, p_other text) RETURNS boolean
LANGUAGE sql IMMUTABLE
AS $$
    SELECT
        lower(regexp_replace(normalize(p_one, NFKC), '^(staff:)+|\s+', '', 'gi'))
        = lower(regexp_replace(normalize(p_other, NFKC), '^(staff:)+|\s+', '', 'gi'))
$$;

-- What two people decide begins as a proposal and is decided once, by the clock of the database;
-- nothing else of it ever changes. So whoever may write rows of it cannot put in a decision without
-- a proposal, nor decide anew with another name.
CREATE FUNCTION decide_once() RETURNS trigger LANGUAGE plpgsql AS $$
DECLARE
    v_decision text[] := ARRAY[
        'state', 'decided_by', 'decided_at', 'decided_step', 'decision_reason'
    ];
BEGIN
    IF tg_op = 'INSERT' THEN
        IF new.state <> 'proposed' OR new.decided_by IS NOT NULL OR new.decision_reason IS NOT NULL
        THEN
            RAISE EXCEPTION '% begin as proposals', tg_table_name
            USING ERRCODE = 'restrict_violation';
        END IF;
        new.proposed_at := clock_timestamp();
        new.decided_at := null;
        RETURN new;
    END IF;
    IF old.state <> 'proposed' OR new.state = 'proposed' THEN
        RAISE EXCEPTION '% are decided once', tg_table_name
        USING ERRCODE = 'restrict_violation';
    END IF;
    IF to_jsonb(new) - v_decision <> to_jsonb(old) - v_decision THEN
        RAISE EXCEPTION 'what was proposed stays as it is'
        USING ERRCODE = 'restrict_violation';
    END IF;
    new.decided_at := clock_timestamp();
    RETURN new;
END
$$;

-- What people say that a bet came to, which the game's answers do not settle: proposed by one,
-- booked when another approves. The database itself refuses that they are the same.
CREATE TABLE bet_rulings (
    user_id text NOT NULL,
    ruling_id uuid NOT NULL,
    bet_id uuid NOT NULL,
    currency text NOT NULL REFERENCES currencies (code),
    -- Void of a bet that the game never confirmed: it is rejected.
    outcome text NOT NULL CHECK (outcome IN ('cashed_out', 'lost', 'void')),
    payout numeric(38, 0) CHECK (payout > 0 AND payout <> 'NaN'),
    payout_transaction_id text,
    ticket_id text,
    reason text NOT NULL,
    -- By what the game's operator can find what they said, such as a ticket of their support.
    evidence text NOT NULL,
    -- The bet as it was weighed; see bet_standing. Where it stands otherwise, this is stale.
    standing jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'booked', 'rejected', 'stale')),
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- The intent of whoever proposed it: the same again is the same ruling.
    proposed_step uuid NOT NULL,
    decided_by text,
    decided_at timestamptz,
    decided_step uuid,
    decision_reason text,
    PRIMARY KEY (user_id, ruling_id),
    CONSTRAINT bet_rulings_paid_check CHECK (
        (outcome = 'cashed_out') = (payout IS NOT NULL AND payout_transaction_id IS NOT NULL)
    ),
    CONSTRAINT bet_rulings_two_people_check CHECK (
        state <> 'booked'
        OR (decided_by IS NOT NULL AND NOT is_same_person(decided_by, proposed_by))
    )
);

CREATE TRIGGER bet_rulings_decided_once BEFORE INSERT OR UPDATE ON bet_rulings
FOR EACH ROW EXECUTE FUNCTION decide_once();
CREATE TRIGGER bet_rulings_append_only BEFORE DELETE OR TRUNCATE ON bet_rulings
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE INDEX bet_rulings_id_idx ON bet_rulings (ruling_id);
CREATE INDEX bet_rulings_state_idx ON bet_rulings (state, ruling_id);
CREATE INDEX bet_rulings_bet_idx ON bet_rulings (bet_id, ruling_id);
CREATE UNIQUE INDEX bet_rulings_step_idx ON bet_rulings (user_id, bet_id, proposed_step);
CREATE UNIQUE INDEX bet_rulings_one_open_idx ON bet_rulings (user_id, bet_id)
WHERE state = 'proposed';

-- What people weigh of a bet: how far it has come and what the game said, not how often it was
-- asked in vain.
CREATE FUNCTION bet_standing(p_bet bets) RETURNS jsonb
LANGUAGE sql STABLE
AS $$
    SELECT jsonb_build_object(
        'state', p_bet.state,
        'reason', p_bet.reason,
        'game_hold_id', p_bet.game_hold_id,
        'ticket_id', p_bet.ticket_id,
        'payout_transaction_id', p_bet.payout_transaction_id,
        'payout', p_bet.payout::text,
        'cashout_multiplier', p_bet.cashout_multiplier::text
    )
$$;

-- A bet comes to rest by itself while people weigh it: what they proposed is stale in that commit,
-- whatever wrote it.
CREATE FUNCTION outdate_bet_rulings() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE bet_rulings
    SET
        state = 'stale',
        decision_reason = 'the game has answered after all: ' || new.state
    WHERE user_id = new.user_id AND bet_id = new.bet_id AND state = 'proposed';
    RETURN NULL;
END
$$;

CREATE TRIGGER bets_outdate_rulings AFTER UPDATE OF settled_at ON bets
FOR EACH ROW
WHEN (old.settled_at IS NULL AND new.settled_at IS NOT NULL)
EXECUTE FUNCTION outdate_bet_rulings();

-- The intent of a bet, as a client sends it to be written: an array of rows, as of ledger_entry.
CREATE TYPE bet_intent AS (
    user_id text,
    bet_id uuid,
    caller_key text,
    round_id text,
    currency text,
    amount text,
    auto_cashout text,
    hold_body bytea,
    hold_key uuid,
    confirm_key uuid,
    release_key uuid,
    cashout_key uuid,
    created_at timestamptz,
    due_at timestamptz
);

-- What was concluded about a bet under a claim.
CREATE TYPE bet_conclusion AS (
    user_id text,
    bet_id uuid,
    fence integer,
    state text,
    cashout_key uuid,
    game_hold_id text,
    ticket_id text,
    payout_transaction_id text,
    payout text,
    cashout_multiplier text,
    reason text,
    placed_at timestamptz,
    settled_at timestamptz,
    updated_at timestamptz,
    due_at timestamptz,
    looks integer
);

CREATE TYPE bet_attempt AS (
    user_id text,
    bet_id uuid,
    attempt_id uuid,
    step text,
    request_id text,
    status smallint,
    outcome text,
    latency_ms integer,
    at timestamptz
);

-- What every statement that moves stakes begins with; see intake_look_up.
CREATE FUNCTION bets_begin() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM
        set_config('idle_in_transaction_session_timeout', '10s', true),
        set_config('lock_timeout', '2s', true),
        set_config('client_connection_check_interval', '1s', true),
        CASE current_setting('synchronous_commit')
            WHEN 'off' THEN set_config('synchronous_commit', 'on', true)
        END;
END
$$;

-- Take the stakes of new bets: the intent and its hold, all in one call. p_intents and p_entries
-- (the holds) go in parallel, in the order of users and callers' names, none of these twice.
-- p_ours says false of those whose request was answered before.
--   answered: nothing was looked at. known: the caller's name stands for a bet.
--   posted: the bet is there. Else what the ledger said; there is no bet.
-- Two calls about one name at once: the index refuses the later one as a whole, which is to look
-- again, then.
CREATE FUNCTION bets_open(p_intents bet_intent[], p_entries ledger_entry[], p_ours boolean[])
RETURNS text[]
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_indexonlyscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
DECLARE
    v_outcome text[];
    v_posted text[];
    v_entries ledger_entry[] := p_entries;
BEGIN
    PERFORM bets_begin();
    SELECT array_agg(
        CASE
            WHEN i.ours IS false THEN 'answered'
            WHEN EXISTS (
                SELECT FROM bets AS b
                WHERE b.user_id = i.user_id AND b.caller_key = i.caller_key
                    AND b.reason IS DISTINCT FROM 'game_unavailable'
            ) THEN 'known'
        END
        ORDER BY i.ord
    )
    INTO v_outcome
    FROM ROWS FROM (unnest(p_intents), unnest(p_ours)) WITH ORDINALITY AS i (
        user_id, bet_id, caller_key, round_id, currency, amount, auto_cashout, hold_body, hold_key,
        confirm_key, release_key, cashout_key, created_at, due_at, ours, ord
    );

    IF array_remove(v_outcome, NULL) <> '{}' THEN
        SELECT coalesce(array_agg(p_entries[o.ord] ORDER BY o.ord), '{}')
        INTO v_entries
        FROM unnest(v_outcome) WITH ORDINALITY AS o (outcome, ord)
        WHERE o.outcome IS NULL;
    END IF;
    IF cardinality(v_entries) > 0 THEN
        SELECT array_agg(p.outcome ORDER BY p.member) INTO v_posted
        FROM ledger_post(v_entries) AS p;
        SELECT array_agg(coalesce(o.outcome, v_posted[o.place]) ORDER BY o.ord)
        INTO v_outcome
        FROM (
            SELECT
                w.outcome,
                w.ord,
                count(*) FILTER (WHERE w.outcome IS NULL) OVER (ORDER BY w.ord) AS place
            FROM unnest(v_outcome) WITH ORDINALITY AS w (outcome, ord)
        ) AS o;
        INSERT INTO bets (
            user_id, bet_id, caller_key, round_id, currency, amount, auto_cashout, hold_body,
            hold_key, confirm_key, release_key, cashout_key, created_at, updated_at, due_at, state
        )
        SELECT
            i.user_id, i.bet_id, i.caller_key, i.round_id, i.currency, i.amount::numeric,
            i.auto_cashout::numeric, i.hold_body, i.hold_key, i.confirm_key, i.release_key,
            i.cashout_key, i.created_at, i.created_at, i.due_at, 'placing'
        FROM ROWS FROM (unnest(p_intents), unnest(v_outcome)) AS i (
            user_id, bet_id, caller_key, round_id, currency, amount, auto_cashout, hold_body,
            hold_key, confirm_key, release_key, cashout_key, created_at, due_at, outcome
        )
        WHERE i.outcome = 'posted';
    END IF;
    RETURN v_outcome;
END
$$;

-- Write what was concluded about bets, all in one call: rows, attempts and postings. p_bets and
-- p_entries (null: nothing is posted) go in parallel, in the order of users and bets, no bet twice.
-- Says of each whether its claim stood; of one whose claim has ended nothing is written.
CREATE FUNCTION bets_conclude(
    p_bets bet_conclusion[], p_entries ledger_entry[], p_attempts bet_attempt[]
)
RETURNS boolean[]
LANGUAGE plpgsql
SET plan_cache_mode = force_generic_plan
SET enable_seqscan = off
SET enable_indexonlyscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
DECLARE
    v_written uuid[];
    v_entries ledger_entry[];
    v_refused text;
BEGIN
    PERFORM bets_begin();
    WITH written AS (
        UPDATE bets AS b
        SET
            state = n.state,
            cashout_key = n.cashout_key,
            game_hold_id = n.game_hold_id,
            ticket_id = n.ticket_id,
            payout_transaction_id = n.payout_transaction_id,
            payout = n.payout::numeric,
            cashout_multiplier = n.cashout_multiplier::numeric,
            reason = n.reason,
            placed_at = n.placed_at,
            settled_at = n.settled_at,
            updated_at = n.updated_at,
            due_at = n.due_at,
            resting = true,
            looks = n.looks
        FROM unnest(p_bets) AS n
        WHERE b.user_id = n.user_id AND b.bet_id = n.bet_id AND b.fence = n.fence
        RETURNING b.bet_id
    )

    SELECT coalesce(array_agg(w.bet_id), '{}') INTO v_written FROM written AS w;

    INSERT INTO bet_attempts (
        user_id, bet_id, attempt_id, step, request_id, status, outcome, latency_ms, at
    )
    SELECT
        a.user_id, a.bet_id, a.attempt_id, a.step, a.request_id, a.status, a.outcome, a.latency_ms,
        a.at
    FROM unnest(p_attempts) AS a
    WHERE a.bet_id = ANY (v_written);

    SELECT array_agg(p_entries[n.ord] ORDER BY n.ord)
    INTO v_entries
    FROM unnest(p_bets) WITH ORDINALITY AS n (
        user_id, bet_id, fence, state, cashout_key, game_hold_id, ticket_id, payout_transaction_id,
        payout, cashout_multiplier, reason, placed_at, settled_at, updated_at, due_at, looks, ord
    )
    WHERE n.bet_id = ANY (v_written) AND p_entries[n.ord].user_id IS NOT NULL;
    IF v_entries IS NOT NULL THEN
        SELECT max(p.outcome) INTO v_refused
        FROM ledger_post(v_entries) AS p
        WHERE p.outcome NOT IN ('posted', 'repeated');
        -- Which of them it is, is found out by writing each by itself.
        IF v_refused IS NOT NULL THEN
            RAISE EXCEPTION 'the ledger refuses a bet' USING ERRCODE = 'RC002', DETAIL = v_refused;
        END IF;
    END IF;

    RETURN (
        SELECT array_agg(n.bet_id = ANY (v_written) ORDER BY n.ord)
        FROM unnest(p_bets) WITH ORDINALITY AS n (
            user_id, bet_id, fence, state, cashout_key, game_hold_id, ticket_id,
            payout_transaction_id, payout, cashout_multiplier, reason, placed_at, settled_at,
            updated_at, due_at, looks, ord
        )
    );
END
$$;
