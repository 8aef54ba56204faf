"""The ledger: append-only, zero-sum postings in whole minor units; the only room that writes money.

Every posting is one debit and one credit inside one player's book, ordered by the wallet's
version, idempotent by (user, source, key). ``rules`` makes entries, ``post`` writes many of them in
one statement inside the caller's transaction, ``read_wallet`` and ``read_entries`` tell what is and
was, and ``verify_books`` proves all of it from the postings alone.
"""

from recon.ledger.errors import HoldResolvedError, InsufficientBalanceError, KeyConflictError
from recon.ledger.model import Account, Entry, HoldOp, Outcome, Posted, Posting, Wallet
from recon.ledger.post import entry_rows, post, post_one
from recon.ledger.read import (
    read_currencies,
    read_entries,
    read_postings_up_to,
    read_wallet,
    read_wallet_or_none,
)
from recon.ledger.verify import Fault, Verification, check_books, verify_books

__all__ = [
    "Account",
    "Entry",
    "Fault",
    "HoldOp",
    "HoldResolvedError",
    "InsufficientBalanceError",
    "KeyConflictError",
    "Outcome",
    "Posted",
    "Posting",
    "Verification",
    "Wallet",
    "check_books",
    "entry_rows",
    "post",
    "post_one",
    "read_currencies",
    "read_entries",
    "read_postings_up_to",
    "read_wallet",
    "read_wallet_or_none",
    "verify_books",
]
