-- The newest hour of a digest that was looked at; null before the first.
SELECT max(subject::timestamptz)
FROM alert_subjects
WHERE kind = 'digest'
