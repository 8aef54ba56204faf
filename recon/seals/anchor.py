"""The newest seal, kept in a file that the database's owner cannot reach."""

from __future__ import annotations

import os
import secrets
from typing import TYPE_CHECKING

import msgspec

from recon.seals.errors import ChainBrokenError
from recon.seals.model import Anchor

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["keep_anchor", "read_anchor"]


class _Kept(msgspec.Struct):
    """As `verify --json` and `seal --json` print it, among other things."""

    last_seal: Anchor | None


def read_anchor(path: Path) -> Anchor | None:
    """The seal that a file names; ``None`` where there is no such file yet.

    Raises:
        ChainBrokenError: the file is not what `keep_anchor` writes.
    """
    try:
        return msgspec.json.decode(path.read_bytes(), type=_Kept).last_seal
    except FileNotFoundError:
        return None
    except msgspec.DecodeError as error:
        raise ChainBrokenError(f"{path} is no anchor: {error}") from None


def keep_anchor(path: Path, anchor: Anchor) -> None:
    """Put a seal into a file, whole or not at all."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    with draft.open("xb") as file:
        file.write(msgspec.json.encode(_Kept(anchor)) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    draft.replace(path)
