"""Settlement files: what a PSP says it has settled, payment by payment, against our books.

- A file is imported whole or not at all, and once: by the hash of what is in it, and each of its
  lines by what it says, so that overlapping files count nothing twice.
- A line is new, repeated, twice in the file, or rejected with its number and the reason; none is
  dropped. What the lines of a batch come to is proven against its payout.
- What does not agree is a finding with a case. It is resolved by a later file, or when what was
  booked meanwhile explains it; a person dismisses it by closing its case.
- Findings of a player are evidence for the explanation of a difference (`find_settlement_facts`).

Money that moved at a PSP is read from ``movements``, written in one commit with the delivery and
the posting of each; `recon verify` proves that the three agree.
"""

from recon.settlements.errors import (
    FileNotFoundHereError,
    FormatError,
    MerchantAccountError,
    NotReadableError,
    TruncatedError,
)
from recon.settlements.import_file import Imported, import_settlement
from recon.settlements.model import (
    Account,
    Batch,
    Finding,
    FindingKind,
    FindingState,
    Format,
    ImportOptions,
    LineKind,
    Place,
    SettlementFact,
    SettlementFile,
    Total,
)
from recon.settlements.read import (
    find_place,
    find_settlement_facts,
    list_files,
    list_findings,
    read_batches,
    read_file,
)
from recon.settlements.resolve import Explained, resolve_explained

__all__ = [
    "Account",
    "Batch",
    "Explained",
    "FileNotFoundHereError",
    "Finding",
    "FindingKind",
    "FindingState",
    "Format",
    "FormatError",
    "ImportOptions",
    "Imported",
    "LineKind",
    "MerchantAccountError",
    "NotReadableError",
    "Place",
    "SettlementFact",
    "SettlementFile",
    "Total",
    "TruncatedError",
    "find_place",
    "find_settlement_facts",
    "import_settlement",
    "list_files",
    "list_findings",
    "read_batches",
    "read_file",
    "resolve_explained",
]
