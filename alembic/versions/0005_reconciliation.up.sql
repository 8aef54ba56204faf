-- A run compares wallets with the game's balances; it is cut into ranges of users.
CREATE TABLE runs (
    run_id uuid PRIMARY KEY,
    scope text NOT NULL CHECK (scope IN ('changed', 'all', 'users')),
    trigger text NOT NULL,
    users text[],
    dry_run boolean NOT NULL DEFAULT false,
    state text NOT NULL CHECK (state IN ('running', 'finished', 'incomplete', 'failed')),
    reason text,
    -- Postings recorded before this instant were already looked at by the run before.
    since timestamptz,
    started_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    finished_at timestamptz,
    -- How far it has been cut into ranges, and when that was done; total grows with it.
    cut_to text NOT NULL DEFAULT '',
    cut_at timestamptz,
    -- Since when it waits to find out whether so much disagrees as one fault of the game or of our
    -- set-up, and since when a first look at a sample says so.
    paused_at timestamptz,
    examined_at timestamptz,
    -- It ended before every wallet was looked at: the next run of what changed begins before it.
    cut_short boolean NOT NULL DEFAULT false,
    total bigint NOT NULL DEFAULT 0,
    compared bigint NOT NULL DEFAULT 0,
    agreed bigint NOT NULL DEFAULT 0,
    discrepant bigint NOT NULL DEFAULT 0,
    in_flight bigint NOT NULL DEFAULT 0,
    not_compared bigint NOT NULL DEFAULT 0,
    -- Against what was known before it, once it has ended.
    opened bigint NOT NULL DEFAULT 0,
    persisting bigint NOT NULL DEFAULT 0,
    reopened bigint NOT NULL DEFAULT 0,
    healed bigint NOT NULL DEFAULT 0
);

CREATE INDEX runs_running_idx ON runs (run_id) WHERE state = 'running';
CREATE INDEX runs_started_at_idx ON runs (started_at);

-- first_user <= user_id <= last_user. Whoever holds the fence's newest number may move the cursor.
CREATE TABLE run_ranges (
    run_id uuid NOT NULL REFERENCES runs (run_id),
    first_user text NOT NULL,
    last_user text NOT NULL,
    -- The last wallet that was looked at.
    at_user text,
    at_currency text,
    fence bigint NOT NULL DEFAULT 0,
    claimed_at timestamptz,
    finished_at timestamptz,
    -- Wallets that the game told of and how many of them differed at the first look, both without
    -- those that had a discrepancy already; whether that is suspected to be one fault; and when it
    -- was last looked into and was none, from when on they count anew, with how many had differed.
    looked bigint NOT NULL DEFAULT 0,
    differed bigint NOT NULL DEFAULT 0,
    suspected boolean NOT NULL DEFAULT false,
    excused bigint NOT NULL DEFAULT 0,
    excused_at timestamptz,
    -- Wallets behind the cursor that have been looked at and are not written yet.
    under_way integer NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, first_user)
);

-- The tolerances in force while a run compared, and what they let pass: wallets that agreed only by
-- them, and the sizes of their differences. All in minor units.
CREATE TABLE run_tolerances (
    run_id uuid NOT NULL REFERENCES runs (run_id),
    currency text NOT NULL REFERENCES currencies (code),
    tolerance numeric(38, 0) NOT NULL,
    wallets bigint NOT NULL DEFAULT 0,
    amount numeric NOT NULL DEFAULT 0,
    PRIMARY KEY (run_id, currency)
);

-- What is known of a wallet's agreement with the game.
CREATE TABLE checks (
    user_id text NOT NULL,
    currency text NOT NULL REFERENCES currencies (code),
    agreed_version bigint,
    agreed_at timestamptz,
    checked_at timestamptz NOT NULL,
    -- The last look was no agreement: the next run of changed wallets looks again.
    unsettled boolean NOT NULL,
    -- The game was seen to have taken every withdrawal that a PSP had accepted by then.
    taken_until timestamptz,
    PRIMARY KEY (user_id, currency)
) WITH (fillfactor = 70);

CREATE INDEX checks_unsettled_idx ON checks (user_id, currency) WHERE unsettled;

-- What a run of changed wallets has to compare, fixed at its start.
CREATE TABLE run_wallets (
    run_id uuid NOT NULL REFERENCES runs (run_id),
    user_id text NOT NULL,
    currency text NOT NULL,
    PRIMARY KEY (run_id, user_id, currency)
);

-- The ladder: one row per wallet of a run whose balances differed or could not be compared yet.
CREATE TABLE suspects (
    user_id text NOT NULL,
    currency text NOT NULL,
    run_id uuid NOT NULL,
    state text NOT NULL CHECK (state IN ('differs', 'in_flight', 'unanswered')),
    available_difference numeric(38, 0) NOT NULL DEFAULT 0,
    held_difference numeric(38, 0) NOT NULL DEFAULT 0,
    reason text,
    -- When this very difference was first seen; another difference starts anew.
    since timestamptz NOT NULL,
    first_seen_at timestamptz NOT NULL,
    looks integer NOT NULL DEFAULT 1,
    due_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, currency, run_id)
);

