"""Nothing of one machine, and no registry's address, is written into the project."""

from __future__ import annotations

import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# Put together here, so that this file does not hold them.
HOSTS = tuple(
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("pythonhosted", "org"),
        ("npmjs", "org"),
        ("npmjs", "com"),
        ("docker", "io"),
        ("ghcr", "io"),
        ("quay", "io"),
        ("gcr", "io"),
        ("deb", "debian", "org"),
    )
)
PLACES = tuple("/" + place + "/" for place in ("work", "root", "home", "opt/pypi", "opt/wheels"))
SETTINGS = tuple("--" + name for name in ("index-url", "extra-index-url", "find-links"))
LOCKS = tuple(f"requirements{name}.lock" for name in ("", "-otel", "-build", "-dev"))


def tracked() -> list[Path]:
    if not (ROOT / ".git").exists():  # an unpacked source distribution
        return [
            path for room in ("alembic", "recon", "tests") for path in (ROOT / room).rglob("*.*")
        ]
    listed = subprocess.run(
        ["git", "ls-files", "-z"],  # noqa: S607 - whichever git there is
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    return [path for name in listed.split("\0") if name and (path := ROOT / name).is_file()]


def test_no_registry_and_no_path_of_one_machine_is_tracked() -> None:
    found = []
    for path in tracked():
        try:
            text = path.read_text(encoding="utf-8")
        except UnicodeDecodeError:
            continue  # a picture
        found += [
            f"{path.relative_to(ROOT)}: {word}"
            for word in (*HOSTS, *PLACES, *SETTINGS)
            # To look for the word alone first takes a tenth of the time.
            if word in text and re.search(rf"(?<![\w.-]){re.escape(word)}", text)
        ]

    assert found == []


@pytest.mark.parametrize("name", LOCKS)
def test_a_lock_holds_names_versions_and_hashes_only(name: str) -> None:
    text = (ROOT / name).read_text(encoding="utf-8")
    entries = re.sub(r"(?m)^\s*#.*$|\\\n", "", text).splitlines()
    pinned = re.compile(
        r"[a-z0-9-]+(\[[a-z0-9,-]+\])?==\S+( ;.*?)?(\s+--hash=sha256:[0-9a-f]{64})+"
    )

    wrong = [line for line in entries if line.strip() and not pinned.fullmatch(line.strip())]

    assert len(entries) > 5
    assert wrong == []


def test_every_image_is_named_plainly() -> None:
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    images = re.findall(r"(?m)^FROM (\S+)", dockerfile)

    assert images == ["python:${PYTHON}"] * 2
    assert re.search(r"(?m)^ARG PYTHON=3\.\d+-slim-\w+$", dockerfile)
