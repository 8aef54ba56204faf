"""The chain's rows as models."""

from __future__ import annotations

from dataclasses import astuple
from typing import TYPE_CHECKING, Any

from recon.db import load
from recon.seals.model import Seal

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    import asyncpg

__all__ = ["insert_seal", "last_seal", "last_seal_by", "seal_from"]


async def last_seal(connection: asyncpg.Connection[Any]) -> Seal | None:
    """The newest seal."""
    row = await connection.fetchrow(load("recon.seals", "last_seal"))
    return None if row is None else seal_from(row)


async def last_seal_by(connection: asyncpg.Connection[Any], at: datetime) -> Seal | None:
    """The newest seal that covers no more than was committed before an instant."""
    row = await connection.fetchrow(load("recon.seals", "last_seal_by"), at)
    return None if row is None else seal_from(row)


async def insert_seal(connection: asyncpg.Connection[Any], seal: Seal) -> None:
    """Write a seal behind the one before it.

    Raises:
        asyncpg.UniqueViolationError: its number is taken.
    """
    await connection.execute(load("recon.seals", "insert_seal"), *astuple(seal))


def seal_from(row: Mapping[str, Any]) -> Seal:
    """A seal from a row that has its columns."""
    return Seal(**{name: row[name] for name in Seal.__dataclass_fields__})
