"""What is published works without the checkout: it carries its data, migrates, and serves."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from email.parser import Parser
from pathlib import Path
from typing import TYPE_CHECKING

import asyncpg
import pytest

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db.embedded import EmbeddedPostgres

ROOT = Path(__file__).parents[2]


def run(*command: str | Path, cwd: Path, **environment: str) -> str:
    """Run one command to its good end, with an environment that knows no checkout."""
    ran = subprocess.run(  # noqa: S603 - our own words
        [*command],
        cwd=cwd,
        env={"PATH": os.environ["PATH"], "HOME": str(cwd), **environment},
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return ran.stdout


def build(source: Path, target: str, into: Path) -> Path:
    run(sys.executable, "-m", "hatchling", "build", "-t", target, "-d", into, cwd=source)
    (built,) = into.iterdir()
    return built


def files_under(folder: str) -> set[str]:
    return {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of this checkout."""
    return build(ROOT, "wheel", tmp_path_factory.mktemp("wheel"))


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The ``bin`` of an environment with the wheel, and the dependencies that we have already.

    A .pth file lends their folder; the .pth files inside it, and so the checkout, are not followed.
    """
    home = tmp_path_factory.mktemp("installed")
    venv.create(home / "venv", with_pip=False)
    python = home / "venv" / "bin" / "python"
    site = Path(
        run(python, "-c", "import site; print(site.getsitepackages()[0])", cwd=home).strip()
    )
    (site / "lent.pth").write_text(sysconfig.get_path("purelib") + "\n", encoding="utf-8")
    pip = (sys.executable, "-m", "pip", "-q", "--python", python, "install")
    run(*pip, "--no-deps", "--no-index", "--ignore-installed", wheel, cwd=home)
    return python.parent


@pytest.fixture
async def empty_url(server: EmbeddedPostgres) -> AsyncIterator[str]:
    """A database in which nothing was ever migrated."""
    admin = await asyncpg.connect(server.dsn_for("postgres"))
    await admin.execute("CREATE DATABASE packaged")
    try:
        yield server.dsn_for("packaged")
    finally:
        await admin.execute("DROP DATABASE packaged WITH (FORCE)")
        await admin.close()


def test_the_wheel_carries_every_file_of_the_package_and_the_migrations(wheel: Path) -> None:
    migrations = {
        f"recon/migrations{name.removeprefix('alembic')}" for name in files_under("alembic")
    }
    with zipfile.ZipFile(wheel) as archive:
        carried = {name for name in archive.namelist() if ".dist-info/" not in name}

    assert carried == files_under("recon") | migrations
    assert {
        "recon/currencies.csv",
        "recon/ledger/sql/post.sql",
        "recon/migrations/env.py",
        "recon/migrations/versions/0001_ledger.py",
        "recon/migrations/versions/0001_ledger.up.sql",
        "recon/migrations/versions/0001_ledger.down.sql",
    } <= carried


def test_the_wheel_says_what_it_is(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (about,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
        metadata = Parser().parsestr(archive.read(about).decode())
        entry_points = archive.read(about.replace("METADATA", "entry_points.txt")).decode()
        licence = archive.read(about.replace("METADATA", "licenses/LICENSE")).decode()

    assert metadata["Name"] == "recon"
    assert metadata["License-Expression"] == "Apache-2.0"
    assert metadata["Requires-Python"] == ">=3.11"
    assert "recon = recon.cli:main" in entry_points
    assert "Apache License" in licence


def test_the_source_distribution_builds_the_same_wheel(wheel: Path, tmp_path: Path) -> None:
    sdist = build(ROOT, "sdist", tmp_path / "sdist")
    with tarfile.open(sdist) as archive:
        archive.extractall(tmp_path, filter="data")

    again = build(tmp_path / sdist.name.removesuffix(".tar.gz"), "wheel", tmp_path / "wheel")

    with zipfile.ZipFile(wheel) as one, zipfile.ZipFile(again) as other:
        assert sorted(other.namelist()) == sorted(one.namelist())


async def test_an_installation_without_a_checkout_migrates(
    installed: Path, empty_url: str, tmp_path: Path
) -> None:
    where = run(installed / "python", "-c", "import recon; print(recon.__file__)", cwd=tmp_path)
    up = run(
        installed / "python",
        "-c",
        "import asyncio, sys; from recon.db.migrations import migrate;"
        "print(asyncio.run(migrate(sys.argv[1])).up_to_date)",
        empty_url,
        cwd=tmp_path,
    )

    assert Path(where).is_relative_to(installed.parent)
    assert up == "True\n"
    connection = await asyncpg.connect(empty_url)
    try:
        assert await connection.fetchval("SELECT count(*) FROM currencies") > 100
    finally:
        await connection.close()


async def test_its_command_line_finds_the_schema_up_to_date(
    installed: Path, database_url: str, tmp_path: Path
) -> None:
    status = run(
        installed / "recon",
        "migrate",
        "status",
        "--json",
        cwd=tmp_path,
        RECON_DATABASE_URL=database_url,
    )

    assert json.loads(status)["up_to_date"] is True
