"""Count what a run tolerated: a tolerance may let something pass, and never hides that it did."""

from __future__ import annotations

from collections import Counter
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from recon.db import load

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from uuid import UUID

    import asyncpg

    from recon.reconciliation.look import Look

__all__ = ["count_tolerated", "note_tolerances"]


async def note_tolerances(
    connection: asyncpg.Connection[Any], run_id: UUID, tolerances: Mapping[str, int]
) -> None:
    """Write down which tolerances are in force while a run compares; a second time is nothing."""
    await _add(connection, run_id, {code: minor for code, minor in tolerances.items() if minor})


async def count_tolerated(
    connection: asyncpg.Connection[Any],
    run_id: UUID,
    agreed: Sequence[Look],
    tolerances: Mapping[str, int],
) -> None:
    """Count those of the agreements that are none without the tolerance."""
    wallets: Counter[str] = Counter()
    amounts: Counter[str] = Counter()
    for look in agreed:
        if look.comparison is not None and look.comparison.tolerated:
            wallets[look.currency] += 1
            amounts[look.currency] += look.comparison.tolerated
    if wallets:
        in_force = {currency: tolerances.get(currency, 0) for currency in wallets}
        await _add(connection, run_id, in_force, wallets, amounts)


async def _add(
    connection: asyncpg.Connection[Any],
    run_id: UUID,
    tolerances: Mapping[str, int],
    wallets: Mapping[str, int] | None = None,
    amounts: Mapping[str, int] | None = None,
) -> None:
    currencies = sorted(tolerances)
    if not currencies:
        return
    await connection.execute(
        load("recon.reconciliation", "count_tolerated"),
        run_id,
        currencies,
        [Decimal(tolerances[currency]) for currency in currencies],
        [(wallets or {}).get(currency, 0) for currency in currencies],
        [Decimal((amounts or {}).get(currency, 0)) for currency in currencies],
    )
