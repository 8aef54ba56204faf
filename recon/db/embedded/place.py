"""The server's own directories, its data and its socket, as the desk's note has them."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from recon.db.embedded.choose import choose_home
from recon.db.embedded.desk import write_private
from recon.db.embedded.errors import EmbeddedPostgresError, from_os_error
from recon.db.embedded.identity import Identity
from recon.db.embedded.sockets import is_private_to, path_fits, short_folder

if TYPE_CHECKING:
    from pathlib import Path

    from recon.db.embedded.desk import Desk

__all__ = ["Place", "find_place", "settle"]


@dataclass(frozen=True)
class Place:
    """The server's own directories and who it is.

    Attributes:
        home: holds ``data`` and, where its path is short enough, the socket; ours.
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
    def lock(self) -> Path:
        """Held alone by the supervisor; a copy of the desk leads to the same home as the desk."""
        return self.home / "home.lock"

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

    def forget_short_sockets(self) -> None:
        """Remove a socket's directory that is not in the home, when the server has stopped."""
        if self.sockets.parent != self.home and self.sockets.exists():
            for left_behind in self.sockets.iterdir():
                left_behind.unlink()
            self.sockets.rmdir()


def find_place(desk: Desk) -> Place | None:
    """Read where the server's directories are; None when nothing was settled yet.

    Raises:
        EmbeddedPostgresError: the note names a directory that is not there any more.
    """
    note = desk.read_json(desk.place_file)
    if note is None:
        return None
    # Relative where it can be, so that a data directory may be moved or copied.
    home = desk.path.parent / note["home"]
    if not home.is_dir():
        raise EmbeddedPostgresError(
            f"{desk.place_file} says that the database is in {home}, which is not there; bring it "
            f"back, or remove {desk.path} to begin with an empty database",
            code="postgres_place",
        )
    identity = Identity(note["uid"], note["gid"], borrowed=note["borrowed"])
    return Place(home, home / note["sockets"], identity)


def settle(desk: Desk, root_home: Path | None) -> Place:
    """Find the server's directories or choose them, and make sure of the socket's.

    Args:
        desk: whose server it is.
        root_home: replaces ``/var/lib/recon-postgres``.

    Raises:
        EmbeddedPostgresError: there is nowhere to put them, or nobody to give them to.
    """
    try:
        place = find_place(desk)
        if place is None:
            home, identity = choose_home(desk.path, root_home)
            place = Place(home, home / "run", identity)
        place = Place(place.home, _sockets(place), place.identity)
        note = {
            "home": _short(place.home, desk.path.parent),
            "sockets": _short(place.sockets, place.home),
            "uid": place.identity.uid,
            "gid": place.identity.gid,
            "borrowed": place.identity.borrowed,
        }
        if desk.read_json(desk.place_file) != note:
            write_private(desk.place_file, json.dumps(note))
    except OSError as error:
        raise from_os_error(error, "prepare the server's directories") from error
    return place


def _sockets(place: Place) -> Path:
    inside = place.home / "run"
    if path_fits(inside):
        return inside if inside.exists() else place.make_folder(inside.name)
    if place.sockets == inside or not place.sockets.exists():
        return short_folder()
    if not is_private_to(place.sockets, place.identity.uid):
        raise EmbeddedPostgresError(
            f"{place.sockets} should be private to user id {place.identity.uid} and is not",
            code="postgres_place",
        )
    return place.sockets


def _short(path: Path, base: Path) -> str:
    return str(path.relative_to(base) if path.is_relative_to(base) else path)
