DROP TABLE audit, sign_in_links, sessions, staff, api_requests, api_keys;
