DROP TABLE alert_lanes, alert_channels, alert_deliveries, alert_subjects, alerts;
