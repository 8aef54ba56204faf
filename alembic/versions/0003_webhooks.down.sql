DROP FUNCTION intake_take, intake_write;
DROP TYPE intake_delivery, intake_movement;
DROP FUNCTION intake_movements, intake_look_up;
DROP TRIGGER payments_close_overdue_cases ON payments;
DROP FUNCTION close_overdue_cases;
DROP TABLE redaction_left, redaction, backfills, cases, movements, delivery_repeats, deliveries;
DROP FUNCTION refuse_payload, look_for_overdue_again;
