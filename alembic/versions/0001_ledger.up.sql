-- The ledger: wallets, postings, holds and idempotency. user_id stands first in every key, so that
-- the tables can be distributed by it (docs: README, "Decisions").
CREATE TABLE currencies (
    code text PRIMARY KEY,
    exponent smallint NOT NULL CHECK (exponent BETWEEN 0 AND 18)
);

INSERT INTO currencies (code, exponent) VALUES
('AED', 2), ('AFN', 2), ('ALL', 2), ('AMD', 2), ('ANG', 2), ('AOA', 2),
('ARS', 2), ('AUD', 2), ('AWG', 2), ('AZN', 2), ('BAM', 2), ('BBD', 2),
('BCH', 8), ('BDT', 2), ('BGN', 2), ('BHD', 3), ('BIF', 0), ('BMD', 2),
('BNB', 18), ('BND', 2), ('BOB', 2), ('BRL', 2), ('BSD', 2), ('BTC', 8),
('BTN', 2), ('BWP', 2), ('BYN', 2), ('BZD', 2), ('CAD', 2), ('CDF', 2),
('CHF', 2), ('CLP', 0), ('CNY', 2), ('COP', 2), ('CRC', 2), ('CUP', 2),
('CVE', 2), ('CZK', 2), ('DJF', 0), ('DKK', 2), ('DOGE', 8), ('DOP', 2),
('DZD', 2), ('EGP', 2), ('ERN', 2), ('ETB', 2), ('ETH', 18), ('EUR', 2),
('FJD', 2), ('FKP', 2), ('GBP', 2), ('GEL', 2), ('GHS', 2), ('GIP', 2),
('GMD', 2), ('GNF', 0), ('GTQ', 2), ('GYD', 2), ('HKD', 2), ('HNL', 2),
('HTG', 2), ('HUF', 2), ('IDR', 2), ('ILS', 2), ('INR', 2), ('IQD', 3),
('IRR', 2), ('ISK', 0), ('JMD', 2), ('JOD', 3), ('JPY', 0), ('KES', 2),
('KGS', 2), ('KHR', 2), ('KMF', 0), ('KPW', 2), ('KRW', 0), ('KWD', 3),
('KYD', 2), ('KZT', 2), ('LAK', 2), ('LBP', 2), ('LKR', 2), ('LRD', 2),
('LSL', 2), ('LTC', 8), ('LYD', 3), ('MAD', 2), ('MDL', 2), ('MGA', 2),
('MKD', 2), ('MMK', 2), ('MNT', 2), ('MOP', 2), ('MRU', 2), ('MUR', 2),
('MVR', 2), ('MWK', 2), ('MXN', 2), ('MYR', 2), ('MZN', 2), ('NAD', 2),
('NGN', 2), ('NIO', 2), ('NOK', 2), ('NPR', 2), ('NZD', 2), ('OMR', 3),
('PAB', 2), ('PEN', 2), ('PGK', 2), ('PHP', 2), ('PKR', 2), ('PLN', 2),
('PYG', 0), ('QAR', 2), ('RON', 2), ('RSD', 2), ('RUB', 2), ('RWF', 0),
('SAR', 2), ('SBD', 2), ('SCR', 2), ('SDG', 2), ('SEK', 2), ('SGD', 2),
('SHP', 2), ('SLE', 2), ('SOL', 9), ('SOS', 2), ('SRD', 2), ('SSP', 2),
('STN', 2), ('SVC', 2), ('SYP', 2), ('SZL', 2), ('THB', 2), ('TJS', 2),
('TMT', 2), ('TND', 3), ('TOP', 2), ('TRX', 6), ('TRY', 2), ('TTD', 2),
('TWD', 2), ('TZS', 2), ('UAH', 2), ('UGX', 0), ('USD', 2), ('USDC', 6),
('USDT', 6), ('UYU', 2), ('UZS', 2), ('VES', 2), ('VND', 0), ('VUV', 0),
('WST', 2), ('XAF', 0), ('XCD', 2), ('XOF', 0), ('XPF', 0), ('XRP', 6),
('YER', 2), ('ZAR', 2), ('ZMW', 2), ('ZWG', 2);

