"""The image, without an engine: each step of the Dockerfile is made, and what it ships runs."""

from __future__ import annotations

import asyncio
import json
import os
import pwd
import re
import signal
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import aiohttp
import pytest
from packaging.requirements import Requirement

from recon.cli.serve import serve
from recon.db.embedded.child import die_with_parent
from tests.packaging.dockerfile import Dockerfile, is_sent
from tests.packaging.engine import ROOT, Image, build, locked
from tests.scratch import passable_folder

if TYPE_CHECKING:
    from collections.abc import Iterator

FILE = Dockerfile.read(ROOT / "Dockerfile")
SHIPPED = FILE.stages[-1]
UID = 10001
AS_ROOT = os.getuid() == 0
NOBODY = pwd.getpwnam("nobody")
"""Stands for the image's user, who has no name on this machine: initdb wants one."""


@pytest.fixture(scope="module")
def image() -> Iterator[Image]:
    """The image's tree, which its user may read and not write, but for one folder."""
    with passable_folder("recon-image-") as root:
        made = build(FILE, root)
        for call in made.users:
            if call[0] == "install":
                _install(made, call)
        yield made


def _install(made: Image, call: list[str]) -> None:
    """``install -d -o … -m …``, below the root, by the ids that useradd was given."""
    folder = Path(call[-1])
    assert folder.is_relative_to(made.root)
    folder.mkdir(parents=True, exist_ok=True)
    folder.chmod(int(call[call.index("-m") + 1], 8))
    if AS_ROOT:
        os.chown(folder, NOBODY.pw_uid, NOBODY.pw_gid)


def inside(image: Image, *words: str, **more: str) -> dict[str, object]:
    """How a command is started in a container of it."""
    home = image.place(SHIPPED.only("WORKDIR").text)
    return {
        "args": [*words],
        "cwd": home,
        "env": image.environment() | {"HOME": str(home)} | more,
        **({"user": NOBODY.pw_uid, "group": NOBODY.pw_gid, "extra_groups": []} if AS_ROOT else {}),
    }


