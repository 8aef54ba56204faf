-- What the service's own role may do, exactly; run by `recon migrate` after the versions, and by
-- hand with `psql -v service=recon_service -f grants.sql`. Whoever adds a table adds its line here,
-- and tests/architecture/test_service_role.py says so. Money has one door: ledger_post, which runs
-- with its owner's rights; what only grows can be neither changed nor removed.
REVOKE ALL ON ALL TABLES IN SCHEMA public FROM :"service";
REVOKE ALL ON ALL SEQUENCES IN SCHEMA public FROM :"service";
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA public FROM :"service";
REVOKE CREATE ON SCHEMA public FROM PUBLIC, :"service";
GRANT SELECT ON ALL TABLES IN SCHEMA public TO :"service";

-- The ledger.
GRANT EXECUTE ON FUNCTION ledger_post TO :"service";

-- Functions that run with the service's own rights, for an owner who gives PUBLIC none.
GRANT EXECUTE ON FUNCTION
payments_find, payments_report, intake_look_up, intake_movements, intake_write, intake_take,
bets_begin, bets_open, bets_conclude, bet_standing, is_same_person, matching_discrepancies,
discrepancy_key, adjustments_now, tallied_at, requests_begin, requests_finish
TO :"service";

-- Payments and the inbox, and how far a PSP's own list was compared with it.
GRANT INSERT, UPDATE ON cases, backfills TO :"service";
GRANT INSERT ON payments TO :"service";
-- What a PSP reports of one, and that it is overdue; not what was registered.
GRANT UPDATE (state, payment_id, reported_at, updated_at, overdue_at, unpaid_at)
ON payments TO :"service";
GRANT INSERT ON deliveries, delivery_repeats, movements TO :"service";
-- What became of a delivery, and what its bytes are read to say; they themselves may only go.
GRANT UPDATE (
    body, event_type, kind, payment_id, effect_id, reference, user_id, currency, amount, event_at,
    state, reason, waited_at
) ON deliveries TO :"service";
GRANT UPDATE (body) ON delivery_repeats TO :"service";
GRANT UPDATE (done_until) ON redaction TO :"service";
GRANT INSERT, DELETE ON redaction_left TO :"service";

-- Bets.
GRANT INSERT, UPDATE ON bets TO :"service";
GRANT INSERT ON bet_attempts TO :"service";
GRANT INSERT (
    user_id, ruling_id, bet_id, currency, outcome, payout, payout_transaction_id, ticket_id, reason,
    evidence, standing, state, proposed_by, proposed_step
) ON bet_rulings TO :"service";
GRANT UPDATE (state, decided_by, decided_step, decision_reason) ON bet_rulings TO :"service";
GRANT INSERT, UPDATE, DELETE ON game_outages TO :"service";
GRANT INSERT, UPDATE ON game_notices TO :"service";
GRANT INSERT, UPDATE ON stream_holders TO :"service";

-- Reconciliation.
GRANT INSERT, UPDATE ON runs, run_tolerances, checks, discrepancies, incidents TO :"service";
GRANT INSERT, UPDATE, DELETE ON run_ranges, suspects TO :"service";
GRANT INSERT, DELETE ON run_wallets, discrepancy_tallies TO :"service";
GRANT INSERT, DELETE ON run_discrepancies TO :"service";
GRANT INSERT ON run_totals TO :"service";
-- When it was is for the database to say: nothing is put in as if it had happened before.
GRANT INSERT (user_id, discrepancy_id, event_id, actor, action, detail)
ON discrepancy_events TO :"service";
GRANT INSERT (
    user_id, adjustment_id, discrepancy_id, currency, amount, reason, state, ledger_version,
    available_difference, ledger_available, game_available, proposed_by
) ON adjustments TO :"service";
GRANT UPDATE (state, decided_by, decision_reason) ON adjustments TO :"service";

-- Settlement files; what is found in them may be explained later.
GRANT INSERT ON settlement_files, settlement_lines TO :"service";
GRANT INSERT, UPDATE ON settlement_batches TO :"service";
GRANT INSERT ON settlement_findings TO :"service";
GRANT UPDATE (state, resolved_at, resolution) ON settlement_findings TO :"service";

-- Callers, staff, and what they did.
GRANT INSERT, UPDATE ON api_keys, staff TO :"service";
GRANT INSERT, UPDATE, DELETE ON api_requests, sessions, sign_in_links TO :"service";
GRANT INSERT, DELETE ON sign_in_attempts, oidc_starts, staff_identities TO :"service";
GRANT INSERT (audit_id, actor, action, object, detail) ON audit TO :"service";

-- Jobs.
GRANT INSERT, UPDATE, DELETE ON job_starts, tick_failures TO :"service";
GRANT INSERT, UPDATE, DELETE
ON pgqueuer, pgqueuer_log, pgqueuer_schedules, pgqueuer_statistics TO :"service";
GRANT USAGE ON pgqueuer_id_seq, pgqueuer_schedules_id_seq, pgqueuer_statistics_id_seq
TO :"service";

-- Seals.
GRANT INSERT ON seal_links, seals TO :"service";
GRANT INSERT, UPDATE ON sealing TO :"service";
GRANT INSERT, UPDATE, DELETE ON verifications TO :"service";

-- Alerts.
GRANT INSERT, DELETE ON alerts, alert_subjects TO :"service";
GRANT INSERT, UPDATE ON alert_deliveries, alert_channels TO :"service";
GRANT INSERT, UPDATE, DELETE ON alert_lanes TO :"service";
