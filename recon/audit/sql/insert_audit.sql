-- $1 id, $2 actor, $3 action, $4 object, $5 detail.
INSERT INTO audit (audit_id, actor, action, object, detail)
VALUES ($1, $2, $3, $4, $5)
