DROP TABLE adjustments, discrepancy_events, run_discrepancies, discrepancies, suspects, checks, run_ranges, runs;
