-- Every currency in which people may look for discrepancies.
SELECT DISTINCT currency
FROM discrepancies
ORDER BY currency
