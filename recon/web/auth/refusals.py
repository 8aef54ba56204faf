"""What is written down of whoever is not let in: of a flood, no more than a gate lets through.

The audit is append-only and sealed. Without a bound, anybody who reaches the door could fill it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from aiohttp import web

from recon.audit import record_action
from recon.http.flood import FloodGate
from recon.http.proxies import network_of

if TYPE_CHECKING:
    from recon.db import Pool

__all__ = ["REFUSALS", "Refusals"]

_DOOR: Final = "sign-in"


class Refusals:
    """Sign-ins that were refused by something else than a wrong password, whose tries are counted.

    Args:
        gate: how many of them one address has written down.
    """

    def __init__(self, gate: FloodGate | None = None) -> None:
        self._gate = FloodGate(burst=30, per_s=0.1) if gate is None else gate

    async def record(self, pool: Pool, *, obj: str, address: str, **detail: object) -> None:
        """Audit one.

        Args:
            pool: the database.
            obj: what was tried to get in by.
            address: from where.
            detail: what else is worth knowing.

        Raises:
            TooManyRequests: there were too many from there; nothing is written.
        """
        self._gate.count(network_of(address), _DOOR)
        async with pool.acquire() as connection:
            await record_action(
                connection,
                actor="nobody",
                action="sign_in_failed",
                obj=obj,
                address=address,
                **detail,
            )


REFUSALS: Final[web.AppKey[Refusals]] = web.AppKey("refusals", Refusals)
