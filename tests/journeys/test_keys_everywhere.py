"""A key that is taken back opens nothing from that moment on, in any process."""

from __future__ import annotations

import asyncio
from datetime import timedelta
from typing import TYPE_CHECKING

import aiohttp

from recon.http import Scope
from recon.http.keys import create_key, list_keys, revoke_key

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.journeys.conftest import Recon

SERVE = ("serve", "--port", "0", "--json", "--no-jobs")


async def test_two_services_take_both_keys_of_a_rotation_and_refuse_the_revoked_one_at_once(
    recon: Recon, pool: Pool
) -> None:
    services = await asyncio.gather(recon.start(*SERVE), recon.start(*SERVE))
    scopes = [Scope.READ_PAYMENT]
    old = await create_key(pool, name="cashier", scopes=scopes, lifetime=None)
    new = await create_key(pool, name="cashier", scopes=scopes, lifetime=timedelta(days=90))
    async with aiohttp.ClientSession() as session:

        async def told(key: str) -> list[int]:
            """What each process answers; on connections that are kept open."""
            statuses = []
            for service in services:
                async with session.get(
                    f"{service.url}/api/v1/payments/none",
                    headers={"Authorization": f"Bearer {key}"},
                ) as answer:
                    await answer.read()
                    statuses.append(answer.status)
            return statuses

        rotating = [await told(old.key), await told(new.key)]
        used = {key.key_id: key.last_used_at for key in await list_keys(pool)}
        await revoke_key(pool, old.key_id)
        revoked = [await told(old.key), await told(new.key)]
        await pool.execute(
            "UPDATE api_keys SET expires_at = clock_timestamp() WHERE key_id = $1", new.key_id
        )
        expired = await told(new.key)

    assert rotating == [[404, 404], [404, 404]]
    assert None not in {used[old.key_id], used[new.key_id]}
    assert revoked == [[401, 401], [404, 404]]
    assert expired == [401, 401]