CREATE INDEX suspects_run_due_idx ON suspects (run_id, due_at);

-- One record per wallet and life of a difference.
CREATE TABLE discrepancies (
    user_id text NOT NULL,
    discrepancy_id uuid NOT NULL,
    currency text NOT NULL REFERENCES currencies (code),
    -- The currency's own, so that amounts of several currencies have an order that an index keeps.
    exponent smallint NOT NULL,
    status text NOT NULL CHECK (
        status IN (
            'open', 'investigating', 'awaiting_approval', 'resolved', 'ignored', 'cleared'
        )
    ),
    severity text NOT NULL CHECK (severity IN ('low', 'medium', 'high', 'critical')),
    cause text NOT NULL CHECK (
        cause IN (
            'missing_webhook', 'missing_game_update', 'duplicate', 'amount_mismatch',
            'unresolved_bet', 'missed_payout', 'unexplained'
        )
    ),
    ledger_available numeric(38, 0) NOT NULL,
    ledger_held numeric(38, 0) NOT NULL,
    ledger_reserved numeric(38, 0) NOT NULL,
    ledger_version bigint NOT NULL,
    game_available numeric(38, 0) NOT NULL,
    game_held numeric(38, 0) NOT NULL,
    -- Null when the game knows no such player.
    game_as_of timestamptz,
    difference numeric(38, 0) NOT NULL,
    held_difference numeric(38, 0) NOT NULL,
    explained numeric(38, 0) NOT NULL,
    unexplained numeric(38, 0) NOT NULL,
    -- Since when a part of it has been so without a break; null: nothing of it is.
    unexplained_since timestamptz,
    evidence jsonb NOT NULL,
    -- Per cent, that these causes and amounts are what happened; what else would make it.
    confidence smallint NOT NULL DEFAULT 0 CHECK (confidence BETWEEN 0 AND 99),
    alternatives jsonb NOT NULL DEFAULT '[]',
    looked_at jsonb NOT NULL,
    assignee text,
    -- When an ignored one comes back; null: not before its difference changes.
    ignored_until timestamptz,
    first_seen_at timestamptz NOT NULL,
    last_seen_at timestamptz NOT NULL,
    occurrences integer NOT NULL DEFAULT 1,
    -- When it last came back after it had closed.
    reopened_at timestamptz,
    first_run_id uuid NOT NULL,
    last_run_id uuid NOT NULL,
    closed_at timestamptz,
    -- What the largest part of it has in common with others, and when that was; see incidents.
    root text,
    root_at timestamptz,
    incident_id uuid,
    PRIMARY KEY (user_id, discrepancy_id),
    CONSTRAINT discrepancies_equation_check CHECK (difference = explained + unexplained),
    CONSTRAINT discrepancies_ignored_until_check CHECK (
        ignored_until IS NULL OR status = 'ignored'
    )
);

CREATE UNIQUE INDEX discrepancies_live_idx ON discrepancies (user_id, currency)
WHERE status IN ('open', 'investigating', 'awaiting_approval', 'ignored');
-- The newest closed one of a wallet, which may come back.
CREATE INDEX discrepancies_closed_idx ON discrepancies (user_id, currency, closed_at)
WHERE closed_at IS NOT NULL;
CREATE INDEX discrepancies_root_idx ON discrepancies (cause, root, root_at)
WHERE root IS NOT NULL AND closed_at IS NULL;
CREATE INDEX discrepancies_incident_idx ON discrepancies (incident_id)
WHERE incident_id IS NOT NULL;
CREATE INDEX discrepancies_id_idx ON discrepancies (discrepancy_id);
CREATE INDEX discrepancies_ignored_idx ON discrepancies (ignored_until)
WHERE status = 'ignored' AND ignored_until IS NOT NULL;
CREATE INDEX discrepancies_status_idx ON discrepancies (status, discrepancy_id);
CREATE INDEX discrepancies_currency_idx ON discrepancies (currency, discrepancy_id);
CREATE INDEX discrepancies_assignee_idx ON discrepancies (assignee, discrepancy_id)
WHERE assignee IS NOT NULL;
CREATE INDEX discrepancies_first_run_idx ON discrepancies (first_run_id, discrepancy_id);
CREATE INDEX discrepancies_live_seen_idx ON discrepancies (first_seen_at, discrepancy_id)
WHERE status IN ('open', 'investigating', 'awaiting_approval');

