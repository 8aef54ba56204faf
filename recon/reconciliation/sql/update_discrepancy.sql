-- As in insert_discrepancy.sql; seen again by run $20, possibly with another difference. What was
-- ignored was this difference, until then: another one, or a later look, opens it again. One that
-- had closed and has come back is open again.
UPDATE discrepancies
SET
    severity = $4,
    cause = $5,
    ledger_available = $6,
    ledger_held = $7,
    ledger_reserved = $8,
    ledger_version = $9,
    game_available = $10,
    game_held = $11,
    game_as_of = $12,
    available_difference = $13,
    held_difference = $14,
    difference = coalesce(nullif($13::numeric, 0), $14::numeric),
    explained = $15,
    unexplained = $16,
    evidence = $17,
    confidence = $21,
    alternatives = $22,
    root = $23,
    root_at = $24,
    -- What is explained otherwise now is no part of what it was part of.
    incident_id = CASE WHEN cause = $5 AND root IS NOT DISTINCT FROM $23 THEN incident_id END,
    unexplained_since = CASE
        WHEN $16::numeric = 0 THEN null
        WHEN closed_at IS NULL THEN coalesce(unexplained_since, clock_timestamp())
        ELSE clock_timestamp()
    END,
    looked_at = $18,
    first_seen_at = least(first_seen_at, $19),
    last_seen_at = clock_timestamp(),
    occurrences = occurrences + 1,
    last_run_id = $20,
    status = CASE
        WHEN
            status = 'ignored'
            AND NOT (
                coalesce(ignored_until > clock_timestamp(), true)
                AND available_difference = $13
                AND held_difference = $14
            )
            THEN CASE WHEN assignee IS NULL THEN 'open' ELSE 'investigating' END
        WHEN
            closed_at IS NOT NULL
            -- What is proposed is stale by that.
            OR (
                status = 'awaiting_approval'
                AND (available_difference <> $13 OR held_difference <> $14)
            )
            THEN CASE WHEN assignee IS NULL THEN 'open' ELSE 'investigating' END
        ELSE status
    END,
    reopened_at = CASE WHEN closed_at IS NULL THEN reopened_at ELSE clock_timestamp() END,
    closed_at = null,
    ignored_until = CASE
        WHEN
            coalesce(ignored_until > clock_timestamp(), true)
            AND available_difference = $13
            AND held_difference = $14
            THEN ignored_until
    END
WHERE user_id = $1 AND discrepancy_id = $2 AND currency = $3
RETURNING status
