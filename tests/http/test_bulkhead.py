"""Whoever takes every connection of the API holds up no webhook."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack
from typing import TYPE_CHECKING

from recon.clock import now
from recon.db import POOL
from recon.webhooks.psp.standard_webhooks import sign

if TYPE_CHECKING:
    from tests.http.conftest import Service


async def test_a_webhook_is_booked_while_the_api_has_no_connection_left(service: Service) -> None:
    body = json.dumps(
        {
            "type": "deposit.succeeded",
            "timestamp": "2026-01-01T00:00:00Z",
            "data": {"payment_id": "p", "user_id": "u_7", "amount": "20.00", "currency": "GBP"},
        }
    ).encode()
    at = str(int(now().timestamp()))
    headers = {
        "Content-Type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": at,
        "webhook-signature": sign("whsec_AAAA", "msg_1", at, body),
    }
    pool = service.client.app[POOL]
    async with AsyncExitStack() as taken:
        for _ in range(pool.get_max_size()):
            await taken.enter_async_context(pool.acquire())
        waiting = asyncio.create_task(service.client.get("/readyz"))
        response = await service.client.post("/webhooks/bank", data=body, headers=headers)

        assert (response.status, (await response.json())["state"]) == (200, "booked")
        assert not waiting.done(), "the API does have to wait"
    assert (await waiting).status == 200
