"""How seals hang together: what is signed, what may follow what, how far back to look."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Final

import msgspec

from recon.clock import format_time
from recon.seals.keys import Signature

if TYPE_CHECKING:
    from recon.seals.keys import SealKeys
    from recon.seals.model import Seal

__all__ = [
    "BEGINNING",
    "DEEP_EVERY",
    "FIRST",
    "LATEST_CLOCK",
    "STALLED",
    "break_between",
    "bytes_of",
    "faults_of",
    "is_before",
    "is_deep",
    "lookback",
    "make_seal",
    "parts_of",
    "settled_before",
    "why_not_after",
]

FIRST: Final = bytes(32)
"""What the first seal has for the hash of the one before."""

BEGINNING: Final = datetime(2000, 1, 1, tzinfo=UTC)
"""Nothing of ours is older."""

LATEST_CLOCK: Final = timedelta(minutes=15)
"""How far the time on a row may be behind the transaction that wrote it.

A delivery's is its machine's, and one whose clock is five minutes off refuses every signature.
"""

DEEP_EVERY: Final = timedelta(minutes=5)
"""How often a pass looks back that far; the others look back by `_QUICK`."""

_QUICK: Final = timedelta(seconds=5)

STALLED: Final = "idle_in_transaction_session_timeout = '60s'"
"""For ``SET LOCAL``: whoever hangs keeps neither other sealers out nor a vacuum back for longer."""


def settled_before(
    at: datetime, *, own: int, floor: int, known: datetime | None, last: Seal | None
) -> datetime | None:
    """The newest instant for which it is certain that every transaction from before it has ended.

    Args:
        at: an instant before this pass.
        own: the number of a transaction of our own that began then. Nothing else tells which number
            comes next: a snapshot names the newest transaction that has *ended*.
        floor: the oldest transaction that may still commit.
        known: an instant at which ``floor`` had not begun.
        last: the newest seal of before ``at``.

    Returns:
        ``None`` where nothing is certain, as in a first pass beside transactions under way.
    """
    instants = [
        known,
        at if own < floor else None,
        last.settled_before if last else None,
    ]
    return max((instant for instant in instants if instant is not None), default=None)


def is_before(at: datetime, last: Seal | None) -> bool:
    """Whether the clock says less than what the newest seal covers: it was put back.

    Or another one took over that is behind. What that seal takes for settled and certain may then
    be in the future of rows that are still to come.
    """
    return last is not None and last.covers_until is not None and at < last.covers_until


def is_deep(settled: datetime | None, last: Seal | None) -> bool:
    """Whether it is time for a pass that looks back all the way, and makes certain what is new.

    Args:
        settled: as `settled_before` says now; while a transaction stays open, it stands still.
        last: the newest seal.
    """
    if last is None or last.certain_before is None:
        return True
    return settled is not None and settled - last.certain_before >= LATEST_CLOCK + DEEP_EVERY


def lookback(last: Seal | None, *, deep: bool) -> datetime:
    """The instant from which on there may be rows that no seal covers yet."""
    if last is None or last.certain_before is None or last.settled_before is None:
        return BEGINNING
    return last.certain_before if deep else last.settled_before - _QUICK


def bytes_of(seal: Seal) -> bytes:
    """What a seal says, as its hash and its signature take it: one JSON array."""
    return msgspec.json.encode(
        [
            "recon seal 1",
            seal.number,
            seal.first_seq,
            seal.last_seq,
            seal.root.hex(),
            hashlib.sha256(seal.leaves).hexdigest(),
            seal.previous.hex(),
            *map(_time, (seal.sealed_at, seal.covers_until)),
            *map(_time, (seal.settled_before, seal.certain_before)),
            seal.xid_ceiling,
            seal.key_id,
        ]
    )


def make_seal(draft: Seal, keys: SealKeys) -> Seal:
    """A seal with its hash and its signature, by the newest key where there is one."""
    named = replace(draft, key_id=keys.newest_id)
    said = bytes_of(named)
    return replace(named, hash=hashlib.sha256(said).digest(), signature=keys.sign(said))


def faults_of(seal: Seal, keys: SealKeys) -> list[str]:
    """What is wrong with a seal by itself.

    One that none of our keys has signed is not: a later one that is signed vouches for it.
    """
    said = bytes_of(seal)
    faults = []
    if seal.hash != hashlib.sha256(said).digest():
        faults.append(f"seal {seal.number} is not what its hash says: it was changed")
    if keys.check(seal.key_id, said, seal.signature) is Signature.WRONG:
        faults.append(f"seal {seal.number} is not signed by key {seal.key_id}, as it says")
    return faults


def why_not_after(last: Seal, keys: SealKeys, *, adopt: bool = False) -> str | None:
    """Why nobody should seal behind a seal, ``None`` where they may.

    By what it is itself; how it follows from the one before is for `recon verify` to say.

    Args:
        last: the newest seal.
        keys: ours.
        adopt: somebody has decided to go on behind a chain that none of our keys has signed.
    """
    if faults := faults_of(last, keys):
        return "; ".join(faults)
    if not keys:
        if last.key_id is None:
            return None
        return f"seal {last.number} is signed, and no key is set here: RECON_SEAL_KEYS"
    signed = keys.check(last.key_id, bytes_of(last), last.signature)
    if adopt or signed is Signature.GOOD:
        return None
    how = "not signed" if last.key_id is None else f"signed by key {last.key_id}, which is not ours"
    return (
        f"seal {last.number} is {how}: look at `recon verify`, and if it is right, let"
        " `recon seal --adopt` sign behind it"
    )


def break_between(before: Seal | None, seal: Seal) -> str | None:
    """How a seal does not follow from the one before it; ``None`` where it does."""
    number, last_seq, previous = (
        (before.number, before.last_seq, before.hash) if before else (0, 0, FIRST)
    )
    if seal.number != number + 1:
        return f"seal {number} is followed by seal {seal.number}: those between are gone"
    if seal.previous != previous:
        return f"seal {seal.number} does not follow from the seal before it"
    if seal.first_seq != last_seq + 1:
        return f"seal {seal.number} begins with link {seal.first_seq}, not {last_seq + 1}"
    return None


def parts_of(row_key: str) -> list[str]:
    """The parts of a row's key as they are told; a key that somebody has spoilt is one part."""
    try:
        return [str(part) for part in msgspec.json.decode(row_key, type=list[str | int])] or [""]
    except msgspec.DecodeError:
        return [row_key]


def _time(instant: datetime | None) -> str | None:
    return None if instant is None else format_time(instant)
