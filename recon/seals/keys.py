"""The keys of seals: from the settings, or from a file beside the embedded Postgres."""

from __future__ import annotations

import hmac
import os
import secrets
from enum import StrEnum
from hashlib import sha256
from typing import TYPE_CHECKING

import msgspec

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

__all__ = ["SealKeys", "Signature", "key_file_of", "keys_of_data_dir"]

_ID_LENGTH = 16


class Signature(StrEnum):
    """What a check of a signature has shown."""

    GOOD = "good"
    WRONG = "wrong"
    NONE = "none"
    UNKNOWN_KEY = "unknown_key"
    NOT_CHECKED = "not_checked"


class SealKeys:
    """The secrets that sign seals and prove older ones.

    Args:
        newest_first: the first one signs; all of them prove. None at all: the chain is by hash
            alone, and whoever owns the database could make it anew.
    """

    def __init__(self, newest_first: Iterable[str] = ()) -> None:
        self._keys = {_id_of(key): key.encode() for key in newest_first}

    def __bool__(self) -> bool:
        """Whether there is one."""
        return bool(self._keys)

    def __repr__(self) -> str:
        """Their ids, which tell nothing of them."""
        return f"SealKeys({', '.join(self._keys)})"

    @property
    def newest_id(self) -> str | None:
        """The id of the one that signs."""
        return next(iter(self._keys), None)

    def is_older(self, key_id: str | None, than: str | None) -> bool:
        """Whether one of ours had been replaced by the time that another one of ours signed."""
        return than in self.newer_than(key_id)

    def newer_than(self, key_id: str | None) -> list[str]:
        """The ids of those that came after one of ours."""
        ids = list(self._keys)
        return ids[: ids.index(key_id)] if key_id in ids else []

    def sign(self, said: bytes) -> bytes | None:
        """The newest key's HMAC-SHA256."""
        newest = self.newest_id
        return None if newest is None else hmac.digest(self._keys[newest], said, sha256)

    def check(self, key_id: str | None, said: bytes, signature: bytes | None) -> Signature:
        """Whether a signature is the one that its key makes."""
        if key_id is None or signature is None:
            return Signature.NONE
        if not self._keys:
            return Signature.NOT_CHECKED
        if key_id not in self._keys:
            return Signature.UNKNOWN_KEY
        made = hmac.digest(self._keys[key_id], said, sha256)
        return Signature.GOOD if hmac.compare_digest(made, signature) else Signature.WRONG


def keys_of_data_dir(data_dir: Path) -> SealKeys:
    """The keys beside the embedded Postgres; made when there are none yet, with mode 0600.

    Args:
        data_dir: recon's data directory, which exists.
    """
    path = key_file_of(data_dir)
    if not path.exists():
        _make(path)
    return SealKeys(msgspec.json.decode(path.read_bytes(), type=list[str]))


def key_file_of(data_dir: Path) -> Path:
    """Where the keys are: a JSON list, as ``RECON_SEAL_KEYS_FILE`` takes it."""
    return data_dir / "seal-keys.json"


def _make(path: Path) -> None:
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with os.fdopen(os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
        file.write(msgspec.json.encode([secrets.token_hex(32)]) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    try:
        # Not over one that another process has made meanwhile: it may have signed with it.
        os.link(draft, path)
    except FileExistsError:
        pass
    finally:
        draft.unlink()


def _id_of(key: str) -> str:
    return hmac.digest(key.encode(), b"recon seal key id", sha256).hex()[:_ID_LENGTH]
