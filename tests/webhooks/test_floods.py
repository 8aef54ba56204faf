"""What a flood of calls that prove nothing costs: bounded lines, and a number for each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from prometheus_client import REGISTRY

if TYPE_CHECKING:
    from tests.webhooks.conftest import Door


def refused(endpoint: str, code: str) -> float:
    labels = {"endpoint": endpoint, "code": code}
    return REGISTRY.get_sample_value("recon_intake_refused_total", labels) or 0.0


async def test_every_refused_call_is_counted_and_a_flood_is_not_logged(door: Door) -> None:
    before = refused("stripe", "signature_malformed")
    with structlog.testing.capture_logs() as lines:
        statuses = [(await door.post("stripe", b"{}")).status for _ in range(100)]

    let_through = statuses.count(400)
    # It lets one more through each second: how many that are, this machine's speed says.
    assert 60 <= let_through < 100
    assert refused("stripe", "signature_malformed") - before == 100
    assert [line["event"] for line in lines].count("call_refused") == let_through


async def test_calls_to_no_endpoint_are_counted_by_address_too(door: Door) -> None:
    before = refused("", "unknown_endpoint")
    statuses = [(await door.post(f"guess-{number}", b"{}")).status for number in range(100)]

    assert set(statuses) == {404, 429}
    assert statuses[:60] == [404] * 60
    assert refused("", "unknown_endpoint") - before == 100
    assert (await door.post("stripe", b"{}")).status == 400
