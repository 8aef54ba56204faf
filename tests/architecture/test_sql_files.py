"""Every SQL file is a statement that the migrated schema accepts, and that something runs."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recon.db import load, load_in_order

if TYPE_CHECKING:
    import asyncpg

ROOT = Path(__file__).parents[2]
FILES = sorted((ROOT / "recon").glob("**/sql/*.sql"))

TURNING = [path for path in FILES if "-- turns\n" in path.read_text(encoding="utf-8")]

SOURCES = [path.read_text(encoding="utf-8") for path in (ROOT / "recon").rglob("*.py")]


def name_of(path: Path) -> str:
    """``recon/ledger/sql/post.sql`` → ``recon.ledger/post``."""
    return ".".join(path.relative_to(ROOT).parts[:-2]) + "/" + path.stem


def test_there_are_sql_files() -> None:
    assert len(FILES) > 50


@pytest.fixture(scope="module")
async def tables(
    schema: asyncpg.Connection[asyncpg.Record],
) -> asyncpg.Connection[asyncpg.Record]:
    """The migrated schema, and what a simulation keeps beside it."""
    await schema.execute("CREATE SCHEMA simulation")
    await schema.execute((ROOT / "recon/simulation/history.sql").read_text(encoding="utf-8"))
    return schema


@pytest.mark.parametrize("path", FILES, ids=name_of)
async def test_a_statement_can_be_prepared(
    tables: asyncpg.Connection[asyncpg.Record], path: Path
) -> None:
    package, _, name = name_of(path).partition("/")

    prepared = await tables.prepare(load(package, name))

    documented = {int(number) for number in re.findall(r"\$(\d+)", _comment(path))}
    taken = len(prepared.get_parameters())
    assert documented <= set(range(1, taken + 1)), "the comment explains parameters that are none"


@pytest.mark.parametrize("path", TURNING, ids=name_of)
async def test_a_list_can_be_prepared_the_other_way_round(
    tables: asyncpg.Connection[asyncpg.Record], path: Path
) -> None:
    package, _, name = name_of(path).partition("/")

    turned = load_in_order(package, name, turned=True)

    await tables.prepare(turned)
    there, back = load(package, name).splitlines(), turned.splitlines()
    changed = [(a, b) for a, b in zip(there, back, strict=True) if a != b]
    assert any(re.search(r"\b(?:ASC|DESC)\b", line) for line, _ in changed)
    assert all(line.endswith("-- turns") for line, _ in changed)
    assert len(changed) == sum(line.endswith("-- turns") for line in there)


def test_a_list_that_does_not_turn_is_not_turned() -> None:
    with pytest.raises(ValueError, match=r"no line of recon\.ledger/post turns"):
        load_in_order("recon.ledger", "post", turned=True)


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_file_explains_itself_and_something_runs_it(path: Path) -> None:
    package, _, name = name_of(path).partition("/")
    assert _comment(path), "one line at least says what it does and what $1 is"
    assert any(f'"{package}"' in source and f'"{name}"' in source for source in SOURCES), (
        f"nothing loads {package}'s {name}.sql"
    )


def _comment(path: Path) -> str:
    lines = path.read_text(encoding="utf-8").splitlines()
    return "\n".join(line for line in lines if line.startswith("--"))
