"""Prove the books and their past in one snapshot: entries, rows, links, seals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final, Literal

from recon.clock import format_time
from recon.db import NO_PATH, load
from recon.ledger import Fault, check_books
from recon.seals.chain import Chain, read_chain
from recon.seals.compare import Unsealed, check_guards, compare_rows
from recon.seals.model import Anchor
from recon.seals.rules import DEEP_EVERY, LATEST_CLOCK, STALLED

if TYPE_CHECKING:
    from datetime import datetime

    from recon.db import Pool
    from recon.seals.keys import SealKeys

__all__ = ["Proof", "verify_all"]

_LATE: Final = LATEST_CLOCK + 2 * DEEP_EVERY


@dataclass(frozen=True, slots=True)
class Proof:
    """What was looked at and every fault, at most a hundred of each check.

    Args:
        ok: there is no fault.
        postings: in the books.
        wallets: with a posting.
        deliveries: in the inbox.
        sealed_until: whatever was committed before this is sealed; ``None``: nothing is.
        faults: what does not add up, or is not what it was.
        seals: in the chain.
        sealed_rows: that they cover.
        signatures: ``checked``; ``unchecked`` for want of a key; ``none``: the chain is by hash
            alone.
        last_seal: to be kept elsewhere, as an anchor.
        unsealed: the rows behind the last seal, which a change does not show of yet.
        certain_before: a row that says it is older and is not sealed is recognised as put in
            afterwards; ``None``: nothing is certain yet.
        warnings: what is no fault, and worth a look.
    """

    ok: bool
    postings: int
    wallets: int
    deliveries: int
    sealed_until: datetime | None
    faults: list[Fault]
    seals: int
    sealed_rows: int
    signatures: Literal["checked", "unchecked", "none"]
    last_seal: Anchor | None
    unsealed: Unsealed
    certain_before: datetime | None
    warnings: list[str]


async def verify_all(pool: Pool, keys: SealKeys, *, anchor: Anchor | None = None) -> Proof:
    """Check the books by their entries, and every sealed row, link and seal.

    Args:
        pool: of any role that may read.
        keys: every key that seals were ever signed with.
        anchor: a seal that was seen before; it must still be in the chain.
    """
    async with (
        pool.acquire() as connection,
        connection.transaction(isolation="repeatable_read", readonly=True),
    ):
        for setting in (
            "statement_timeout = 0",
            NO_PATH,
            STALLED,
            "cursor_tuple_fraction = 1",
            "jit = off",
        ):
            await connection.execute(f"SET LOCAL {setting}")
        faults = await check_guards(connection)
        books = await check_books(connection)
        chain = await read_chain(connection, keys, anchor)
        compared = await compare_rows(connection, chain.certain_before)
        at = await connection.fetchval(load("recon.seals", "clock"))
    faults += [*books.faults, *chain.faults, *compared.faults]
    last = chain.last
    return Proof(
        ok=not faults,
        postings=books.postings,
        wallets=books.wallets,
        deliveries=books.deliveries,
        sealed_until=last.covers_until if last else None,
        faults=faults,
        seals=chain.seals,
        sealed_rows=chain.links,
        signatures=chain.signatures,
        last_seal=Anchor(last.number, last.hash.hex(), last.sealed_at, last.key_id)
        if last
        else None,
        unsealed=compared.unsealed,
        certain_before=chain.certain_before,
        warnings=[*chain.warnings, *_late(chain, at)],
    )


def _late(chain: Chain, at: datetime) -> list[str]:
    """Where what is certain has fallen behind: by a sealer at rest, or an open transaction."""
    certain = chain.certain_before
    if chain.last is None or (certain is not None and at - certain <= _LATE):
        return []
    since = "at all yet" if certain is None else f"from after {format_time(certain)}"
    said = (
        f"rows that were put in afterwards are not recognised {since}: no sealer is at work, or a"
        " transaction has been open for long"
    )
    return [said]
