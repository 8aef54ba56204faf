DROP TABLE cases, movements, delivery_repeats, deliveries;
