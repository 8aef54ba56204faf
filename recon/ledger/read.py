"""Read wallets and their postings, now and as of any instant."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from recon.db import load, load_in_order
from recon.ledger.errors import WalletNotFoundError
from recon.ledger.model import Account, Posting, Wallet

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    import asyncpg

__all__ = [
    "read_currencies",
    "read_entries",
    "read_postings_up_to",
    "read_wallet",
    "read_wallet_or_none",
]


async def read_wallet(
    connection: asyncpg.Connection[Any], user_id: str, currency: str, *, at: datetime | None = None
) -> Wallet:
    """A wallet now or as of an instant; errors as they are, `WalletNotFoundError` when unopened."""
    wallet = await read_wallet_or_none(connection, user_id, currency, at=at)
    if wallet is None:
        when = "" if at is None else " at that time"
        raise WalletNotFoundError(f"{user_id} has no {currency} wallet{when}")
    return wallet


async def read_wallet_or_none(
    connection: asyncpg.Connection[Any], user_id: str, currency: str, *, at: datetime | None = None
) -> Wallet | None:
    """The wallet now, or by what was recorded until ``at``; ``None`` before its first posting."""
    if at is None:
        row = await connection.fetchrow(load("recon.ledger", "wallet_now"), user_id, currency)
    else:
        row = await connection.fetchrow(load("recon.ledger", "wallet_at"), user_id, currency, at)
    if row is None:
        return None
    return Wallet(
        user_id,
        currency,
        int(row["available"]),
        int(row["held"]),
        int(row["reserved"]),
        row["version"],
        row["as_of"],
    )


async def read_currencies(connection: asyncpg.Connection[Any], user_id: str) -> list[str]:
    """The currencies of a player's wallets, in order; none for a player we do not know."""
    rows = await connection.fetch(load("recon.ledger", "currencies_of"), user_id)
    return [row["currency"] for row in rows]


async def read_entries(
    connection: asyncpg.Connection[Any],
    user_id: str,
    currency: str,
    *,
    before_version: int | None = None,
    limit: int = 100,
    at: datetime | None = None,
    oldest: bool = False,
) -> list[Posting]:
    """A page of a wallet's postings, newest first.

    Args:
        connection: the database.
        user_id: the player.
        currency: of the wallet.
        before_version: where the page before has ended; ``None``: there was none.
        limit: how many at most.
        at: only what was recorded until then; ``None``: all.
        oldest: the other way round, from the oldest on.
    """
    statement = load_in_order("recon.ledger", "entries", turned=oldest)
    rows = await connection.fetch(statement, user_id, currency, before_version, limit, at)
    return [_posting(row) for row in rows]


async def read_postings_up_to(
    connection: asyncpg.Connection[Any],
    user_id: str,
    currency: str,
    *,
    version: int,
    sources: str,
    kinds: Sequence[str],
    among: int,
    limit: int,
) -> list[Posting]:
    """The newest postings of some sources or kinds, up to a version, newest first.

    Args:
        connection: the database.
        user_id: the player.
        currency: of the wallet.
        version: the wallet's; later postings are left out.
        sources: how the sources begin that are wanted.
        kinds: wanted of any source.
        among: so many of the newest postings are gone through.
        limit: how many at most.
    """
    rows = await connection.fetch(
        load("recon.ledger", "postings_up_to"),
        *(user_id, currency, version, sources, list(kinds), among, limit),
    )
    return [_posting(row) for row in rows]


def _posting(row: asyncpg.Record) -> Posting:
    return Posting(
        user_id=row["user_id"],
        currency=row["currency"],
        version=row["version"],
        debit=Account(row["debit"]),
        credit=Account(row["credit"]),
        amount=int(row["amount"]),
        kind=row["kind"],
        source=row["source"],
        key=row["key"],
        hold_id=row["hold_id"],
        event_at=row["event_at"],
        recorded_at=row["recorded_at"],
        available_after=int(row["available_after"]),
        held_after=int(row["held_after"]),
        reserved_after=int(row["reserved_after"]),
    )
