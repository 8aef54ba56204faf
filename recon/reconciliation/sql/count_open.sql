-- How many discrepancies people still have to deal with, from what was added up as it changed.
SELECT coalesce(sum(discrepancies), 0)::bigint
FROM discrepancy_tallies
