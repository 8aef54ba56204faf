-- Files in which a PSP says what it has settled. One is here whole or not at all.
CREATE TABLE settlement_files (
    file_id uuid PRIMARY KEY,
    endpoint text NOT NULL,
    format text NOT NULL CHECK (format IN ('adyen', 'stripe', 'plain')),
    name text NOT NULL,
    -- Of what is in it, unpacked.
    content_sha256 bytea NOT NULL,
    bytes bigint NOT NULL,
    -- Every line below the header is one of: new, repeated (another file had it), duplicate (this
    -- file has it twice), rejected.
    lines bigint NOT NULL,
    new_lines bigint NOT NULL,
    repeated_lines bigint NOT NULL,
    duplicate_lines bigint NOT NULL,
    rejected_lines bigint NOT NULL,
    -- Payments, refunds and their like of its new lines that are booked here just so.
    matched bigint NOT NULL,
    period_from timestamptz NOT NULL,
    period_to timestamptz NOT NULL,
    -- The stretches of time in which it has lines, and of what it tells: deposit, refund, …
    spans jsonb NOT NULL,
    tells text[] NOT NULL,
    -- For which times, by what it tells, it was asked with this file what is booked and in none.
    judged jsonb NOT NULL,
    -- What was booked here before this instant and is in no file was looked for.
    checked_until timestamptz NOT NULL,
    -- Sums of its new lines by kind, the PSP's word, and currency.
    totals jsonb NOT NULL,
    imported_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    imported_by text NOT NULL,
    CONSTRAINT settlement_files_lines_check CHECK (
        lines = new_lines + repeated_lines + duplicate_lines + rejected_lines
    ),
    CONSTRAINT settlement_files_content_key UNIQUE (endpoint, content_sha256)
);

CREATE INDEX settlement_files_period_idx ON settlement_files (endpoint, period_to);

-- The new lines of each file, so that a later one is compared with them. Read file by file only:
-- an index by payment, or a foreign key looked up for each row, would cost more than everything
-- else about a file of millions. One transaction writes them and their file.
CREATE TABLE settlement_lines (
    file_id uuid NOT NULL,
    line_no bigint NOT NULL,
    line_key uuid NOT NULL,
    kind text NOT NULL,
    payment_id text,
    effect_id text,
    -- Where the line names no id of the PSP's, and none was reported under it by then.
    reference text,
    currency text,
    amount numeric(38, 0),
    settled_at timestamptz NOT NULL,
    PRIMARY KEY (file_id, line_no)
);

-- What a PSP pays at once, over all files: everything in it and the payout itself must sum to zero.
CREATE TABLE settlement_batches (
    endpoint text NOT NULL,
    batch text NOT NULL,
    currency text NOT NULL REFERENCES currencies (code),
    lines bigint NOT NULL,
    -- Of the lines that are paid, and of the payouts: signed, as they change the PSP's debt to us.
    net numeric(38, 0) NOT NULL,
    paid numeric(38, 0) NOT NULL,
    payouts bigint NOT NULL,
    last_file_id uuid NOT NULL REFERENCES settlement_files (file_id),
    PRIMARY KEY (endpoint, batch, currency)
);

CREATE INDEX settlement_batches_file_idx ON settlement_batches (last_file_id);

-- Where a file and our books disagree, or a line cannot be read. Of nobody's wallet: ~<endpoint>.
CREATE TABLE settlement_findings (
    user_id text NOT NULL,
    finding_id uuid NOT NULL,
    endpoint text NOT NULL,
    file_id uuid NOT NULL,
    kind text NOT NULL CHECK (
        kind IN (
            'missing_here', 'missing_there', 'amount_mismatch', 'currency_mismatch',
            'status_conflict', 'duplicate_line', 'rejected_line', 'unknown_type', 'payout_mismatch'
        )
    ),
    -- What the line is about: deposit, refund, chargeback, …
    about text,
    payment_id text,
    effect_id text,
    reference text,
    line_no bigint,
    settled_currency text,
    settled_amount numeric(38, 0),
    booked_currency text,
    booked_amount numeric(38, 0),
    settled_at timestamptz,
    detail text NOT NULL,
    state text NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'resolved', 'dismissed')),
    found_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    resolved_at timestamptz,
    resolution text,
    case_id uuid,
    PRIMARY KEY (user_id, finding_id),
    CONSTRAINT settlement_findings_resolved_check CHECK (
        (state = 'open') = (resolved_at IS NULL)
    )
);

CREATE INDEX settlement_findings_file_idx ON settlement_findings (file_id, finding_id);
CREATE INDEX settlement_findings_open_idx ON settlement_findings (finding_id)
WHERE state = 'open';
CREATE INDEX settlement_findings_case_idx ON settlement_findings (case_id);

CREATE TRIGGER settlement_files_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_files
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();
CREATE TRIGGER settlement_lines_append_only
BEFORE UPDATE OR DELETE OR TRUNCATE ON settlement_lines
FOR EACH STATEMENT EXECUTE FUNCTION refuse_change();

-- Who closes a case has dealt with what was found.
CREATE FUNCTION dismiss_settlement_findings() RETURNS trigger
LANGUAGE plpgsql
AS $$
BEGIN
    UPDATE settlement_findings
    SET
        state = 'dismissed',
        resolved_at = clock_timestamp(),
        resolution = coalesce(new.closed_by, 'somebody') || ': '
            || coalesce(new.closed_reason, 'no reason given')
    WHERE case_id = new.case_id AND state = 'open';
    RETURN NULL;
END
$$;

CREATE TRIGGER cases_dismiss_settlement_findings AFTER UPDATE OF state ON cases
FOR EACH ROW
WHEN (old.state = 'open' AND new.state = 'closed' AND starts_with(new.kind, 'settlement_'))
EXECUTE FUNCTION dismiss_settlement_findings();
