-- A bet from its intent to its outcome. The bytes and the keys are fixed before the first call, so
-- that every attempt sends the same.
CREATE TABLE bets (
    user_id text NOT NULL,
    bet_id uuid NOT NULL,
    -- The caller's name for this intent: a bet asked for twice is one bet.
    caller_key text NOT NULL,
    round_id text NOT NULL,
    currency text NOT NULL REFERENCES currencies (code),
    amount numeric(38, 0) NOT NULL CHECK (amount > 0),
    auto_cashout numeric(20, 8),
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
    payout numeric(38, 0),
    cashout_multiplier numeric(20, 8),
    reason text,
    placed_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When the resolver looks again; null once the outcome is definitive.
    due_at timestamptz,
    attempts integer NOT NULL DEFAULT 0,
    PRIMARY KEY (user_id, bet_id)
) WITH (fillfactor = 70);

CREATE UNIQUE INDEX bets_caller_key_idx ON bets (user_id, caller_key);
CREATE INDEX bets_due_idx ON bets (due_at) WHERE due_at IS NOT NULL;
CREATE INDEX bets_id_idx ON bets (bet_id);
CREATE INDEX bets_ticket_idx ON bets (user_id, ticket_id) WHERE ticket_id IS NOT NULL;

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
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, bet_id, attempt_id)
);
