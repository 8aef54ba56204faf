"""The game's stream: what has happened, at once. It moves no money and proves nothing.

One process of a deployment listens (`hold`); what it is told becomes questions over REST (`heed`).
Messages are acknowledged, put in order and counted; where one is missing, or a connection was made
anew, everything is asked for. A wrong, doubled or forged message costs a question, and a stream
that is gone costs the seconds until the jobs ask by themselves.
"""

from __future__ import annotations

from recon.game.stream.connecting import Patience, StreamAddress
from recon.game.stream.heeding import Pace, heed
from recon.game.stream.holding import Holding, Lease, hold, read_holding
from recon.game.stream.news import EVERYTHING, Bulletin, News
from recon.game.stream.reconnecting import Backoff, listen
from recon.game.stream.watch import StreamWatch

__all__ = [
    "EVERYTHING",
    "Backoff",
    "Bulletin",
    "Holding",
    "Lease",
    "News",
    "Pace",
    "Patience",
    "StreamAddress",
    "StreamWatch",
    "heed",
    "hold",
    "listen",
    "read_holding",
]
