-- $1 now. The newest hour of a digest that was looked at, by no clock that was ahead for a while;
-- null before the first.
SELECT max(subject::timestamptz)
FROM alert_subjects
WHERE kind = 'digest' AND subject::timestamptz <= $1