def run(image: Image, *words: str, **more: str) -> str:
    ran = subprocess.run(
        **inside(image, *words, **more),  # type: ignore[call-overload]
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    return str(ran.stdout)


def tree(image: Image) -> dict[str, int]:
    """Every file of what is shipped, and when it was last changed."""
    return {str(path): path.lstat().st_mtime_ns for path in image.place("/opt/venv").rglob("*")}


def test_hadolint_has_nothing_to_say() -> None:
    ran = subprocess.run(  # noqa: S603 - our own words
        [Path(sys.executable).with_name("hadolint"), ROOT / "Dockerfile"],
        check=False,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert (ran.returncode, ran.stdout) == (0, "")


def test_only_what_is_copied_reaches_the_engine() -> None:
    copied = {
        name
        for stage in FILE.stages
        for step in stage.all("COPY")
        if "--from" not in step.text
        for name in step.words[:-1]
    }
    sent = {path.name for path in ROOT.iterdir() if is_sent(path.name, ROOT / ".dockerignore")}

    assert sent == copied
    assert not is_sent("recon/__pycache__", ROOT / ".dockerignore")
    assert not is_sent(".git", ROOT / ".dockerignore")


def test_dependencies_are_installed_by_hash_and_never_built(image: Image) -> None:
    assert [call[-1] for call in image.locked] == ["requirements.lock", "requirements-build.lock"]
    for call in image.locked:
        assert {"--require-hashes", "--only-binary", ":all:"} <= set(call)
    needed = Requirement("hatchling").name
    assert needed in locked(ROOT / "requirements-build.lock")


def test_with_traces_it_has_the_same_and_what_they_need() -> None:
    plain, traced = (
        {line for line in (ROOT / name).read_text().splitlines() if re.match(r"[a-z0-9]", line)}
        for name in ("requirements.lock", "requirements-otel.lock")
    )
    more = {line.partition("==")[0] for line in traced - plain}

    assert plain <= traced
    assert {"opentelemetry-sdk", "opentelemetry-exporter-otlp-proto-http"} <= more


def test_it_is_a_person_of_no_rights_who_runs_it(image: Image) -> None:
    calls = {call[0]: call for call in image.users}

    assert SHIPPED.only("USER").text == f"{UID}:{UID}"
    assert calls["groupadd"][1:] == ["--gid", str(UID), "recon"]
    assert calls["useradd"][calls["useradd"].index("--uid") + 1] == str(UID)
    assert calls["useradd"][calls["useradd"].index("--shell") + 1].endswith("nologin")
    # Nobody else may look into what is written, and it is what is kept.
    home = SHIPPED.only("VOLUME").text
    assert home == SHIPPED.only("WORKDIR").text
    assert SHIPPED.environment["RECON_DATA_DIR"].startswith(f"{home}/")
    assert stat.S_IMODE(image.place(home).stat().st_mode) == 0o700


def test_its_words_are_those_of_the_command_line() -> None:
    entry, words = SHIPPED.only("ENTRYPOINT").words, SHIPPED.only("CMD").words
    (port,) = [option.default for option in serve.params if option.name == "port"]

    assert (entry, words[0]) == (["recon"], "serve")
    assert SHIPPED.only("EXPOSE").text == str(port)
    assert SHIPPED.only("STOPSIGNAL").text == "SIGTERM"
    health = SHIPPED.only("HEALTHCHECK").text.partition("CMD ")[2]
    assert json.loads(health) == ["recon", "healthcheck"]


def test_both_stages_stand_on_the_same_python(image: Image) -> None:
    assert {stage.image for stage in FILE.stages} == {"python:${PYTHON}"}
    minimum = re.search(r'requires-python = ">=3\.(\d+)"', (ROOT / "pyproject.toml").read_text())
    version = re.match(r"3\.(\d+)-slim", FILE.arguments["PYTHON"])
    assert minimum is not None
    assert version is not None
    assert int(version[1]) >= int(minimum[1])
    # No pip and no build tools are shipped.
    names = {path.name for path in image.place("/opt/venv/bin").iterdir()}
    assert "recon" in names
    assert not {name for name in names if name.startswith(("pip", "hatch"))}


def test_its_user_can_change_nothing_of_it(image: Image) -> None:
    if not AS_ROOT:
        pytest.skip("who is not root is the tree's owner here")
    script = (
        "import os, sys\n"
        "print(sum(os.access(os.path.join(folder, name), os.W_OK)"
        " for folder, _, names in os.walk(sys.argv[1]) for name in [*names, '.']"
        " if not os.path.islink(os.path.join(folder, name))))"
    )

    assert run(image, "python", "-c", script, str(image.place("/opt/venv"))) == "0\n"


async def test_as_it_is_shipped_it_migrates_serves_is_healthy_and_stops(image: Image) -> None:
    before = tree(image)
    schema = json.loads(await asyncio.to_thread(run, image, "recon", "migrate", "--json"))
    assert schema["up_to_date"] is True
    entry, words = SHIPPED.only("ENTRYPOINT").words, SHIPPED.only("CMD").words
    # On this machine alone, and on any free port.
    here = [{"0.0.0.0": "127.0.0.1"}.get(word, word) for word in words]  # noqa: S104
    child = await asyncio.create_subprocess_exec(
        *(started := inside(image, *entry, *here, "--port", "0", "--json")).pop("args"),  # type: ignore[misc]
        **started,  # type: ignore[arg-type]
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        preexec_fn=die_with_parent(),
    )
    assert child.stdout is not None
    try:
        line = await asyncio.wait_for(child.stdout.readline(), 300)
        if not line:
            raise AssertionError((await child.communicate())[1].decode())
        url = json.loads(line)["url"]
        healthy = json.loads(SHIPPED.only("HEALTHCHECK").text.partition("CMD ")[2])
        await asyncio.to_thread(run, image, *healthy, "--url", f"{url}/healthz")
        async with aiohttp.ClientSession(url) as session:
            async with session.get("/readyz") as ready:
                assert (ready.status, (await ready.json())["database"]) == (200, "ok")
            async with session.get("/sign-in") as page, session.get("/openapi.json") as described:
                assert (page.status, described.status) == (200, 200)
        child.send_signal(signal.SIGTERM)
        _, said = await asyncio.wait_for(child.communicate(), 60)
        assert child.returncode == 0, said.decode()
    finally:
        if child.returncode is None:
            child.kill()
            await child.wait()
    # Its own Postgres was in the one folder that it may write to, and nothing else has changed.
    assert any(image.place(SHIPPED.environment["RECON_DATA_DIR"]).iterdir())
    assert tree(image) == before
