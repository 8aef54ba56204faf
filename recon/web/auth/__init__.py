"""Staff signing in and out: passwords, OIDC, links, sessions, and the guard of every page."""
