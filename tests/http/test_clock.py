"""A process whose clock is minutes away from the database's gets no requests, and tells of it."""

from __future__ import annotations

import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recon.clock import now
from recon.http import health

if TYPE_CHECKING:
    from tests.http.conftest import Service


@pytest.mark.parametrize(
    ("minutes", "status", "said"),
    [(0, 200, "ok"), (4, 200, "ok"), (-16, 503, "-960 s from the database's"),
     (6, 503, "+360 s from the database's")],
)  # fmt: skip
async def test_ready_only_while_the_clock_agrees(
    service: Service, monkeypatch: pytest.MonkeyPatch, minutes: int, status: int, said: str
) -> None:
    monkeypatch.setattr(health, "now", lambda: now() + timedelta(minutes=minutes))

    async with service.client.get("/readyz") as ready:
        assert (ready.status, (await ready.json())["clock"]) == (status, said)


@pytest.mark.parametrize("seconds", [-90, 75])
async def test_how_far_the_clock_is_apart_is_told_though_nobody_asks_whether_it_is_ready(
    service: Service, monkeypatch: pytest.MonkeyPatch, seconds: int
) -> None:
    monkeypatch.setattr(health, "now", lambda: now() + timedelta(seconds=seconds))

    async with service.client.get("/metrics") as answer:
        (said,) = re.findall(
            r"^recon_clock_ahead_seconds (\S+)$", await answer.text(), re.MULTILINE
        )

    assert abs(float(said) - seconds) < 30
