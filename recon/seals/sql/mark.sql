-- Take a transaction's number, to be committed at once: when this began, and the number. Whoever
-- has a lower one began to write before that, whoever has a greater one after it.
SELECT
    now() AS at,
    pg_current_xact_id()::text::bigint AS xid
