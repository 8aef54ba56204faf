DROP TYPE intake_delivery, intake_movement;
DROP FUNCTION intake_movements, intake_look_up;
DROP TABLE cases, movements, delivery_repeats, deliveries;
