"""What ``recon doctor`` says of secrets that are being rotated and of clocks that differ."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner

from recon.cli import recon
from recon.clock import now
from recon.webhooks import Endpoint, receive, verify_call
from tests.webhooks.conftest import STRIPE_OLD, STRIPE_SECRET, stripe_body, stripe_headers

if TYPE_CHECKING:
    from recon.db import Pool

STRIPE = Endpoint(name="stripe", provider="stripe", secrets=(STRIPE_SECRET, STRIPE_OLD))


@pytest.fixture(autouse=True)
def _environment(database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("RECON_DATABASE_URL", database_url)
    monkeypatch.setenv("RECON_PSP__STRIPE__PROVIDER", "stripe")
    monkeypatch.setenv("RECON_PSP__STRIPE__SECRETS", json.dumps([STRIPE_SECRET, STRIPE_OLD]))


async def take(pool: Pool, secret: str, *, skew_s: int = 0) -> None:
    body = stripe_body("customer.created", {"id": "cus_1"})
    headers = stripe_headers(body, secret=secret, skew_s=skew_s)
    await receive(pool, verify_call(STRIPE, headers, body, now()))


async def found(about: str) -> list[tuple[bool, str]]:
    """(well, what is said) of the endpoint's keys or clock."""
    ran = await asyncio.to_thread(CliRunner().invoke, recon, ["doctor", "--json"])
    findings: list[dict[str, Any]] = json.loads(ran.stdout)["findings"]
    assert STRIPE_OLD not in ran.output
    return [
        (one["ok"], one["detail"])
        for one in findings
        if one["check"] == "psp stripe" and about in one["detail"]
    ]


async def test_an_old_key_is_a_fault_while_it_is_in_use_and_removable_once_it_is_not(
    pool: Pool, owner: Pool
) -> None:
    assert await found("key:1:") == [], "nothing has come: nobody knows"
    await take(pool, STRIPE_SECRET)
    ((well, said),) = await found("key:1:")
    assert (well, "has verified nothing for seven days" in said) == (True, True)

    await take(pool, STRIPE_OLD)
    ((well, said),) = await found("key:1:")
    assert (well, "an old key is still in use, last at 20" in said) == (False, True)

    await owner.execute(
        "UPDATE deliveries SET received_at = received_at - interval '8 days'"
        " WHERE verified_by LIKE 'key:1:%'"
    )
    ((well, said),) = await found("key:1:")
    assert (well, "has verified nothing for seven days" in said) == (True, True)


async def test_a_clock_that_is_far_off_is_a_fault_before_it_refuses_calls(pool: Pool) -> None:
    for _ in range(3):
        await take(pool, STRIPE_SECRET, skew_s=50)
    assert await found("clock") == []
    for _ in range(4):
        await take(pool, STRIPE_SECRET, skew_s=120)

    ((well, said),) = await found("clock")
    assert not well
    assert "our clock is -1" in said
    assert "(median of 7); past 300 s its calls are refused" in said
