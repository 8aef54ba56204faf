"""Builds what the Dockerfile says into a folder, without an engine: its own RUN lines, by a shell.

Its absolute paths stand under the folder. Programs that would change this machine (groupadd,
useradd, install) only write down how they were called. The one step that would fetch from a
registry, the locked dependencies, takes them from the environment that the tests run in: exactly
those that the lock names, and nothing else of it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from importlib.metadata import distribution
from pathlib import Path
from typing import TYPE_CHECKING, Final

from packaging.requirements import Requirement

from recon.db.embedded.reach import searchable
from tests.packaging.dockerfile import is_sent

if TYPE_CHECKING:
    from tests.packaging.dockerfile import Dockerfile, Stage

__all__ = ["Image", "build", "locked"]

ROOT: Final = Path(__file__).parents[2]
_ABSOLUTE: Final = re.compile(r"(?<![\w.:/])/(?=(?:opt|src|var)\b)")
_UNUSED: Final = shutil.ignore_patterns(
    *("site-packages", "test", "tests", "idlelib", "ensurepip", "tkinter", "turtledemo"),
    *("__pycache__", "*.a", "lib2to3", "pydoc_data", "config-3*"),
)

_PIP: Final = """#!/bin/sh
case " $* " in
  *" --require-hashes "*) echo "$*" >>"$ENGINE/locked" ;;
  *) exec "$ENGINE_PYTHON" -m pip "$@" ;;
esac
"""
_PYTHON: Final = """#!/bin/sh
case " $* " in
  *" -m venv "*) exec "$ENGINE_BASE" "$@" ;;
  *) exec "$ENGINE_PYTHON" "$@" ;;
esac
"""
_RECORD: Final = """#!/bin/sh
echo "$(basename "$0") $*" >>"$ENGINE/users"
"""


@dataclass
class Image:
    """What was built.

    Args:
        root: under which the image's paths stand.
        stage: the last one of the Dockerfile.
        locked: calls of pip that install by a lock, in their order.
        users: calls of groupadd, useradd and install.
    """

    root: Path
    stage: Stage
    locked: list[list[str]] = field(default_factory=list)
    users: list[list[str]] = field(default_factory=list)

    def place(self, path: str) -> Path:
        return self.root / path.removeprefix("/")

    def environment(self) -> dict[str, str]:
        """What a container begins with, with paths under the root."""
        path = f"{self.place('/usr/bin')}:/usr/bin:/bin"
        # Where an interpreter was copied, its library is beside it.
        library = self.root / "python" / "lib"
        return {
            **({"LD_LIBRARY_PATH": str(library)} if library.exists() else {}),
            **{
                name: _ABSOLUTE.sub(f"{self.root}/", value).replace("$PATH", path)
                for name, value in self.stage.environment.items()
            },
        }


def build(dockerfile: Dockerfile, root: Path) -> Image:
    """Go through the stages, step by step."""
    making, shipped = dockerfile.stages
    engine = root / "engine"
    engine.mkdir()
    base = _interpreter(root / "python")
    for name, text in {"pip": _PIP, "python": _PYTHON, "groupadd": _RECORD, "useradd": _RECORD,
                       "install": _RECORD}.items():  # fmt: skip
        (engine / name).write_text(text)
        (engine / name).chmod(0o755)
    environment = {
        "PATH": f"{engine}:{os.environ['PATH']}",
        "HOME": str(root),
        "ENGINE": str(engine),
        "ENGINE_PYTHON": sys.executable,
        "ENGINE_BASE": str(base),
    }
    image = Image(root, shipped)
    for stage in (making, shipped):
        folder, said = root, dict(environment)
        for step in stage.steps:
            match step.word:
                case "ENV":
                    pairs = dict(pair.split("=", 1) for pair in step.words)
                    said |= pairs | {"PATH": environment["PATH"]}
                case "ARG":
                    name, _, value = step.text.partition("=")
                    said[name] = value
                case "WORKDIR":
                    folder = image.place(step.text)
                    folder.mkdir(parents=True, exist_ok=True)
                case "COPY":
                    _copy(step.words, folder, making.name)
                case "RUN":
                    _run(_ABSOLUTE.sub(f"{root}/", step.text), folder, said)
                    _note(image, engine, folder)
    return image


def _note(image: Image, engine: Path, folder: Path) -> None:
    """Keep what was called, and do what a lock says."""
    image.users += _recorded(engine / "users")
    for call in _recorded(engine / "locked"):
        image.locked.append(call)
        if "--python" in call:
            _lend(folder / call[-1], Path(call[call.index("--python") + 1]))


def _run(text: str, folder: Path, environment: dict[str, str]) -> None:
    ran = subprocess.run(  # noqa: S603 - the Dockerfile's own words
        ["/bin/sh", "-ec", text],
        cwd=folder,
        env=environment,
        check=False,
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert ran.returncode == 0, f"{text}\n{ran.stdout}{ran.stderr}"


def locked(lock: Path) -> list[str]:
    """The names in a lock of what this machine would install."""
    found = [
        Requirement(line.split("\\")[0].strip())
        for line in lock.read_text().splitlines()
        if re.match(r"[a-z0-9]", line)
    ]
    return [one.name for one in found if one.marker is None or one.marker.evaluate()]


def _copy(words: list[str], folder: Path, making: str) -> None:
    if words[0].startswith("--from"):
        # An environment cannot be moved: it is where it was made.
        assert words == [f"--from={making}", "/opt/venv", "/opt/venv"]
        return
    *names, target = words
    for name in names:
        assert is_sent(name, ROOT / ".dockerignore"), f".dockerignore keeps {name} from the engine"
        if (ROOT / name).is_dir():
            into = folder / target
            shutil.copytree(
                ROOT / name, into, ignore=shutil.ignore_patterns("__pycache__"), dirs_exist_ok=True
            )
        else:
            shutil.copy2(ROOT / name, folder / target)


def _lend(lock: Path, python: Path) -> None:
    """Put what a lock names, as it is installed for the tests, into an environment."""
    (site,) = (python.parent.parent / "lib").glob("python3.*/site-packages")
    for name in locked(lock):
        found = distribution(name)
        home = Path(str(found.locate_file("")))
        tops = {part.parts[0] for part in found.files or () if part.parts[0] != ".."}
        for top in sorted(tops - {"__pycache__"}):
            if (site / top).exists() or not (home / top).exists():
                continue
            if searchable(home):
                (site / top).symlink_to(home / top)
            elif (home / top).is_dir():
                shutil.copytree(home / top, site / top, symlinks=True)
            else:
                shutil.copy2(home / top, site / top)


def _interpreter(into: Path) -> Path:
    """An interpreter that anybody may run: this one's, or a copy of it."""
    name = f"python{sys.version_info.major}.{sys.version_info.minor}"
    base = Path(sys.base_prefix)
    if searchable((base / "bin").resolve()):
        return base / "bin" / name
    shutil.copytree(base / "lib" / name, into / "lib" / name, ignore=_UNUSED, symlinks=True)
    for library in (base / "lib").glob("libpython*.so*"):
        shutil.copy2(library, into / "lib" / library.name)
    (into / "bin").mkdir()
    shutil.copy2(base / "bin" / name, into / "bin" / name)
    return into / "bin" / name


def _recorded(path: Path) -> list[list[str]]:
    """What was called since this was last asked."""
    calls = path.read_text().splitlines() if path.exists() else []
    path.unlink(missing_ok=True)
    return [shlex.split(line) for line in calls]
