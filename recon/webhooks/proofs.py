"""How calls have proven themselves of late: by which secret, and by what clock.

Read from the deliveries when somebody asks, so that nothing is written for it while they come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING, Any, Final

from recon.db import load
from recon.webhooks.psp import PROVIDERS
from recon.webhooks.psp.signatures import key_id

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from datetime import datetime

    import asyncpg

    from recon.webhooks.model import Endpoint

__all__ = ["SKEW_ALARM_S", "EndpointProofs", "KeyUse", "read_proofs"]

SKEW_ALARM_S: Final = 60
"""A median of signed times that is further from ours deserves a look; past 300 s calls fail."""

_NEWEST: Final = 1_000
_PLACES: Final = range(1, 10)
"""Where a secret that is older now may have stood when it verified something."""


@dataclass(frozen=True, slots=True)
class KeyUse:
    """One configured secret.

    Args:
        place: in the settings; 0 is the newest.
        key: its name, as deliveries carry it; it tells nothing of the secret.
        used_at: when it has verified something for the last time. Of the newest secret, among the
            newest thousand deliveries; ``None`` where it has not.
    """

    place: int
    key: str
    used_at: datetime | None

    @property
    def is_old(self) -> bool:
        """Whether a newer one is configured."""
        return self.place > 0


@dataclass(frozen=True, slots=True)
class EndpointProofs:
    """What is known of one endpoint.

    Args:
        endpoint: its name.
        keys: its secrets, newest first.
        skew_s: our clock minus the signed time, the median of ``calls``; ``None`` where the
            provider signs none or nothing came.
        calls: of the newest thousand deliveries those that were signed with a time.
    """

    endpoint: str
    keys: Sequence[KeyUse]
    skew_s: float | None
    calls: int

    @property
    def old_in_use(self) -> list[KeyUse]:
        """Older secrets that have verified something since they were replaced."""
        return [use for use in self.keys if use.is_old and use.used_at is not None]

    @property
    def removable(self) -> list[KeyUse]:
        """Older secrets that have verified nothing since: it is safe to remove them.

        Only once the newest is in use, which shows that the PSP has changed over.
        """
        if not self.keys or self.keys[0].used_at is None:
            return []
        return [use for use in self.keys if use.is_old and use.used_at is None]

    @property
    def is_skewed(self) -> bool:
        """Whether signed times are far from ours."""
        return self.skew_s is not None and abs(self.skew_s) > SKEW_ALARM_S


@dataclass(slots=True)
class _Recent:
    """What the newest deliveries say of one endpoint."""

    used_at: dict[str, datetime] = field(default_factory=dict)
    skews: list[float] = field(default_factory=list)


async def read_proofs(
    connection: asyncpg.Connection[Any], endpoints: Iterable[Endpoint]
) -> list[EndpointProofs]:
    """By endpoint, in the order given."""
    configured = list(endpoints)
    recent: dict[str, _Recent] = {}
    for row in await connection.fetch(load("recon.webhooks", "recent_proofs"), _NEWEST):
        of_endpoint = recent.setdefault(row["endpoint"], _Recent())
        of_endpoint.used_at.setdefault(row["verified_by"], row["received_at"])
        signed_at = PROVIDERS[row["provider"]].signed_at(row["headers"])
        if signed_at is not None:
            of_endpoint.skews.append(row["received_at"].timestamp() - signed_at)
    older = await _used_at(connection, configured)
    proofs = []
    for endpoint in configured:
        known = recent.get(endpoint.name, _Recent())
        keys = []
        for place, secret in enumerate(endpoint.secrets):
            key = key_id(place, secret)
            used_at = older.get((endpoint.name, secret)) if place else known.used_at.get(key)
            keys.append(KeyUse(place, key, used_at))
        skew_s = median(known.skews) if known.skews else None
        proofs.append(EndpointProofs(endpoint.name, keys, skew_s, len(known.skews)))
    return proofs


async def _used_at(
    connection: asyncpg.Connection[Any], endpoints: Sequence[Endpoint]
) -> dict[tuple[str, str], datetime]:
    """(endpoint, secret) to when it has verified something, as an older one, for the last time."""
    names = {
        (endpoint.name, key_id(place, secret)): secret
        for endpoint in endpoints
        for secret in endpoint.secrets[1:]
        for place in _PLACES
    }
    rows = await connection.fetch(
        load("recon.webhooks", "last_by_old_key"),
        [endpoint for endpoint, _ in names],
        [key for _, key in names],
    )
    found: dict[tuple[str, str], datetime] = {}
    for row in rows:
        place = (row["endpoint"], names[row["endpoint"], row["verified_by"]])
        found[place] = max(row["received_at"], found.get(place, row["received_at"]))
    return found
