-- $1 audit row, $2 who, $3 what was done, $4 to what, $5 more of it. One for each import.
INSERT INTO audit (audit_id, actor, action, object, detail)
VALUES ($1, $2, $3, $4, $5)
