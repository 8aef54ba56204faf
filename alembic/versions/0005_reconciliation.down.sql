DROP FUNCTION matching_discrepancies, adjustments_now;
DROP TABLE
adjustments,
discrepancy_events,
run_totals,
run_tolerances,
incidents,
run_discrepancies,
discrepancies,
discrepancy_tallies,
suspects,
run_wallets,
checks,
run_ranges,
runs;
DROP FUNCTION tally_discrepancies, tallied_at, discrepancy_key;
