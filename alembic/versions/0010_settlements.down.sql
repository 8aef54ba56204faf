DROP TRIGGER cases_dismiss_settlement_findings ON cases;
DROP FUNCTION dismiss_settlement_findings();
DROP TABLE
settlement_findings,
settlement_batches,
settlement_lines,
settlement_files;
