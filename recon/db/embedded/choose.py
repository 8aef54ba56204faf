"""Where the server's own directories go when there are none yet.

An ordinary user keeps them beside the desk, under ``.recon/postgres``. As root they must be within
reach of the user the server runs as, and no directory may be opened to others for that. So:

- when the data directory is reachable already, or is recon's own and still empty, they are
  ``.recon/postgres-server``, and live and die with ``.recon``;
- otherwise (a home that others cannot enter) they are under ``/var/lib/recon-postgres``, in a
  directory whose random name only the desk's ``place.json`` knows.
"""

from __future__ import annotations

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from recon.db.embedded.errors import EmbeddedPostgresError
from recon.db.embedded.identity import MADE_UP_GROUPS, Identity, borrow_identity, own_identity
from recon.db.embedded.reach import searchable, trustworthy
from recon.db.embedded.sockets import path_fits

__all__ = ["choose_home", "root_base"]

_DOOR = 0o710
_ROOT_BASES = (
    Path("/var/lib/recon-postgres"),
    Path("/var/tmp/recon-postgres"),  # noqa: S108 - its owner and mode are checked before use
)


def choose_home(desk: Path, root_home: Path | None) -> tuple[Path, Identity]:
    """Choose the server's home and whom it runs as, and make what is missing.

    Args:
        desk: recon's private directory in its data directory.
        root_home: replaces ``/var/lib/recon-postgres``.

    Raises:
        EmbeddedPostgresError: there is nowhere to go, or nobody to run as.
    """
    if os.geteuid():
        return desk, own_identity()
    data_dir, inside = desk.parent, desk.parent / "postgres-server"
    identity = borrow_identity(_door_group(inside) or _door_group(data_dir))
    if path_fits(inside / "run"):
        # Not every file system lets root give things away (a network's, a virtual machine's).
        with suppress(OSError):
            if _let_pass(data_dir, identity):
                _make_home(inside, identity)
                return inside, identity
    home = root_base(root_home) / secrets.token_hex(8)
    try:
        _make_home(home, identity)
    except OSError as error:
        raise EmbeddedPostgresError(
            f"root may not use the group id {identity.gid} here ({error}), as in a container with "
            "few ids or rights; run as an ordinary user or set RECON_DATABASE_URL",
            code="postgres_identity",
        ) from error
    # For whoever tidies up: nothing else here tells whose it is.
    (home / "belongs-to").write_text(f"{data_dir}\n", errors="surrogateescape")
    return home, identity


def root_base(root_home: Path | None) -> Path:
    """Give root's directory for everything that cannot be under a data directory, made if missing.

    Args:
        root_home: the directory to use instead of the usual ones.

    Raises:
        EmbeddedPostgresError: none can be made that only root can change.
    """
    tried = []
    for usual in [root_home] if root_home else _ROOT_BASES:
        base = usual.parent.resolve() / usual.name
        try:
            _make_passable(base)
            if searchable(base) and trustworthy(base):
                return base
            tried.append(f"{base}: others cannot reach it, or could replace it")
        except OSError as error:
            tried.append(str(error))
    raise EmbeddedPostgresError(
        "there is no place for the server's files that its user can reach and only root can "
        f"change ({'; '.join(tried)}); set RECON_DATABASE_URL, or run as an ordinary user",
        code="postgres_place",
    )


def _make_passable(folder: Path) -> None:
    """Make a directory that others may pass through; one that exists stays as it is."""
    before = os.umask(0o066)
    try:
        folder.mkdir(mode=0o711, exist_ok=True)
    finally:
        os.umask(before)


def _make_home(home: Path, identity: Identity) -> None:
    """Make a home behind a door; one that an earlier desk left is taken over as it is."""
    home.mkdir(mode=0o700, exist_ok=True)
    try:
        _open_door(home, identity)
    except OSError:
        home.rmdir()
        raise


def _let_pass(data_dir: Path, identity: Identity) -> bool:
    """Say whether the server can reach the data directory; let it, if that is ours to decide."""
    if not trustworthy(data_dir) or not searchable(data_dir.parent):
        return False
    if searchable(data_dir) or _door_group(data_dir) == identity.gid:
        return True
    if [entry.name for entry in data_dir.iterdir()] != ["postgres"]:
        return False
    # recon's own directory, with nothing in it yet but the desk: nobody has this group.
    _open_door(data_dir, identity)
    return True


def _door_group(folder: Path) -> int | None:
    """Give the group that a door of ours was opened to earlier; None when it is no such door."""
    if not folder.exists() or not trustworthy(folder):
        return None
    found = folder.stat()
    is_door = stat.S_IMODE(found.st_mode) == _DOOR and found.st_gid in MADE_UP_GROUPS
    return found.st_gid if is_door else None


def _open_door(folder: Path, identity: Identity) -> None:
    os.chown(folder, 0, identity.gid)
    folder.chmod(_DOOR)