-- The balances are a cache of the postings, locked while they change; `recon verify` proves them.
-- Room on each page and an eager vacuum keep the updates in place (HOT).
CREATE TABLE wallets (
    user_id text NOT NULL CHECK (user_id <> '' AND length(user_id) <= 256),
    currency text NOT NULL REFERENCES currencies (code),
    available numeric(38, 0) NOT NULL DEFAULT 0,
    held numeric(38, 0) NOT NULL DEFAULT 0 CONSTRAINT wallets_held_check CHECK (held >= 0),
    reserved numeric(38, 0) NOT NULL DEFAULT 0
    CONSTRAINT wallets_reserved_check CHECK (reserved >= 0),
    version bigint NOT NULL DEFAULT 0,
    opened_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When the newest posting was recorded; no later one says that it was before.
    posted_at timestamptz,
    PRIMARY KEY (user_id, currency)
) WITH (
    fillfactor = 60,
    autovacuum_vacuum_scale_factor = 0,
    autovacuum_vacuum_threshold = 5000,
    autovacuum_vacuum_cost_delay = 0
);

-- One row is one debit and one credit of the same amount, so an unbalanced posting cannot be
-- written. The wallet's version orders them; the balances after it stand on the row.
CREATE TABLE postings (
    user_id text NOT NULL,
    currency text NOT NULL,
    version bigint NOT NULL CHECK (version > 0),
    debit text NOT NULL,
    credit text NOT NULL,
    -- To Postgres, what is not a number is above every number.
    amount numeric(38, 0) NOT NULL
    CONSTRAINT postings_amount_check CHECK (amount > 0 AND amount <> 'NaN'),
    kind text NOT NULL,
    source text NOT NULL,
    key text NOT NULL,
    hold_id uuid,
    event_at timestamptz NOT NULL,
    recorded_at timestamptz NOT NULL,
    available_after numeric(38, 0) NOT NULL,
    held_after numeric(38, 0) NOT NULL,
    reserved_after numeric(38, 0) NOT NULL,
    PRIMARY KEY (user_id, currency, version),
    CONSTRAINT postings_accounts_check CHECK (
        debit <> credit
        AND debit IN (
            'available', 'held', 'reserved', 'clearing', 'game', 'suspense', 'adjustment'
        )
        AND credit IN (
            'available', 'held', 'reserved', 'clearing', 'game', 'suspense', 'adjustment'
        )
    ),
    -- A stake, a withdrawal or a person's adjustment never overdraws; only a fact that a PSP or the
    -- game reports may.
    CONSTRAINT postings_overdraft_check CHECK (
        debit <> 'available'
        OR kind NOT IN ('bet.held', 'withdrawal.reserved', 'adjustment')
        OR available_after >= 0
    )
);

-- Which wallets changed since the last run: read in the order of writing, almost free to keep.
CREATE INDEX postings_recorded_at_idx ON postings USING brin (recorded_at)
WITH (pages_per_range = 16, autosummarize = on);

-- (source, key) once for ever, with the hash of what was asked.
CREATE TABLE idempotency (
    user_id text NOT NULL,
    source text NOT NULL,
    key text NOT NULL,
    request_hash bytea NOT NULL,
    currency text NOT NULL,
    version bigint NOT NULL,
    PRIMARY KEY (user_id, source, key)
);

CREATE TABLE holds (
    user_id text NOT NULL,
    hold_id uuid NOT NULL,
    currency text NOT NULL,
    account text NOT NULL CHECK (account IN ('held', 'reserved')),
    amount numeric(38, 0) NOT NULL CHECK (amount > 0),
    version bigint NOT NULL,
    opened_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, hold_id)
);

-- A hold is resolved at most once: captured, voided or expired.
CREATE TABLE hold_resolutions (
    user_id text NOT NULL,
    hold_id uuid NOT NULL,
    outcome text NOT NULL CHECK (outcome IN ('captured', 'voided', 'expired')),
    version bigint NOT NULL,
    resolved_at timestamptz NOT NULL,
    PRIMARY KEY (user_id, hold_id),
    FOREIGN KEY (user_id, hold_id) REFERENCES holds (user_id, hold_id)
);

CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'table % is append-only', tg_table_name
    USING ERRCODE = 'restrict_violation';
END
$$;

