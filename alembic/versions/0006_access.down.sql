DROP FUNCTION requests_begin, requests_finish;
DROP TYPE api_claim, api_answer;
DROP TABLE
audit, oidc_starts, staff_identities, sign_in_links, sign_in_attempts, sessions, staff,
api_requests, api_keys;
