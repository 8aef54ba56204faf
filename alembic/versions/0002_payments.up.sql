-- What a PSP is about to report, registered by the operator's own systems before it happens.
CREATE TABLE payments (
    reference text PRIMARY KEY CHECK (reference <> '' AND length(reference) <= 128),
    endpoint text NOT NULL,
    direction text NOT NULL CHECK (direction IN ('deposit', 'withdrawal')),
    user_id text NOT NULL,
    currency text NOT NULL REFERENCES currencies (code),
    amount numeric(38, 0) NOT NULL CHECK (amount > 0),
    state text NOT NULL CHECK (
        state IN ('registered', 'pending', 'accepted', 'succeeded', 'paid', 'failed', 'returned')
    ),
    -- The PSP's own id, once it has reported.
    payment_id text,
    -- The reservation of a withdrawal in the ledger.
    hold_id uuid,
    registered_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    reported_at timestamptz,
    updated_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    -- When it was found that no PSP has reported it in time, and that a withdrawal which the PSP
    -- has taken on stays unpaid; each is found once for ever.
    overdue_at timestamptz,
    unpaid_at timestamptz
);

CREATE INDEX payments_user_idx ON payments (user_id, currency);
-- Payments whose outcome no PSP has told yet.
CREATE INDEX payments_open_idx ON payments (user_id, currency)
WHERE state IN ('registered', 'pending', 'accepted');
CREATE INDEX payments_recent_idx ON payments (updated_at)
WHERE state IN ('registered', 'pending', 'accepted');
CREATE INDEX payments_payment_id_idx ON payments (endpoint, payment_id)
WHERE payment_id IS NOT NULL;
-- What may be found to be overdue: it leaves its index when it is, so that what was abandoned long
-- ago is not looked at again.
CREATE INDEX payments_unreported_idx ON payments (registered_at)
WHERE state = 'registered' AND overdue_at IS NULL;
CREATE INDEX payments_unpaid_idx ON payments (reported_at)
WHERE direction = 'withdrawal' AND state IN ('pending', 'accepted') AND unpaid_at IS NULL;
