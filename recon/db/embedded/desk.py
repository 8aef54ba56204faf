"""``.recon/postgres``: what belongs to recon itself, and to nobody else.

It is ours with mode 0700 and holds the password, the locks, the server's log and the note that
says where the server's own directories are.
"""

from __future__ import annotations

import json
import os
import secrets
import stat
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from recon.db.embedded.errors import EmbeddedPostgresError, from_os_error

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Desk", "open_desk", "sync_folder", "write_private"]

_README = """\
This directory belongs to recon: it keeps the PostgreSQL server that recon runs when it is given no
RECON_DATABASE_URL. `recon` starts it and stops it; nothing here is meant to be edited.

password      of the database user "recon", who owns the tables and migrates them
service-password
              of "recon_service", as whom the service connects; it cannot change the past
place.json    where the server's own directories are ("home"). Started by root they may be outside
              this directory, because PostgreSQL refuses to run as root and the user it runs as
              must be able to reach them without any directory here being opened to others.
server.log    what the server said
*.lock        who uses the server now; removing one while recon runs is not safe

To begin anew: stop recon, then remove this directory and the one that place.json calls "home".
"""


@dataclass(frozen=True)
class Desk:
    """The paths of one data directory's server that are ours alone."""

    path: Path

    @property
    def start_lock(self) -> Path:
        """Held alone by whoever looks whether to start the server."""
        return self.path / "start.lock"

    @property
    def users_lock(self) -> Path:
        """Shared by everybody who uses the server, held alone once the last has left."""
        return self.path / "users.lock"

    @property
    def server_lock(self) -> Path:
        """Held alone by the supervisor for as long as it lives."""
        return self.path / "server.lock"

    @property
    def password_file(self) -> Path:
        """The password of the database user."""
        return self.path / "password"

    @property
    def service_password_file(self) -> Path:
        """The password of the service's own database user."""
        return self.path / "service-password"

    @property
    def place_file(self) -> Path:
        """Where the server's own directories are."""
        return self.path / "place.json"

    @property
    def state_file(self) -> Path:
        """The running server; absent while it starts and after it stopped."""
        return self.path / "server.json"

    @property
    def log_file(self) -> Path:
        """What the server and its supervisor said."""
        return self.path / "server.log"

    def password(self) -> str:
        """Read the password.

        Raises:
            EmbeddedPostgresError: it cannot be read.
        """
        return _read_secret(self.password_file)

    def service_password(self) -> str:
        """Read the password of the service's own user.

        Raises:
            EmbeddedPostgresError: it cannot be read; the server was started by a version of recon
                that had no such user, or the file was lost while it ran.
        """
        if not self.service_password_file.exists():
            raise EmbeddedPostgresError(
                "the server that runs on this data directory has no user for the service yet: stop "
                "every recon that uses it, then start again",
                code="postgres_in_use",
            )
        return _read_secret(self.service_password_file)

    def new_password(self) -> str:
        """Make a password and keep it, so that it is on disk before anything depends on it."""
        password = secrets.token_urlsafe(32)
        write_private(self.password_file, password + "\n")
        return password

    def read_json(self, path: Path) -> dict[str, Any] | None:
        """Read one of our notes; None when it is not there."""
        try:
            note = json.loads(path.read_bytes())
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise EmbeddedPostgresError(
                f"{path} cannot be read: {error}", code="postgres_place"
            ) from error
        return note if isinstance(note, dict) else None


def open_desk(data_dir: Path) -> Desk:
    """Make or find ``postgres`` under the data directory.

    Directories that are missing are made; of those that exist no permission is touched.

    Args:
        data_dir: recon's data directory, resolved.

    Raises:
        EmbeddedPostgresError: it cannot be made, or it is somebody else's.
    """
    desk = Desk(data_dir / "postgres")
    try:
        data_dir.parent.mkdir(parents=True, exist_ok=True)
        _mkdir_private(data_dir)
        if _mkdir_private(desk.path):
            write_private(desk.path / "README", _README)
        found = desk.path.lstat()
    except OSError as error:
        raise from_os_error(error, "prepare the data directory") from error
    if not stat.S_ISDIR(found.st_mode) or found.st_uid != os.geteuid():
        raise EmbeddedPostgresError(
            f"{desk.path} belongs to user id {found.st_uid} and we run as {os.geteuid()}: "
            "run recon as that user, or choose another RECON_DATA_DIR",
            code="postgres_place",
        )
    if found.st_mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise EmbeddedPostgresError(
            f"{desk.path} is open to others: `chmod 700 {desk.path}`", code="postgres_place"
        )
    return desk


def write_private(path: Path, text: str) -> None:
    """Replace a file at once, readable by its owner only, and on disk when this returns."""
    draft = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(fd, "w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(fd)
        draft.replace(path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def sync_folder(folder: Path) -> None:
    """Make a name that was just given in a directory last through a power cut."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _read_secret(path: Path) -> str:
    try:
        return path.read_text("ascii").strip()
    except OSError as error:
        raise from_os_error(error, "read the database's password") from error


def _mkdir_private(path: Path) -> bool:
    try:
        path.mkdir(mode=0o700)
    except FileExistsError:
        return False
    return True
