"""What stands around every page: how much is open, and how much waits for whoever looks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from recon.db import load

if TYPE_CHECKING:
    import asyncpg

__all__ = ["Shell", "read_shell"]


class Shell(NamedTuple):
    """What the navigation counts; a thousand stands for as many or more."""

    open_rows: int
    waiting: int


async def read_shell(connection: asyncpg.Connection[Any], actor: str) -> Shell:
    """Open discrepancies, and proposals that another than ``actor`` has made."""
    row = await connection.fetchrow(load("recon.web", "shell"), actor)
    if row is None:
        raise LookupError("two counts without a row")
    return Shell(row["open_rows"], row["waiting"])
