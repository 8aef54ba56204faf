DROP TABLE
adjustments,
discrepancy_events,
run_totals,
run_discrepancies,
discrepancies,
suspects,
run_wallets,
checks,
run_ranges,
runs;
