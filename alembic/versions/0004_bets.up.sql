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

CREATE TRIGGER bet_attempts_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON bet_attempts
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
