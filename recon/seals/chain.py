"""Walk the chain: each seal by its links, by the one before it, by its signature."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Literal

from recon.db import load
from recon.ledger import Fault
from recon.seals.keys import Signature
from recon.seals.queries import seal_from
from recon.seals.rules import break_between, bytes_of, faults_of, is_before, parts_of

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

    from recon.seals.keys import SealKeys
    from recon.seals.model import Anchor, Seal

__all__ = ["Chain", "read_chain"]

_TIMEOUT_S: Final = 3600
_MOST: Final = 100


@dataclass(frozen=True, slots=True)
class Chain:
    """What the chain is, and what is wrong with it.

    Args:
        seals: how many.
        links: of all of them.
        last: the newest.
        certain_before: a row without a link that says it is older was put in afterwards.
        signatures: as in a proof.
        faults: what is not as it was sealed.
        warnings: what is no fault, and worth a look.
    """

    seals: int
    links: int
    last: Seal | None
    certain_before: datetime | None
    signatures: Literal["checked", "unchecked", "none"]
    faults: list[Fault]
    warnings: list[str]


async def read_chain(
    connection: asyncpg.Connection[Any], keys: SealKeys, anchor: Anchor | None
) -> Chain:
    """Read every seal in order, beside what its links come to now."""
    walk = _Walk(keys, await connection.fetchval(load("recon.seals", "clock")))
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

    def __init__(self, keys: SealKeys, at: datetime) -> None:
        self.last: Seal | None = None
        self._keys = keys
        self._at = at
        self._certain_before: datetime | None = None
        self._newest_key: str | None = None
        self._retired_from: Seal | None = None
        self._warnings: list[str] = []
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
            case Signature.GOOD if self._keys.is_older(seal.key_id, self._newest_key):
                self._retired_from = self._retired_from or seal
            case Signature.GOOD:
                # By the hashes it vouches for all that lies before it, whoever signed that.
                self._unsigned_from = self._retired_from = None
                self._newest_key = seal.key_id
            case Signature.NONE | Signature.UNKNOWN_KEY if self._unsigned_from is None:
                self._unsigned_from = seal.number
            case _:
                pass
        self._look_at_clock(seal)
        self._signed = self._signed or seal.key_id is not None
        self._seals += 1
        self._links += links
        self.last = seal

    def _look_at_clock(self, seal: Seal) -> None:
        """A seal made by a clock that is ahead of ours makes nothing certain."""
        if not is_before(self._at, seal):
            self._certain_before = seal.certain_before
        before = self.last
        if before is None or before.covers_until is None or seal.covers_until is None:
            return
        if seal.covers_until < before.covers_until and len(self._warnings) < _MOST:
            self._warnings.append(
                f"at seal {seal.number} the database's clock was"
                f" {before.covers_until - seal.covers_until} behind the seal before: it was put"
                " back, or another server took over; what is new is looked for from before then"
            )

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
        if self._retired_from is not None:
            self._say(
                f"seal {self._retired_from.number} is signed by key {self._retired_from.key_id},"
                f" which key {self._newest_key} had replaced by then: who has the old one can forge"
            )
        if self.last is not None and is_before(self._at, self.last):
            self._warnings.append(
                f"the database's clock is behind seal {self.last.number}, which covers what was"
                f" committed before {self.last.covers_until}; the next pass makes that good"
            )
        signatures: Literal["checked", "unchecked", "none"] = "none"
        if self._signed:
            signatures = "checked" if self._keys else "unchecked"
        return Chain(
            self._seals,
            self._links,
            self.last,
            self._certain_before,
            signatures,
            self._faults,
            self._warnings,
        )

    def _say(self, detail: str) -> None:
        if self.has_room:
            self._faults.append(Fault("seal", "", "", detail))
