DROP FUNCTION ledger_post;
DROP TABLE hold_resolutions, holds, idempotency, postings, wallets, currencies;
DROP FUNCTION refuse_change;
DROP TYPE ledger_entry;
