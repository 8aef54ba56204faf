"""SQL lives in files, one statement each, beside the room that runs it."""

from __future__ import annotations

import re
from functools import cache
from importlib import resources
from typing import Final, NewType

__all__ = ["Sql", "is_turned", "load", "load_in_order"]

Sql = NewType("Sql", str)
"""One statement, as its file has it."""

_TURNED: Final = {"<": ">", ">": "<", "DESC": "ASC", "ASC": "DESC"}


@cache
def load(package: str, name: str) -> Sql:
    """The statement in ``<package>/sql/<name>.sql``.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = resources.files(package).joinpath("sql", f"{name}.sql")
    return Sql(path.read_text(encoding="utf-8"))


def is_turned(sort: str) -> bool:
    """Whether an order is the other way round than lists are written: newest or largest first.

    Args:
        sort: what it goes by, with ``-`` before it for the largest first. The largest age is that
            of the oldest: ``age`` is newest first.
    """
    return sort.startswith("-") == (sort.removeprefix("-") == "age")


@cache
def load_in_order(package: str, name: str, *, turned: bool) -> Sql:
    """The statement of a list, in the order of its file or the other way round.

    In each line that ends with ``-- turns`` before and after, and DESC and ASC, change places; the
    rest of the list is the same either way.

    Args:
        package: as `load` takes it.
        name: as `load` takes it.
        turned: the other way round.

    Raises:
        ValueError: no line of it turns.
    """
    statement = load(package, name)
    if not turned:
        return statement
    lines = re.sub(
        r"^.*-- turns$",
        lambda line: re.sub(r"<|>|\bDESC\b|\bASC\b", lambda word: _TURNED[word[0]], line[0]),
        statement,
        flags=re.MULTILINE,
    )
    if lines == statement:
        raise ValueError(f"no line of {package}/{name} turns")
    return Sql(lines)
