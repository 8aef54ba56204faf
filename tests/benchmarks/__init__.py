"""How fast the intake books, measured against its own parts and its peers: ``make bench``."""
