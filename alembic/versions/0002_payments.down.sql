DROP FUNCTION payments_report;
DROP FUNCTION payments_find;
DROP TABLE payments;
