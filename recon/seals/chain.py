"""Walk the chain: each seal by its links, by the one before it, by its signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from recon.db import load
from recon.ledger import Fault
from recon.seals.keys import Signature
from recon.seals.queries import seal_from
from recon.seals.rules import break_between, bytes_of, faults_of, parts_of

if TYPE_CHECKING:
    import asyncpg

    from recon.seals.keys import SealKeys
    from recon.seals.model import Anchor, Seal

__all__ = ["Chain", "read_chain"]

_TIMEOUT_S: Final = 3600
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Chain:
    """What the chain is, and what is wrong with it."""

    seals: int
    links: int
    last: Seal | None
    signatures: Literal["checked", "unchecked", "none"]
    faults: list[Fault]


async def read_chain(
    connection: asyncpg.Connection[Any], keys: SealKeys, anchor: Anchor | None
) -> Chain:
    """Read every seal in order, beside what its links come to now."""
    walk = _Walk(keys)
    async for row in connection.cursor(
        load("recon.seals", "chain"), prefetch=50, timeout=_TIMEOUT_S
    ):
        seal = seal_from(row)
        walk.take(seal, links=row["found_links"], root=row["found_root"])
        if row["found_root"] != seal.root and walk.has_room:
            for changed in await connection.fetch(
                load("recon.seals", "changed_links"), seal.first_seq, seal.leaves
            ):
                walk.name(changed)
        if anchor is not None and row["number"] == anchor.number:
            walk.meet(anchor, row["hash"].hex())
    loose = await connection.fetchval(
        load("recon.seals", "loose_links"), walk.last.last_seq if walk.last else 0
    )
    return walk.end(loose, anchor)


class _Walk:
    """Remembers one seal, and what was found so far."""

    def __init__(self, keys: SealKeys) -> None:
        self.last: Seal | None = None
        self._keys = keys
        self._seals = self._links = 0
        self._signed = False
        self._unsigned_from: int | None = None
        self._met = False
        self._faults: list[Fault] = []

    def take(self, seal: Seal, *, links: int, root: bytes) -> None:
        """Hold the next seal against the one before it and against its links."""
        torn = break_between(self.last, seal)
        for fault in ([torn] if torn else []) + faults_of(seal, self._keys):
            self._say(fault)
        where = f"seal {seal.number} (links {seal.first_seq} to {seal.last_seq}, {seal.sealed_at})"
        if links != seal.links:
            self._say(f"{where} has {links} links; it was made of {seal.links}")
        elif root != seal.root:
            self._say(f"{where} is not made of the links that are there: one of them was changed")
        match self._keys.check(seal.key_id, bytes_of(seal), seal.signature):
            case Signature.GOOD:
                # By the hashes it vouches for all that lies before it, whoever signed that.
                self._unsigned_from = None
            case Signature.NONE | Signature.UNKNOWN_KEY if self._unsigned_from is None:
                self._unsigned_from = seal.number
            case _:
                pass
        self._signed = self._signed or seal.key_id is not None
        self._seals += 1
        self._links += links
        self.last = seal

    def name(self, link: asyncpg.Record) -> None:
        """Tell of a link that is not the one that was sealed."""
        if link["kind"] is None:
            self._say(f"link {link['seq']} is gone")
        else:
            key = " ".join(parts_of(link["row_key"]))
            self._say(f"link {link['seq']}, of {link['kind']} {key}, is not what was sealed")

    @property
    def has_room(self) -> bool:
        """Whether there is any use in looking for more."""
        return len(self._faults) < _MOST

    def meet(self, anchor: Anchor, found: str) -> None:
        """Hold the seal that an anchor names against it."""
        self._met = True
        if found != anchor.hash:
            self._say(
                f"seal {anchor.number} was {anchor.hash} when it was seen before and is {found}:"
                " the chain was made anew"
            )

    def end(self, loose: int, anchor: Anchor | None) -> Chain:
        """What can be said only when there is no further seal."""
        if loose:
            self._say(f"{loose} links belong to no seal")
        if anchor is not None and not self._met:
            self._say(
                f"seal {anchor.number}, seen before, is gone: the chain ends with"
                f" {self.last.number if self.last else 'nothing'}"
            )
        if self._keys and self._unsigned_from is not None:
            self._say(
                f"seals from {self._unsigned_from} on are signed by none of our keys; if they are"
                " yours, let `recon seal --adopt` sign behind them"
            )
        signatures: Literal["checked", "unchecked", "none"] = "none"
        if self._signed:
            signatures = "checked" if self._keys else "unchecked"
        return Chain(self._seals, self._links, self.last, signatures, self._faults)

    def _say(self, detail: str) -> None:
        if self.has_room:
            self._faults.append(Fault("seal", "", "", detail))
