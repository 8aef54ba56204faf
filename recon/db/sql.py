"""SQL lives in files, one statement each, beside the room that runs it."""

from __future__ import annotations

from functools import cache
from importlib import resources
from typing import NewType

__all__ = ["Sql", "load"]

Sql = NewType("Sql", str)
"""One statement, as its file has it."""


@cache
def load(package: str, name: str) -> Sql:
    """The statement in ``<package>/sql/<name>.sql``.

    Raises:
        FileNotFoundError: there is no such file.
    """
    path = resources.files(package).joinpath("sql", f"{name}.sql")
    return Sql(path.read_text(encoding="utf-8"))
