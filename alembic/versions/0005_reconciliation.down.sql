DROP TABLE
adjustments,
discrepancy_events,
run_totals,
run_tolerances,
incidents,
run_discrepancies,
discrepancies,
suspects,
run_wallets,
checks,
run_ranges,
runs;
