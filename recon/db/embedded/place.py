"""Where the server's own directories are: its data and its socket.

An ordinary user keeps them beside the desk, under ``.recon/postgres``. As root they must be within
reach of the user the server runs as, and no directory may be opened to others for that. So:

- when the data directory is reachable already, or is recon's own and still empty, they are
  ``.recon/postgres-server``, and live and die with ``.recon``;
- otherwise (a home that others cannot enter) they are under ``/var/lib/recon-postgres``, in a
  directory whose random name only the desk's ``place.json`` knows.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import stat
import sys
import tempfile
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from recon.db.embedded.desk import write_private
from recon.db.embedded.errors import EmbeddedPostgresError, from_os_error
from recon.db.embedded.identity import MADE_UP_GROUPS, Identity, borrow_identity, own_identity
from recon.db.embedded.reach import searchable, trustworthy

if TYPE_CHECKING:
    from recon.db.embedded.desk import Desk

__all__ = ["Place", "find_place", "root_base", "settle"]

PORT = 5432
# sun_path with its closing zero is 108 bytes on Linux and 104 elsewhere. Source: unix(7), unix(4).
_SOCKET_PATH_BYTES = 107 if sys.platform == "linux" else 103
_SOCKET_NAME_BYTES = len(f"/.s.PGSQL.{PORT}")
_DOOR = 0o710
_ROOT_BASES = (Path("/var/lib/recon-postgres"), Path("/var/tmp/recon-postgres"))  # noqa: S108 - its owner and mode are checked before use


@dataclass(frozen=True)
class Place:
    """The server's own directories and who it is.

    Attributes:
        home: holds ``data`` and, mostly, the socket; ours.
        sockets: the socket's directory, mode 0700.
        identity: whom ``data`` and ``sockets`` belong to.
    """

    home: Path
    sockets: Path
    identity: Identity

    @property
    def data(self) -> Path:
        """PGDATA; absent until the cluster is complete."""
        return self.home / "data"

    @property
    def cluster_name(self) -> str:
        """Name that every process of this server carries in its title, and no other's does."""
        return f"recon-{hashlib.sha256(os.fsencode(self.home)).hexdigest()[:12]}"

    def make_folder(self, name: str) -> Path:
        """Make a directory of the server's in its home, mode 0700."""
        folder = self.home / name
        folder.mkdir(mode=0o700)
        self.give(folder)
        return folder

    def give(self, path: Path) -> None:
        """Let the server have what we have just made."""
        if self.identity.borrowed:
            os.chown(path, self.identity.uid, self.identity.gid, follow_symlinks=False)


def find_place(desk: Desk) -> Place | None:
    """Read where the server's directories are; None when nothing was settled yet.

    Raises:
        EmbeddedPostgresError: the note names a directory that is not there any more.
    """
    note = desk.read_json(desk.place_file)
    if note is None:
        return None
    home = Path(note["home"])
    if not home.is_dir():
        raise EmbeddedPostgresError(
            f"{desk.place_file} says that the database is in {home}, which is not there; bring it "
            f"back, or remove {desk.path} to begin with an empty database",
            code="postgres_place",
        )
    identity = Identity(note["uid"], note["gid"], borrowed=note["borrowed"])
    return Place(home, Path(note["sockets"]), identity)


def settle(desk: Desk, root_home: Path | None) -> Place:
    """Find the server's directories or choose them, and make sure of the socket's.

    Args:
        desk: whose server it is.
        root_home: replaces ``/var/lib/recon-postgres``.

    Raises:
        EmbeddedPostgresError: there is nowhere to put them, or nobody to give them to.
    """
    try:
        place = find_place(desk) or _choose(desk, root_home)
        sockets = _sockets(place)
    except OSError as error:
        raise from_os_error(error, "prepare the server's directories") from error
    place = Place(place.home, sockets, place.identity)
    note = {
        "home": str(place.home),
        "sockets": str(place.sockets),
        "uid": place.identity.uid,
        "gid": place.identity.gid,
        "borrowed": place.identity.borrowed,
    }
    if desk.read_json(desk.place_file) != note:
        write_private(desk.place_file, json.dumps(note))
    return place


def root_base(root_home: Path | None) -> Path:
    """Give root's directory for everything that cannot be under a data directory, made if missing.

    Args:
        root_home: the directory to use instead of the usual ones.

    Raises:
        EmbeddedPostgresError: none can be made that only root can change.
    """
    tried = []
    for base in [root_home] if root_home else _ROOT_BASES:
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


def _choose(desk: Desk, root_home: Path | None) -> Place:
    if os.geteuid():
        return Place(desk.path, desk.path / "run", own_identity())
    data_dir, inside = desk.path.parent, desk.path.parent / "postgres-server"
    identity = borrow_identity(_door_group(inside) or _door_group(data_dir))
    if _door_group(inside):
        # The desk was removed and its server's home was not: take it over as it is.
        return Place(inside, inside / "run", identity)
    if _fits(inside / "run"):
        # Not every file system lets root give things away (a network's, a virtual machine's).
        with suppress(OSError):
            if _can_pass(data_dir, identity):
                inside.mkdir(mode=0o700, exist_ok=True)
                _open_door(inside, identity)
                return Place(inside, inside / "run", identity)
    home = root_base(root_home) / secrets.token_hex(8)
    home.mkdir(mode=0o700)
    try:
        _open_door(home, identity)
    except OSError as error:
        home.rmdir()
        raise EmbeddedPostgresError(
            f"root may not use the group id {identity.gid} here ({error}), as in a container with "
            "few ids; run as an ordinary user or set RECON_DATABASE_URL",
            code="postgres_identity",
        ) from error
    return Place(home, home / "run", identity)


def _can_pass(data_dir: Path, identity: Identity) -> bool:
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


def _sockets(place: Place) -> Path:
    """Find or make the socket's directory, at a path that is short enough for a socket."""
    if place.sockets.parent == place.home and not _fits(place.sockets):
        return _short_folder()
    if place.sockets.parent == place.home and not place.sockets.exists():
        return place.make_folder(place.sockets.name)
    try:
        found = place.sockets.lstat()
    except FileNotFoundError:
        return _short_folder()
    is_ours = stat.S_ISDIR(found.st_mode) and found.st_uid == place.identity.uid
    if not is_ours or found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise EmbeddedPostgresError(
            f"{place.sockets} should be private to user id {place.identity.uid} and is not",
            code="postgres_place",
        )
    return place.sockets


def _fits(sockets: Path) -> bool:
    """Say whether a client can be told to find a socket there; a comma would mean two places."""
    length = len(os.fsencode(sockets)) + _SOCKET_NAME_BYTES
    return length <= _SOCKET_PATH_BYTES and "," not in str(sockets)


def _short_folder() -> Path:
    for parent in (os.environ.get("XDG_RUNTIME_DIR"), "/tmp"):  # noqa: S108 - mkdtemp's own directory, 0700
        if parent and os.access(parent, os.W_OK) and _fits(Path(parent, "recon-pg-12345678")):
            return Path(tempfile.mkdtemp(prefix="recon-pg-", dir=parent))
    raise EmbeddedPostgresError(
        "the data directory's path cannot hold a socket (too long, or with a comma) and there "
        "is no other place for one; choose a shorter RECON_DATA_DIR",
        code="postgres_place",
    )
