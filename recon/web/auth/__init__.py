"""Staff signing in and out: passwords, one-time links, sessions, and the guard of every page."""
