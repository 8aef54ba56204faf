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
    healed bigint NOT NULL DEFAULT 0,
    -- Since when what it saw is not known one by one any more; its counts and sums are.
    forgotten_at timestamptz
);

CREATE INDEX runs_running_idx ON runs (run_id) WHERE state = 'running';
CREATE INDEX runs_started_at_idx ON runs (started_at);
-- The order of the longest, see recon.reconciliation's runs.sql.
CREATE INDEX runs_duration_idx ON runs (
    (coalesce(extract(EPOCH FROM finished_at - started_at), -1)), started_at, run_id
);

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
    -- Game minus ledger of what is available, withdrawals on their way allowed for, and of what is
    -- held for bets; 0: they agree, or are within the tolerance.
    available_difference numeric(38, 0) NOT NULL,
    held_difference numeric(38, 0) NOT NULL,
    -- The one of the two that people are shown.
    difference numeric(38, 0) NOT NULL,
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
    CONSTRAINT discrepancies_shown_check CHECK (
        difference = coalesce(nullif(available_difference, 0), held_difference)
    ),
    CONSTRAINT discrepancies_ignored_until_check CHECK (
        ignored_until IS NULL OR status = 'ignored'
    )
);

CREATE UNIQUE INDEX discrepancies_live_idx ON discrepancies (user_id, currency)
WHERE status IN ('open', 'investigating', 'awaiting_approval', 'ignored');
CREATE INDEX discrepancies_root_idx ON discrepancies (cause, root, root_at)
WHERE root IS NOT NULL AND closed_at IS NULL;
-- What one comes to is added up from the index alone.
CREATE INDEX discrepancies_incident_idx ON discrepancies (incident_id)
INCLUDE (currency, difference, closed_at)
WHERE incident_id IS NOT NULL;
-- What a search looks for: the start of a player's id, and the whole id of a fact. By the first the
-- newest closed one of a wallet is found too, which may come back.
CREATE INDEX discrepancies_user_idx ON discrepancies (
    user_id text_pattern_ops, currency, closed_at
);
CREATE INDEX discrepancies_facts_idx ON discrepancies USING gin (
    jsonb_path_query_array(evidence, '$[*].id') jsonb_path_ops
);
CREATE INDEX discrepancies_id_idx ON discrepancies (discrepancy_id);
CREATE INDEX discrepancies_ignored_idx ON discrepancies (ignored_until)
WHERE status = 'ignored' AND ignored_until IS NOT NULL;
-- What a filter comes to is added up from the index alone, where that is likely to be asked.
CREATE INDEX discrepancies_status_idx ON discrepancies (status, discrepancy_id)
INCLUDE (currency, difference, unexplained);
CREATE INDEX discrepancies_currency_idx ON discrepancies (currency, discrepancy_id);
CREATE INDEX discrepancies_assignee_idx ON discrepancies (assignee, discrepancy_id)
WHERE assignee IS NOT NULL;
CREATE INDEX discrepancies_live_assignee_idx ON discrepancies (assignee, discrepancy_id)
INCLUDE (currency, difference, unexplained)
WHERE assignee IS NOT NULL AND status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_first_run_idx ON discrepancies (first_run_id, discrepancy_id);
CREATE INDEX discrepancies_live_seen_idx ON discrepancies (first_seen_at, discrepancy_id)
WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_live_unexplained_since_idx ON discrepancies (currency, unexplained_since)
WHERE unexplained <> 0 AND status IN ('open', 'investigating', 'awaiting_approval');

-- What they are ordered by, here and wherever they are listed or exported; any other sort is by id,
-- which is by age. Amounts are compared in whole units, so that a list of several currencies has an
-- order. The planner puts it in place of the call, in a statement as in an index, so that with the
-- sort known one is the other; it may neither be strict nor set any parameter for that. What it
-- answers stands in the indexes: whoever changes it builds those anew.
CREATE FUNCTION discrepancy_key(
    p_sort text,
    p_difference numeric,
    p_unexplained numeric,
    p_exponent smallint,
    p_severity text
) RETURNS numeric
LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$
    SELECT
        CASE p_sort
            WHEN 'size' THEN abs(p_difference) * power(10::numeric, -p_exponent)
            WHEN 'unexplained' THEN abs(p_unexplained) * power(10::numeric, -p_exponent)
            WHEN
                'severity'
                THEN
                    array_position(
                        ARRAY['low', 'medium', 'high', 'critical'], p_severity
                    )::numeric
            ELSE 0::numeric
        END
$$;

