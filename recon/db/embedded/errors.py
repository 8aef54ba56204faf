"""What can go wrong with the embedded server, in one family that says what to do about it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from recon.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EmbeddedPostgresError", "from_os_error", "last_lines"]

_LAST_BYTES = 16_384
_NO_SPACE = "No space left on device"


class EmbeddedPostgresError(Unavailable):
    """The embedded PostgreSQL cannot be used.

    ``code`` tells the cases apart: ``postgres_package`` (the binaries are missing or cannot run
    here), ``postgres_identity`` (no unprivileged user to run as), ``postgres_place`` (a directory
    is missing, unreachable or not ours), ``postgres_version`` (data of another major version),
    ``postgres_disk_full``, ``postgres_in_use``, ``postgres_timeout`` and ``postgres_failed``.
    """

    code = "postgres_failed"


def from_os_error(error: OSError, doing: str) -> EmbeddedPostgresError:
    """Turn the operating system's refusal into ours, with the remedy where there is one.

    Args:
        error: what the operating system said; its file name is part of the message.
        doing: what was being done, for example ``"prepare the data directory"``.
    """
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return EmbeddedPostgresError(
            f"cannot {doing}: the disk is full ({error}); free some space and start again",
            code="postgres_disk_full",
        )
    if error.errno in {errno.EACCES, errno.EPERM, errno.EROFS}:
        return EmbeddedPostgresError(
            f"cannot {doing}: {error}; choose another RECON_DATA_DIR, or set RECON_DATABASE_URL",
            code="postgres_place",
        )
    return EmbeddedPostgresError(f"cannot {doing}: {error}", code="postgres_failed")


def last_lines(text: str | Path, count: int = 12) -> str:
    """Give the end of a log, indented for a message.

    Args:
        text: the log itself, or the file it is in.
        count: lines at most.
    """
    if not isinstance(text, str):
        try:
            with text.open("rb") as log:
                log.seek(max(0, text.stat().st_size - _LAST_BYTES))
                text = log.read().decode(errors="replace")
        except OSError as error:
            text = f"(the log cannot be read: {error})"
    lines = text.strip().splitlines()[-count:]
    remedy = ["the disk is full: free some space and start again"] if _NO_SPACE in text else []
    return "\n".join(f"  {line}" for line in [*lines, *remedy])
