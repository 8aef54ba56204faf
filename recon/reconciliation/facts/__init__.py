"""What could account for a wallet's difference: our records, and the game's per ticket."""

from recon.reconciliation.facts.gather import Facts, gather, gather_more

__all__ = ["Facts", "gather", "gather_more"]
