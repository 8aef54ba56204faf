"""Seals: nobody changes what was written without it being seen, not even who owns the database.

`Sealer` gives every row that may never change a link: a dense number and the hash of its frozen
bytes. A block of links is sealed: its root, the hash of the seal before, and a signature by a key
that the database never sees. `verify_all` compares every row with its link, every link with its
seal, and each seal with the one before, in one snapshot, and names what is not as it was.

Transactions commit in another order than their clocks say. So the sealer looks back: to the newest
instant before which every transaction had ended when it looked last, by the numbers that Postgres
gives them (`rules.settled_before`), and from time to time a quarter of an hour further, as the time
on a delivery is its machine's. A row that says it is older than that and has no link was put in
afterwards. Nothing of this costs a booking anything.

`Verifier` does what `verify_all` does by the clock, as a job, and keeps what it found, so that
people are told of it.
"""

from recon.seals.anchor import read_anchor
from recon.seals.errors import ChainBrokenError, SealerMovedError
from recon.seals.keys import SealKeys, keys_of_data_dir
from recon.seals.model import Anchor, Kind, Seal
from recon.seals.proof import Proof, verify_all
from recon.seals.queries import last_seal
from recon.seals.rights import Right, excess_rights
from recon.seals.rules import why_not_after
from recon.seals.seal import Sealed, Sealer
from recon.seals.verify import VERIFY_JOB, Verifier, forget_verifications, last_verification

__all__ = [
    "VERIFY_JOB",
    "Anchor",
    "ChainBrokenError",
    "Kind",
    "Proof",
    "Right",
    "Seal",
    "SealKeys",
    "Sealed",
    "Sealer",
    "SealerMovedError",
    "Verifier",
    "excess_rights",
    "forget_verifications",
    "keys_of_data_dir",
    "last_seal",
    "last_verification",
    "read_anchor",
    "verify_all",
    "why_not_after",
]
