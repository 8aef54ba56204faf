"""The house reads as it was meant: names of the field, a contract on every door."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted((ROOT / "recon").rglob("*.py"))
# What is put there belongs to some room, and nobody knows which any more.
DRAWERS = {"base", "common", "core", "helper", "helpers", "misc", "service", "services", "shared"}
DRAWERS |= {"util", "utils"}


def shown(path: Path) -> str:
    return str(path.relative_to(ROOT))


def test_every_module_is_named_for_what_it_does() -> None:
    assert [shown(path) for path in MODULES if is_a_drawer(path)] == []


def test_every_module_says_what_it_is_and_what_it_shows() -> None:
    trees = {shown(path): ast.parse(path.read_text(encoding="utf-8")) for path in MODULES}

    assert [name for name, tree in trees.items() if not ast.get_docstring(tree)] == []
    assert [name for name, tree in trees.items() if not shows_names(name, tree)] == []


@pytest.mark.parametrize(
    "path", ["recon/utils.py", "recon/web/base.py", "recon/common/money.py", "recon/db_helpers.py"]
)
def test_the_rule_sees_a_drawer(path: str) -> None:
    assert is_a_drawer(ROOT / path)


@pytest.mark.parametrize(
    ("name", "source", "shows"),
    [
        ("recon/a.py", '"""A door."""\n__all__ = ["x"]\nx = 1', True),
        ("recon/a.py", '"""A door."""\n__all__: list[str] = []\nx = 1', True),
        ("recon/a.py", '"""Nothing else."""', True),
        ("recon/a.py", '"""A door."""\nx = 1', False),
        ("recon/__main__.py", '"""A start."""\nmain()', True),
    ],
)
def test_the_rule_sees_what_shows_nothing(name: str, source: str, shows: bool) -> None:  # noqa: FBT001 - a parameter of the test
    assert shows_names(name, ast.parse(source)) is shows


def is_a_drawer(path: Path) -> bool:
    parts = path.relative_to(ROOT).with_suffix("").parts
    words = {word for part in parts for word in part.split("_")}
    return not DRAWERS.isdisjoint({*parts, *words})


def shows_names(name: str, tree: ast.Module) -> bool:
    """Whether it has an ``__all__``, or nothing but a docstring, or is run and not imported."""
    if len(tree.body) == 1 or name.endswith("__main__.py"):
        return True
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")])
                | ast.AnnAssign(target=ast.Name(id="__all__"))
            ):
                return True
    return False
