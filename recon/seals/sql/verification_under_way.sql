-- The verification that is under way.
SELECT verification_id
FROM verifications
WHERE state = 'running'
