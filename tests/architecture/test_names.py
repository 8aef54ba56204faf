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


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_is_named_for_what_it_does(path: Path) -> None:
    parts = path.relative_to(ROOT).with_suffix("").parts

    assert DRAWERS.isdisjoint(parts)
    assert DRAWERS.isdisjoint(word for part in parts for word in part.split("_"))


@pytest.mark.parametrize("path", MODULES, ids=shown)
def test_a_module_says_what_it_is_and_what_it_shows(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    only_a_docstring = len(tree.body) == 1

    assert ast.get_docstring(tree)
    assert only_a_docstring or path.stem == "__main__" or shows_names(tree), "no __all__"


def shows_names(tree: ast.Module) -> bool:
    for node in tree.body:
        match node:
            case (
                ast.Assign(targets=[ast.Name(id="__all__")])
                | ast.AnnAssign(target=ast.Name(id="__all__"))
            ):
                return True
    return False
