"""Each dependency has its reason and its licence, and none has gone since."""

from __future__ import annotations

import json
import re
import tomllib
from importlib.metadata import metadata
from typing import Any, Final

from tests.docs.blocks import ROOT

_ROW: Final = re.compile(r"^\| ([\w.-]+) \| (.+) \| (.+) \|$")
_VENDORED: Final = re.compile(r"^\| ([\w@/.-]+) \| ([\d.]+) \| (.+) \| (.+) \|$", re.MULTILINE)
_SECTIONS: Final = {"Run time": "run", "Tests": "test", "Checks": "check", "Build": "build"}
_MAY_BE_SHIPPED: Final = re.compile(
    r"(MIT|Apache-2\.0|BSD-[23]-Clause|0BSD|ISC|PSF-2\.0)"
    r"( (AND|OR) (MIT|Apache-2\.0|BSD-[23]-Clause))*"
)
_PAGE: Final = (ROOT / "docs" / "dependencies.md").read_text(encoding="utf-8")


def declared() -> dict[str, set[str]]:
    """The names in pyproject.toml, by section; an extra is something that runs."""
    project: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    extras = project["project"].get("optional-dependencies", {}).values()
    groups = {
        "run": [*project["project"]["dependencies"], *(one for extra in extras for one in extra)],
        **{name: project["dependency-groups"][name] for name in ("test", "check", "build")},
    }
    return {
        name: {re.split(r"[^\w.-]", one)[0].lower() for one in some}
        for name, some in groups.items()
    }


def written() -> dict[str, dict[str, tuple[str, str]]]:
    """What docs/dependencies.md says: section, then package, to reason and licence."""
    found: dict[str, dict[str, tuple[str, str]]] = {}
    section = ""
    for line in _PAGE.splitlines():
        if line == "## In the pages":
            section = ""  # files, not packages of Python
        elif line.startswith("## "):
            section = _SECTIONS[line[3:]]
            found[section] = {}
        row = _ROW.fullmatch(line)
        if section and row is not None and row[1] != "package":
            found[section][row[1]] = (row[2], row[3])
    return found


def test_every_dependency_has_a_line_and_every_line_a_dependency() -> None:
    assert {name: set(some) for name, some in written().items()} == declared()


def test_what_is_shipped_is_free_to_ship_and_licences_are_what_packages_say() -> None:
    for section, some in written().items():
        for name, (reason, licence) in some.items():
            assert len(reason) > 10, name
            if section == "run":
                assert _MAY_BE_SHIPPED.fullmatch(licence), (name, licence)
            said = metadata(name).json.get("license_expression")
            assert said in {None, licence}, (name, said)


def locked(*folder: str) -> set[tuple[str, str, str]]:
    """What a folder of vendored files has: name, version, licence."""
    entries = json.loads(ROOT.joinpath(*folder, "lock.json").read_text(encoding="utf-8"))
    return {(entry["name"], entry["version"], entry["licence"]) for entry in entries}


def test_every_file_of_others_that_a_browser_loads_has_a_line_with_its_version() -> None:
    rows = _VENDORED.findall(_PAGE)

    assert {(name, version, licence) for name, version, _, licence in rows} == locked(
        "recon", "web", "static", "vendor"
    )
    assert len({name for name, *_ in rows}) == len(rows)
    for name, _, reason, licence in rows:
        assert len(reason) > 10, name
        assert _MAY_BE_SHIPPED.fullmatch(licence), (name, licence)
    ((name, version, licence),) = locked("tests", "web", "vendor")
    assert f"{name} {version} ({licence}," in _PAGE
