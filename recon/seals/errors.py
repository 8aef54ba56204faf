"""What keeps a sealer from going on."""

from __future__ import annotations

from recon.errors import Conflict, Unavailable

__all__ = ["ChainBrokenError", "SealerMovedError"]


class ChainBrokenError(Conflict):
    """The newest seal is not one to build on; the message says why and what to do."""

    code = "chain_broken"


class SealerMovedError(Unavailable):
    """Another sealer went on in the meantime; nothing is lost, the next pass finds the rest."""

    code = "sealer_moved"
