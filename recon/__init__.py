"""recon: PSP webhooks into a ledger, bets by idempotent calls, and both compared with the game."""

__all__ = ["__version__"]

__version__ = "0.1.0"
