"""What runs saw of a wallet: both sides where they differed, and where they agreed again."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from uuid import UUID

from recon.clock import format_time, parse_time
from recon.db import load_in_order
from recon.errors import Invalid

if TYPE_CHECKING:
    from datetime import datetime

    import asyncpg

__all__ = ["Place", "Sighting", "list_sightings"]

_HEALED: Final = "healed"


@dataclass(frozen=True, slots=True)
class Place:
    """Where a page of sightings has ended."""

    seen_at: datetime
    discrepancy_id: UUID
    run_id: UUID

    def __str__(self) -> str:
        return f"{format_time(self.seen_at)} {self.discrepancy_id} {self.run_id}"

    @classmethod
    def parse(cls, text: str) -> Place:
        """Read what `str` made of one.

        Raises:
            Invalid: ``invalid_cursor``.
        """
        try:
            seen_at, discrepancy_id, run_id = text.split(" ")
            return cls(parse_time(seen_at), UUID(discrepancy_id), UUID(run_id))
        except (Invalid, ValueError):
            raise Invalid("the cursor is none of ours", code="invalid_cursor") from None


@dataclass(frozen=True, slots=True)
class Sighting:
    """Both sides as a run compared them; amounts in minor units of the wallet's currency.

    Attributes:
        place: when it was, of which discrepancy, and by which run.
        standing: how it stood against what was known before: ``opened``, ``persisting``,
            ``changed``, ``reopened``, or ``healed`` where both sides agreed again.
        difference: of the available money, or else of what is held for bets; signed.
        available_difference: the former alone, withdrawals on their way allowed for.
        ledger_version: the posting up to which the ledger's side was compared.
        ledger_available: the ledger's side.
        ledger_held: the same, held for bets.
        game_available: the game's.
        game_held: the same, held for bets.
    """

    place: Place
    standing: str
    difference: int
    available_difference: int
    ledger_version: int
    ledger_available: int
    ledger_held: int
    game_available: int
    game_held: int

    @property
    def agrees(self) -> bool:
        """Whether both sides agreed at this look."""
        return self.standing == _HEALED

    @property
    def is_of_held(self) -> bool:
        """Whether what differs is held for bets."""
        return not self.agrees and self.available_difference == 0

    @property
    def on_its_way(self) -> int:
        """Withdrawals that the ledger has reserved and the game still shows, as it may."""
        between = self.game_available - self.ledger_available
        return 0 if self.is_of_held else between - self.available_difference


async def list_sightings(
    connection: asyncpg.Connection[Any],
    user_id: str,
    currency: str,
    *,
    before: Place | None = None,
    at: datetime | None = None,
    limit: int = 50,
    oldest: bool = False,
) -> list[Sighting]:
    """A page of them, newest first; runs that are forgotten have taken theirs with them.

    Args:
        connection: any.
        user_id: whose wallet.
        currency: which.
        before: where the page before has ended; ``None``: there was none.
        at: only what was seen until then; ``None``: all.
        limit: how many at most.
        oldest: the other way round, from the oldest on.
    """
    place = (None, None, None) if before is None else _values(before)
    rows = await connection.fetch(
        load_in_order("recon.web", "sightings", turned=oldest),
        *(user_id, currency, *place, at, limit),
    )
    return [_sighting(row) for row in rows]


def _values(place: Place) -> tuple[datetime, UUID, UUID]:
    return place.seen_at, place.discrepancy_id, place.run_id


def _sighting(row: asyncpg.Record) -> Sighting:
    return Sighting(
        Place(row["seen_at"], row["discrepancy_id"], row["run_id"]),
        row["standing"],
        int(row["difference"]),
        int(row["available_difference"]),
        row["ledger_version"],
        int(row["ledger_available"]),
        int(row["ledger_held"]),
        int(row["game_available"]),
        int(row["game_held"]),
    )
