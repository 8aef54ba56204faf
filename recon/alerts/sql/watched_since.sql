-- Since when anybody looks for something to tell: what ended before that is past.
SELECT min(at)
FROM alert_subjects
WHERE kind = 'watch'
