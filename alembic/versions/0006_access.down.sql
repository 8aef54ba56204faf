DROP TABLE audit, sign_in_links, sign_in_attempts, sessions, staff, api_requests, api_keys;
