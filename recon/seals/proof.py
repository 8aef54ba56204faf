"""Prove the books and their past in one snapshot: entries, rows, links, seals."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

from recon.db import NO_PATH
from recon.ledger import Fault, check_books
from recon.seals.chain import read_chain
from recon.seals.compare import Unsealed, check_guards, compare_rows
from recon.seals.model import Anchor

if TYPE_CHECKING:
    from datetime import datetime

    from recon.db import Pool
    from recon.seals.keys import SealKeys

__all__ = ["Proof", "verify_all"]


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
            "cursor_tuple_fraction = 1",
            "jit = off",
        ):
            await connection.execute(f"SET LOCAL {setting}")
        faults = await check_guards(connection)
        books = await check_books(connection)
        chain = await read_chain(connection, keys, anchor)
        certain = chain.last.certain_before if chain.last else None
        compared = await compare_rows(connection, certain)
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
    )