CREATE TRIGGER postings_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON postings
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER idempotency_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON idempotency
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER holds_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON holds
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER hold_resolutions_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON hold_resolutions
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- An entry as a client sends it to be posted: an array of rows is sent several times as fast as an
-- array for each column. The amount is digits.
CREATE TYPE ledger_entry AS (
    user_id text,
    currency text,
    debit text,
    credit text,
    amount text,
    kind text,
    source text,
    key text,
    request_hash bytea,
    event_at timestamptz,
    guarded boolean,
    hold_id uuid,
    hold_op text
);

-- The only way to write money. Members are taken wallet by wallet in the order given; one that
-- cannot be posted says why and leaves its neighbours alone. Everything is read and written set by
-- set: the loop between only computes.
--   guarded: refuse the member rather than overdraw `available`.
--   hold_op: null, 'open' (hold_id is new), or 'captured', 'voided', 'expired' (it is resolved).
--   outcome: posted | repeated | conflict | insufficient | hold_unknown | hold_resolved.
-- A (source, key) or a hold may stand once in a call: the primary keys refuse it twice.
CREATE FUNCTION ledger_post(p_entries public.ledger_entry[])
RETURNS TABLE (
    member integer, outcome text, version bigint,
    available numeric, held numeric, reserved numeric
)
LANGUAGE plpgsql SECURITY DEFINER
-- It runs with its owner's rights, so nothing that a caller could make is found by its name: our
-- tables are named with their schema.
SET search_path = pg_catalog, pg_temp
-- Planned once a session: planning each call anew took half of a single posting's time.
SET plan_cache_mode = force_generic_plan
-- The plan must not depend on how full the tables were then: one made while they were small reads
-- them whole, and made a posting ten times as slow as soon as they had grown. So every row is found
-- by its key, one by one.
SET enable_seqscan = off
SET enable_indexonlyscan = off
SET enable_hashjoin = off
SET enable_mergejoin = off
SET enable_material = off
AS $$
#variable_conflict use_column
DECLARE
    r record;
    v_user text;
    v_currency text;
    v_wallet integer := 0;
    v_available numeric;
    v_held numeric;
    v_reserved numeric;
    v_version bigint;
    v_outcome text;
    v_holds boolean := false;
    v_now timestamptz;
    -- The wallets in the order of their keys.
    w_row tid[];
    w_available numeric[];
    w_held numeric[];
    w_reserved numeric[];
    w_version bigint[];
    w_time timestamptz[];
    w_changed boolean[];
    v_changed integer;
    -- The outcomes in the order of the entries.
    o_outcome text[] := array_fill(NULL::text, ARRAY[cardinality(p_entries)]);
    o_version bigint[] := array_fill(NULL::bigint, ARRAY[cardinality(p_entries)]);
    o_time timestamptz[] := array_fill(NULL::timestamptz, ARRAY[cardinality(p_entries)]);
    o_available numeric[] := array_fill(NULL::numeric, ARRAY[cardinality(p_entries)]);
    o_held numeric[] := o_available;
    o_reserved numeric[] := o_available;
