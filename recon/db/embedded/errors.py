"""What can go wrong with the embedded server, in one family that says what to do about it."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

from recon.errors import Unavailable

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["EmbeddedPostgresError", "from_log", "from_os_error"]

_LAST_BYTES = 16_384
_LAST_LINES = 12
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


def from_log(summary: str, log: str | Path) -> EmbeddedPostgresError:
    """Make an error of what PostgreSQL said last.

    Args:
        summary: what failed, without a full stop.
        log: what it said, or the file that has it.
    """
    if not isinstance(log, str):
        try:
            with log.open("rb") as file:
                file.seek(max(0, log.stat().st_size - _LAST_BYTES))
                log = file.read().decode(errors="replace")
        except OSError as error:
            log = f"(it cannot be read: {error})"
    lines = log.strip().splitlines()[-_LAST_LINES:]
    is_full = any(_NO_SPACE in line for line in lines)
    if is_full:
        summary = f"the disk is full: free some space and start again; {summary}"
    return EmbeddedPostgresError(
        "\n  ".join([f"{summary}:", *lines]), code="postgres_disk_full" if is_full else None
    )