-- Each order in which people list them, of all and of those that they still have to deal with: a
-- page of a million is the first rows of one of these.
CREATE INDEX discrepancies_live_age_idx ON discrepancies (discrepancy_id)
WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_size_idx ON discrepancies (
    (discrepancy_key('size', difference, unexplained, exponent, severity)),
    discrepancy_id
);
CREATE INDEX discrepancies_live_size_idx ON discrepancies (
    (discrepancy_key('size', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_unexplained_idx ON discrepancies (
    (discrepancy_key('unexplained', difference, unexplained, exponent, severity)),
    discrepancy_id
);
CREATE INDEX discrepancies_live_unexplained_idx ON discrepancies (
    (discrepancy_key('unexplained', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_severity_idx ON discrepancies (
    (discrepancy_key('severity', difference, unexplained, exponent, severity)),
    discrepancy_id
);
CREATE INDEX discrepancies_live_severity_idx ON discrepancies (
    (discrepancy_key('severity', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE status IN ('open', 'investigating', 'awaiting_approval');

-- The same of what people narrow the list to most: where a filter leaves little of what comes first
-- in an order, as amounts in pounds stand behind those in yen, the first rows would be far to seek.
-- Of one cause in one currency each order is one range; of one cause in all currencies, or of one
-- currency and all causes, it is put together of some, see recon.web's discrepancies_apart.sql.
CREATE INDEX discrepancies_kind_age_idx ON discrepancies (cause, currency, discrepancy_id)
WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_kind_size_idx ON discrepancies (
    cause,
    currency,
    (discrepancy_key('size', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_kind_unexplained_idx ON discrepancies (
    cause,
    currency,
    (discrepancy_key('unexplained', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_kind_severity_idx ON discrepancies (
    cause,
    currency,
    (discrepancy_key('severity', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE status IN ('open', 'investigating', 'awaiting_approval');
CREATE INDEX discrepancies_assignee_size_idx ON discrepancies (
    assignee,
    (discrepancy_key('size', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE assignee IS NOT NULL;
CREATE INDEX discrepancies_assignee_unexplained_idx ON discrepancies (
    assignee,
    (discrepancy_key('unexplained', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE assignee IS NOT NULL;
CREATE INDEX discrepancies_assignee_severity_idx ON discrepancies (
    assignee,
    (discrepancy_key('severity', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE assignee IS NOT NULL;
CREATE INDEX discrepancies_awaiting_size_idx ON discrepancies (
    (discrepancy_key('size', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE status = 'awaiting_approval';
CREATE INDEX discrepancies_awaiting_unexplained_idx ON discrepancies (
    (discrepancy_key('unexplained', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE status = 'awaiting_approval';
CREATE INDEX discrepancies_awaiting_severity_idx ON discrepancies (
    (discrepancy_key('severity', difference, unexplained, exponent, severity)),
    discrepancy_id
) WHERE status = 'awaiting_approval';

-- What people still have to deal with, added up as it changes: the overview tells a million without
-- reading them. Each change puts in how much there is more or less of, so none waits for another's
-- commit; a job adds up what has gathered, and the sum of all rows is true at every moment.
-- `seen_at` is the minute in which they were first seen, and -infinity once that is longer ago than
-- people tell apart.
CREATE TABLE discrepancy_tallies (
    tally_id bigint GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    currency text NOT NULL,
    cause text NOT NULL,
    seen_at timestamptz NOT NULL,
    -- Whether a part of each is unexplained.
    is_unexplained boolean NOT NULL,
    discrepancies bigint NOT NULL,
    -- In minor units: their differences, and the sizes of these and of what is unexplained.
    net numeric NOT NULL,
    gross numeric NOT NULL,
    unexplained numeric NOT NULL
-- All of it is read at once: the room of what has been folded is given back before it counts.
) WITH (autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 1000);

-- What was first seen over a week ago has no minute of its own from the start: a million of them
-- written at once would be as many rows to fold, and what they leave behind would be read for long.
CREATE FUNCTION tallied_at(p_first_seen_at timestamptz) RETURNS timestamptz
LANGUAGE sql STABLE
AS $$
    SELECT
        CASE
            WHEN p_first_seen_at < now() - interval '8 days' THEN '-infinity'::timestamptz
            ELSE date_trunc('minute', p_first_seen_at, 'UTC')
        END
$$;

CREATE FUNCTION tally_discrepancies() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    -- Which of these tables there are is the trigger's to say; a statement is read when it is first
    -- run, and none is run that names one that is not there.
    IF tg_op = 'INSERT' THEN
        INSERT INTO discrepancy_tallies (
            currency, cause, seen_at, is_unexplained, discrepancies, net, gross, unexplained
        )
        SELECT
            c.currency,
            c.cause,
            tallied_at(c.first_seen_at),
            c.unexplained <> 0,
            count(*),
            sum(c.difference),
            sum(abs(c.difference)),
            sum(abs(c.unexplained))
        FROM come AS c
        WHERE c.status IN ('open', 'investigating', 'awaiting_approval')
        GROUP BY 1, 2, 3, 4;
        RETURN NULL;
    END IF;
    IF tg_op = 'DELETE' THEN
        INSERT INTO discrepancy_tallies (
            currency, cause, seen_at, is_unexplained, discrepancies, net, gross, unexplained
        )
        SELECT
            g.currency,
            g.cause,
            tallied_at(g.first_seen_at),
            g.unexplained <> 0,
            -count(*),
            -sum(g.difference),
            -sum(abs(g.difference)),
            -sum(abs(g.unexplained))
        FROM gone AS g
        WHERE g.status IN ('open', 'investigating', 'awaiting_approval')
        GROUP BY 1, 2, 3, 4;
        RETURN NULL;
    END IF;
    -- Most of what a run sees again is as it was, and comes to nothing.
    INSERT INTO discrepancy_tallies (
        currency, cause, seen_at, is_unexplained, discrepancies, net, gross, unexplained
    )
    SELECT
        m.currency,
        m.cause,
        tallied_at(m.first_seen_at),
        m.unexplained <> 0,
        sum(m.sign),
        sum(m.sign * m.difference),
        sum(m.sign * abs(m.difference)),
        sum(m.sign * abs(m.unexplained))
    FROM (
        SELECT 1 AS sign, currency, cause, first_seen_at, status, difference, unexplained FROM come
        UNION ALL
        SELECT -1, currency, cause, first_seen_at, status, difference, unexplained FROM gone
    ) AS m
    WHERE m.status IN ('open', 'investigating', 'awaiting_approval')
    GROUP BY 1, 2, 3, 4
    HAVING
        sum(m.sign) <> 0
        OR sum(m.sign * m.difference) <> 0
        OR sum(m.sign * abs(m.difference)) <> 0
        OR sum(m.sign * abs(m.unexplained)) <> 0;
    RETURN NULL;
END
$$;

CREATE TRIGGER discrepancies_tally_new AFTER INSERT ON discrepancies
REFERENCING NEW TABLE AS come
FOR EACH STATEMENT EXECUTE FUNCTION tally_discrepancies();
CREATE TRIGGER discrepancies_tally_changed AFTER UPDATE ON discrepancies
REFERENCING OLD TABLE AS gone NEW TABLE AS come
FOR EACH STATEMENT EXECUTE FUNCTION tally_discrepancies();
CREATE TRIGGER discrepancies_tally_gone AFTER DELETE ON discrepancies
REFERENCING OLD TABLE AS gone
FOR EACH STATEMENT EXECUTE FUNCTION tally_discrepancies();

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

-- Which run saw which discrepancy, how it stood against the run before, and what both sides and
-- their difference were then.
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
    available_difference numeric(38, 0) NOT NULL,
    ledger_version bigint NOT NULL,
    ledger_available numeric(38, 0) NOT NULL,
    ledger_held numeric(38, 0) NOT NULL,
    game_available numeric(38, 0) NOT NULL,
    game_held numeric(38, 0) NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    PRIMARY KEY (user_id, discrepancy_id, run_id)
);

CREATE INDEX run_discrepancies_run_idx ON run_discrepancies (run_id, discrepancy_id);

-- The discrepancies of a filter, each part of which may be null: any. Whatever lists, counts or
-- exports them asks here. The planner puts it in place of the call, so that with the values known
-- what is null costs nothing and the rest finds its index; it may neither be strict nor set any
-- parameter for that. `p_run_id` is a run that saw them, `p_first_run_id` the one that opened them;
-- `p_q` the start of a player's or a discrepancy's id, or a fact's whole id; `p_unexplained`
-- whether a part of them is unexplained; `p_before` bounds ids.
CREATE FUNCTION matching_discrepancies(
    p_statuses text[],
    p_causes text[],
    p_currency text,
    p_user_id text,
    p_run_id uuid,
    p_first_run_id uuid,
    p_assignee text,
    p_seen_from timestamptz,
    p_seen_before timestamptz,
    p_q text,
    p_incident_id uuid,
    p_unexplained boolean,
    p_before uuid
) RETURNS SETOF discrepancies
LANGUAGE sql STABLE
AS $$
    SELECT d.*
    FROM public.discrepancies AS d
    -- No condition with OR could be made a join; this one is one where there is a run, and is none
    -- where there is not.
    LEFT JOIN public.run_discrepancies AS r
        ON
            r.discrepancy_id = d.discrepancy_id
            AND r.run_id = p_run_id
            AND (p_before IS NULL OR r.discrepancy_id < p_before)
    WHERE
        (p_statuses IS NULL OR d.status = any(p_statuses))
        -- One cause is a constant, by which an index has an order; one of several is not.
        AND (
            p_causes IS NULL
            OR (cardinality(p_causes) = 1 AND d.cause = p_causes[1])
            OR (cardinality(p_causes) <> 1 AND d.cause = any(p_causes))
        )
        AND (p_currency IS NULL OR d.currency = p_currency)
        AND (p_user_id IS NULL OR d.user_id = p_user_id)
        AND (p_run_id IS NULL OR r.standing <> 'healed')
        AND (p_first_run_id IS NULL OR d.first_run_id = p_first_run_id)
        AND (p_assignee IS NULL OR d.assignee = p_assignee)
        AND (p_seen_from IS NULL OR d.first_seen_at >= p_seen_from)
        AND (p_seen_before IS NULL OR d.first_seen_at < p_seen_before)
        AND (
            p_q IS NULL
            OR starts_with(d.user_id, p_q)
            -- An index knows ids, not their text: all that begin so lie between two of them.
            OR (
                d.discrepancy_id >= CASE
                    WHEN p_q ~ '^[0-9A-Fa-f-]+$' THEN rpad(replace(p_q, '-', ''), 32, '0')::uuid
                END
                AND d.discrepancy_id <= CASE
                    WHEN p_q ~ '^[0-9A-Fa-f-]+$' THEN rpad(replace(p_q, '-', ''), 32, 'f')::uuid
                END
                AND starts_with(d.discrepancy_id::text, lower(p_q))
            )
            OR jsonb_path_query_array(d.evidence, '$[*].id') @> to_jsonb(p_q)
        )
        AND (p_incident_id IS NULL OR d.incident_id = p_incident_id)
        AND (p_unexplained IS NULL OR (d.unexplained <> 0) = p_unexplained)
        AND (p_before IS NULL OR d.discrepancy_id < p_before)
$$;

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
    -- What it is to put right: the wallet as it is when it is proposed, and what ledger and game
    -- showed when they were last compared. Another version, or another difference, makes it stale.
    ledger_version bigint NOT NULL,
    available_difference numeric(38, 0) NOT NULL,
    ledger_available numeric(38, 0) NOT NULL,
    game_available numeric(38, 0) NOT NULL,
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
CREATE INDEX adjustments_state_idx ON adjustments (state, adjustment_id);
CREATE INDEX adjustments_discrepancy_idx ON adjustments (user_id, discrepancy_id);
CREATE UNIQUE INDEX adjustments_one_open_idx ON adjustments (user_id, discrepancy_id)
WHERE state = 'proposed';

-- Adjustments, and how each stands against its wallet now: whoever reads, lists, decides or
-- replaces them asks here. A proposal was weighed on one version of the wallet and one difference.
-- Where either is another by now, it may not be booked any more, and `why_stale` says which; null:
-- it still may, or it is decided. `difference_now` is known only where ledger and game were
-- compared as the wallet is now. The planner puts it in place of the call; it may neither be strict
-- nor set any parameter for that, and is said to be safe in parallel as what stands in it is: a
-- long list is sorted so.
CREATE FUNCTION adjustments_now() RETURNS TABLE (
    adjustment_id uuid,
    discrepancy_id uuid,
    user_id text,
    currency text,
    amount numeric,
    reason text,
    state text,
    ledger_version bigint,
    available_difference numeric,
    ledger_available numeric,
    game_available numeric,
    proposed_by text,
    proposed_at timestamptz,
    decided_by text,
    decided_at timestamptz,
    decision_reason text,
    difference_now numeric,
    ledger_now numeric,
    game_now numeric,
    is_over boolean,
    why_stale text
)
LANGUAGE sql STABLE PARALLEL SAFE
AS $$
    SELECT
        j.adjustment_id,
        j.discrepancy_id,
        j.user_id,
        j.currency,
        j.amount,
        j.reason,
        j.state,
        j.ledger_version,
        j.available_difference,
        j.ledger_available,
        j.game_available,
        j.proposed_by,
        j.proposed_at,
        j.decided_by,
        j.decided_at,
        j.decision_reason,
        CASE WHEN d.ledger_version = coalesce(w.version, 0) THEN d.available_difference END,
        coalesce(w.available, 0),
        d.game_available,
        d.discrepancy_id IS NULL OR d.closed_at IS NOT NULL,
        CASE
            WHEN j.state <> 'proposed' THEN null
            WHEN
                d.ledger_version = coalesce(w.version, 0)
                AND d.available_difference <> j.available_difference
                THEN 'the difference changed'
            WHEN j.ledger_version <> coalesce(w.version, 0) THEN 'the wallet moved'
        END
    FROM public.adjustments AS j
    LEFT JOIN public.wallets AS w ON w.user_id = j.user_id AND w.currency = j.currency
    LEFT JOIN public.discrepancies AS d
        ON d.user_id = j.user_id AND d.discrepancy_id = j.discrepancy_id
$$;