BEGIN
    -- Whoever is cut off before the commit and never heard of again must not hold the wallets until
    -- the network gives up hours later. What is answered is durable, whatever the role's or the
    -- database's default is.
    PERFORM
        set_config('idle_in_transaction_session_timeout', '10s', true),
        CASE current_setting('synchronous_commit')
            WHEN 'off' THEN set_config('synchronous_commit', 'on', true)
        END;
    -- A wallet opens with its first posting; who may only take from it cannot open it.
    IF EXISTS (
        SELECT FROM unnest(p_entries) AS e
        WHERE NOT e.guarded AND NOT EXISTS (
            SELECT FROM public.wallets AS w
            WHERE w.user_id = e.user_id AND w.currency = e.currency
        )
    ) THEN
        INSERT INTO public.wallets (user_id, currency)
        SELECT DISTINCT e.user_id, e.currency
        FROM unnest(p_entries) AS e
        WHERE NOT e.guarded
            AND NOT EXISTS (
                SELECT FROM public.wallets AS w
                WHERE w.user_id = e.user_id AND w.currency = e.currency
            )
            AND NOT EXISTS (
                SELECT FROM public.idempotency AS i
                WHERE i.user_id = e.user_id AND i.source = e.source AND i.key = e.key
            )
        ORDER BY 1, 2
        ON CONFLICT DO NOTHING;
    END IF;

    -- In key order, so that two calls never wait for each other in a ring.
    SELECT
        array_agg(l.ctid), array_agg(coalesce(l.available, 0)), array_agg(coalesce(l.held, 0)),
        array_agg(coalesce(l.reserved, 0)), array_agg(coalesce(l.version, 0)), array_agg(false),
        array_agg(l.posted_at)
    INTO w_row, w_available, w_held, w_reserved, w_version, w_changed, w_time
    FROM (
        SELECT e.user_id AS u, e.currency AS c
        FROM unnest(p_entries) AS e
        GROUP BY e.user_id, e.currency
        ORDER BY e.user_id COLLATE "C", e.currency COLLATE "C"
    ) AS k
    LEFT JOIN LATERAL (
        SELECT w.ctid, w.available, w.held, w.reserved, w.version, w.posted_at
        FROM public.wallets AS w
        WHERE w.user_id = k.u AND w.currency = k.c
        FOR NO KEY UPDATE
    ) AS l ON true;
    -- After the locks: a posting is committed soon after its time, however long others were waited
    -- for. For each wallet it is no earlier than any posting already on it: a clock may step back,
    -- and the one of a standby that takes over may be behind.
    v_now := clock_timestamp();

    FOR r IN
        SELECT
            e.ord::integer AS ord, e.user_id AS u, e.currency AS c, e.debit AS d, e.credit AS cr,
            e.amount::numeric AS a, e.request_hash AS h, e.guarded AS g, e.hold_op AS op,
            i.request_hash AS prior_hash, i.version AS prior_version,
            hold.amount AS hold_amount, hold.currency AS hold_currency,
            hold.account AS hold_account, done.outcome AS hold_outcome
        FROM unnest(p_entries) WITH ORDINALITY AS e (
            user_id, currency, debit, credit, amount, kind, source, key, request_hash, event_at,
            guarded, hold_id, hold_op, ord
        )
        LEFT JOIN public.idempotency AS i
            ON i.user_id = e.user_id AND i.source = e.source AND i.key = e.key
        LEFT JOIN public.holds AS hold ON hold.user_id = e.user_id AND hold.hold_id = e.hold_id
        LEFT JOIN public.hold_resolutions AS done
            ON done.user_id = e.user_id AND done.hold_id = e.hold_id
        ORDER BY e.user_id COLLATE "C", e.currency COLLATE "C", e.ord
    LOOP
        IF r.u IS DISTINCT FROM v_user OR r.c IS DISTINCT FROM v_currency THEN
            IF v_wallet > 0 THEN
                w_available[v_wallet] := v_available;
                w_held[v_wallet] := v_held;
                w_reserved[v_wallet] := v_reserved;
                w_changed[v_wallet] := v_version > w_version[v_wallet];
                w_version[v_wallet] := v_version;
            END IF;
            v_wallet := v_wallet + 1;
            v_user := r.u;
            v_currency := r.c;
            v_available := w_available[v_wallet];
            v_held := w_held[v_wallet];
            v_reserved := w_reserved[v_wallet];
            v_version := w_version[v_wallet];
            w_time[v_wallet] := greatest(v_now, w_time[v_wallet]);
        END IF;

        IF r.prior_hash IS NOT NULL THEN
            v_outcome := CASE WHEN r.prior_hash = r.h THEN 'repeated' ELSE 'conflict' END;
            o_version[r.ord] := r.prior_version;
        ELSIF r.op IS NOT NULL AND r.op <> 'open' AND (
            r.hold_amount IS NULL OR r.hold_currency <> r.c OR r.hold_amount <> r.a
            OR r.hold_account <> r.d
        ) THEN
            v_outcome := 'hold_unknown';
        ELSIF r.op IS NOT NULL
            AND (r.hold_outcome IS NOT NULL OR (r.op = 'open' AND r.hold_amount IS NOT NULL)) THEN
            v_outcome := 'hold_resolved';
        ELSIF r.g AND r.d = 'available' AND v_available < r.a THEN
            v_outcome := 'insufficient';
        ELSE
            v_outcome := 'posted';
            v_version := v_version + 1;
            o_version[r.ord] := v_version;
            IF r.d = 'available' THEN v_available := v_available - r.a;
            ELSIF r.d = 'held' THEN v_held := v_held - r.a;
            ELSIF r.d = 'reserved' THEN v_reserved := v_reserved - r.a;
            END IF;
            IF r.cr = 'available' THEN v_available := v_available + r.a;
            ELSIF r.cr = 'held' THEN v_held := v_held + r.a;
            ELSIF r.cr = 'reserved' THEN v_reserved := v_reserved + r.a;
            END IF;
        END IF;
        v_holds := v_holds OR r.op IS NOT NULL;
        o_outcome[r.ord] := v_outcome;
        o_time[r.ord] := w_time[v_wallet];
        o_available[r.ord] := v_available;
        o_held[r.ord] := v_held;
        o_reserved[r.ord] := v_reserved;
    END LOOP;
    IF v_wallet > 0 THEN
        w_available[v_wallet] := v_available;
        w_held[v_wallet] := v_held;
        w_reserved[v_wallet] := v_reserved;
        w_changed[v_wallet] := v_version > w_version[v_wallet];
        w_version[v_wallet] := v_version;
    END IF;

    IF true = ANY (w_changed) THEN
        WITH z AS MATERIALIZED (
            SELECT *
            FROM ROWS FROM (
                unnest(p_entries), unnest(o_outcome), unnest(o_version), unnest(o_time),
                unnest(o_available), unnest(o_held), unnest(o_reserved)
            ) AS e (
                user_id, currency, debit, credit, amount, kind, source, key, request_hash, event_at,
                guarded, hold_id, hold_op, outcome, v, at, a, h, r
            )
            WHERE e.outcome = 'posted'
        ),

        written AS (
            INSERT INTO public.postings (
                user_id, currency, version, debit, credit, amount, kind, source, key, hold_id,
                event_at, recorded_at, available_after, held_after, reserved_after
            )
            SELECT
                z.user_id, z.currency, z.v, z.debit, z.credit, z.amount::numeric, z.kind, z.source,
                z.key, z.hold_id, z.event_at, z.at, z.a, z.h, z.r
            FROM z
        )

        INSERT INTO public.idempotency (user_id, source, key, request_hash, currency, version)
        SELECT z.user_id, z.source, z.key, z.request_hash, z.currency, z.v
        FROM z;

        IF v_holds THEN
            INSERT INTO public.holds (user_id, hold_id, currency, account, amount, version, opened_at)
            SELECT z.user_id, z.hold_id, z.currency, z.credit, z.amount::numeric, z.v, z.at
            FROM ROWS FROM (
                unnest(p_entries), unnest(o_outcome), unnest(o_version), unnest(o_time)
            ) AS z (
                user_id, currency, debit, credit, amount, kind, source, key, request_hash,
                event_at, guarded, hold_id, hold_op, outcome, v, at
            )
            WHERE z.outcome = 'posted' AND z.hold_op = 'open';

            INSERT INTO public.hold_resolutions (user_id, hold_id, outcome, version, resolved_at)
            SELECT z.user_id, z.hold_id, z.hold_op, z.v, z.at
            FROM ROWS FROM (
                unnest(p_entries), unnest(o_outcome), unnest(o_version), unnest(o_time)
            ) AS z (
                user_id, currency, debit, credit, amount, kind, source, key, request_hash,
                event_at, guarded, hold_id, hold_op, outcome, v, at
            )
            WHERE z.outcome = 'posted' AND z.hold_op <> 'open';
        END IF;

        -- By the place where each was locked: it cannot have moved.
        UPDATE public.wallets AS w
        SET
            available = n.available, held = n.held, reserved = n.reserved, version = n.version,
            posted_at = n.at
        FROM unnest(w_row, w_available, w_held, w_reserved, w_version, w_time, w_changed)
            AS n (place, available, held, reserved, version, at, changed)
        WHERE w.ctid = n.place AND n.changed;
        GET DIAGNOSTICS v_changed = ROW_COUNT;
        IF v_changed <> cardinality(array_positions(w_changed, true)) THEN
            RAISE EXCEPTION 'a wallet is not where it was locked';
        END IF;
    END IF;

    RETURN QUERY
    SELECT z.m::integer, z.outcome, z.v, z.a, z.h, z.r
    FROM unnest(o_outcome, o_version, o_available, o_held, o_reserved) WITH ORDINALITY
        AS z (outcome, v, a, h, r, m);
END
$$;

-- Who writes money is granted it by name.
REVOKE ALL ON FUNCTION ledger_post FROM public;