-- Each order in which people list them, of all and of those that they still have to deal with: a
-- page of a million is the first rows of one of these. The expressions are those of recon.web's
-- discrepancies_up.sql and _down.sql.
CREATE INDEX discrepancies_live_age_idx ON discrepancies (discrepancy_id)
WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_size_idx ON discrepancies (
    (abs(difference) * power(10::numeric, -exponent)), discrepancy_id
);
CREATE INDEX discrepancies_live_size_idx ON discrepancies (
    (abs(difference) * power(10::numeric, -exponent)), discrepancy_id
) WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_unexplained_idx ON discrepancies (
    (abs(unexplained) * power(10::numeric, -exponent)), discrepancy_id
);
CREATE INDEX discrepancies_live_unexplained_idx ON discrepancies (
    (abs(unexplained) * power(10::numeric, -exponent)), discrepancy_id
) WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_severity_idx ON discrepancies (
    (array_position(ARRAY['low', 'medium', 'high', 'critical'], severity)::numeric), discrepancy_id
);
CREATE INDEX discrepancies_live_severity_idx ON discrepancies (
    (array_position(ARRAY['low', 'medium', 'high', 'critical'], severity)::numeric), discrepancy_id
) WHERE status IN ('open', 'investigating', 'awaiting_approval');

-- Discrepancies of several wallets with one cause and one root, close together in time: an endpoint
-- that was down, a batch that was lost. Open while any of them is. Or one fault of the game: so
-- many of the wallets looked at differed that a run stopped; open until a run is normal again.
CREATE TABLE incidents (
    incident_id uuid PRIMARY KEY,
    cause text NOT NULL,
    root text NOT NULL,
    from_at timestamptz NOT NULL,
    until_at timestamptz NOT NULL,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    closed_at timestamptz,
    stopped_run_id uuid,
    looked bigint,
    differed bigint
);

CREATE INDEX incidents_open_idx ON incidents (cause, root, from_at) WHERE closed_at IS NULL;
CREATE UNIQUE INDEX incidents_one_stop_idx ON incidents (root)
WHERE closed_at IS NULL AND stopped_run_id IS NOT NULL;

-- Which run saw which discrepancy, how it stood against the run before, and what it was then.
CREATE TABLE run_discrepancies (
    run_id uuid NOT NULL,
    user_id text NOT NULL,
    discrepancy_id uuid NOT NULL,
    currency text NOT NULL,
    standing text NOT NULL CHECK (
        standing IN ('opened', 'persisting', 'changed', 'reopened', 'healed')
    ),
    difference numeric(38, 0) NOT NULL,
    explained numeric(38, 0) NOT NULL,
    unexplained numeric(38, 0) NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, discrepancy_id, run_id)
);

CREATE INDEX run_discrepancies_run_idx ON run_discrepancies (run_id, discrepancy_id);

-- What a run saw in all, by currency: sums of sizes, and the net. Written when it ends.
CREATE TABLE run_totals (
    run_id uuid NOT NULL REFERENCES runs (run_id),
    currency text NOT NULL,
    discrepancies bigint NOT NULL,
    explained numeric NOT NULL,
    unexplained numeric NOT NULL,
    net numeric NOT NULL,
    PRIMARY KEY (run_id, currency)
);

-- What happened to a discrepancy: opened, seen, changed, cleared, assigned, commented, …
CREATE TABLE discrepancy_events (
    user_id text NOT NULL,
    discrepancy_id uuid NOT NULL,
    event_id uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT clock_timestamp(),
    actor text NOT NULL,
    action text NOT NULL,
    detail jsonb NOT NULL DEFAULT '{}',
    PRIMARY KEY (user_id, discrepancy_id, event_id)
);

-- By this the sealer finds what is new.
CREATE INDEX discrepancy_events_at_idx ON discrepancy_events USING brin (at)
WITH (pages_per_range = 16, autosummarize = on);

CREATE TRIGGER discrepancy_events_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON discrepancy_events
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- A correction: proposed by one person, booked when another approves. The database itself refuses
-- that they are the same.
CREATE TABLE adjustments (
    user_id text NOT NULL,
    adjustment_id uuid NOT NULL,
    discrepancy_id uuid NOT NULL,
    currency text NOT NULL REFERENCES currencies (code),
    -- Signed: what is added to the player's available balance.
    amount numeric(38, 0) NOT NULL CHECK (amount <> 0),
    reason text NOT NULL,
    state text NOT NULL CHECK (state IN ('proposed', 'booked', 'rejected', 'stale')),
    ledger_version bigint NOT NULL,
    proposed_by text NOT NULL,
    proposed_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    decided_by text,
    decided_at timestamptz,
    decision_reason text,
    PRIMARY KEY (user_id, adjustment_id),
    CONSTRAINT adjustments_two_people_check CHECK (
        state <> 'booked'
        OR (decided_by IS NOT NULL AND NOT is_same_person(decided_by, proposed_by))
    )
);

CREATE TRIGGER adjustments_decided_once BEFORE INSERT OR UPDATE ON adjustments
FOR EACH ROW EXECUTE FUNCTION decide_once();
CREATE TRIGGER adjustments_append_only BEFORE DELETE OR TRUNCATE ON adjustments
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

CREATE INDEX adjustments_id_idx ON adjustments (adjustment_id);
CREATE INDEX adjustments_proposed_idx ON adjustments (adjustment_id) WHERE state = 'proposed';
CREATE INDEX adjustments_discrepancy_idx ON adjustments (user_id, discrepancy_id);
CREATE UNIQUE INDEX adjustments_one_open_idx ON adjustments (user_id, discrepancy_id)
WHERE state = 'proposed';
