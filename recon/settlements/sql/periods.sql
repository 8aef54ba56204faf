-- $1 endpoint: of which times its files speak, the first of them first.
SELECT
    period_from,
    period_to
FROM settlement_files
WHERE endpoint = $1
ORDER BY period_from, period_to
