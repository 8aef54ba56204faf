"""How calls have proven themselves of late: by which secret, and by what clock.

Read from the deliveries when somebody asks, so that nothing is written for it while they come.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import timedelta
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

_QUIET: Final = timedelta(days=7)
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
        in_use: whether that was within the last seven days.
    """

    place: int
    key: str
    used_at: datetime | None
    in_use: bool


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
        """Older secrets that PSPs still sign with."""
        return [use for use in self.keys[1:] if use.in_use]

    @property
    def removable(self) -> list[KeyUse]:
        """Older secrets that nothing is signed by any more, while the newest is in use."""
        if not self.keys or not self.keys[0].in_use:
            return []
        return [use for use in self.keys[1:] if not use.in_use]

    @property
    def is_skewed(self) -> bool:
        """Whether signed times are far from ours."""
        return self.skew_s is not None and abs(self.skew_s) > SKEW_ALARM_S


@dataclass(slots=True)
class _Recent:
    """What the newest deliveries say of one endpoint."""

    used_at: dict[str, datetime] = field(default_factory=dict)
    skews_s: list[float] = field(default_factory=list)


async def read_proofs(
    connection: asyncpg.Connection[Any], endpoints: Iterable[Endpoint], *, now: datetime
) -> list[EndpointProofs]:
    """By endpoint, in the order given, as of ``now``."""
    configured = list(endpoints)
    recent: dict[str, _Recent] = {}
    for row in await connection.fetch(load("recon.webhooks", "recent_proofs"), _NEWEST):
        of_endpoint = recent.setdefault(row["endpoint"], _Recent())
        of_endpoint.used_at.setdefault(row["verified_by"], row["received_at"])
        signed_at = PROVIDERS[row["provider"]].signed_at(row["headers"])
        if signed_at is not None:
            of_endpoint.skews_s.append(row["received_at"].timestamp() - signed_at)
    older = await _used_at(connection, configured)
    proofs = []
    for endpoint in configured:
        known = recent.get(endpoint.name, _Recent())
        keys = []
        for place, secret in enumerate(endpoint.secrets):
            key = key_id(place, secret)
            used_at = older.get((endpoint.name, secret)) if place else known.used_at.get(key)
            in_use = used_at is not None and now - used_at < _QUIET
            keys.append(KeyUse(place, key, used_at, in_use))
        skew_s = median(known.skews_s) if known.skews_s else None
        proofs.append(EndpointProofs(endpoint.name, keys, skew_s, len(known.skews_s)))
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
