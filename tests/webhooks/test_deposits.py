from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest

from tests.webhooks.conftest import (
    dispute,
    item,
    payment_intent,
    refund,
    standard_headers,
)

if TYPE_CHECKING:
    from tests.webhooks.conftest import Door


async def test_a_deposit_is_credited_to_the_player_whom_the_signed_body_names(door: Door) -> None:
    assert await door.standard("deposit.succeeded", amount="20.00", user="u_7") == "booked"

    assert await door.available("u_7") == "20.00"
