"""Deterministic simulation: the real rooms in virtual time, on a real Postgres, in every weather.

One thread, one seed. The bets, the settlement, the resolver, the stream, the intake of webhooks and
the reconciliation run as they are, in three processes that die between any two awaits, against the
sandbox's game behind a network that loses, delays, doubles and breaks, and a PSP whose webhooks do
the same. When the weather clears up, everything must come to rest: no stake taken twice, none lost,
no hold left, both books alike, `recon verify` clean, and whatever a caller was told still true. And
at no moment may a bet have gone back, a stake have been free here and held there, or people have
been shown a difference that was none, or too early; and whoever could not hear all that the game's
stream told has looked into everything.

What is real: the code of the rooms, the client of the game with its retries, signatures and
parsing, the HTTP that the game's server reads, both sides of the stream, Postgres with its locks
and transactions. What is simulated: time (in Postgres too), chance, the network, and death. What is
not looked at: Postgres losing what it has committed, two statements that really run at the same
instant, the HTTP of our own API (its verbs are called, without receipts), and sockets of the
stream.

After FoundationDB's simulator and TigerBeetle's VOPR, whose split into a phase of faults and a calm
one in which everything must finish is taken over.
"""

from recon.simulation.databases import Databases, Server
from recon.simulation.run import Report, simulate_seed

__all__ = ["Databases", "Report", "Server", "simulate_seed"]
