"""What a caller expects besides an answer: 100-continue is met, all else refused as a problem."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from recon.http.security_headers import ALWAYS, FOR_PROGRAMS
from tests.http.serving import serving

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.http.serving import Served


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    """The whole service."""
    async with serving(database_url) as made:
        yield made


async def test_an_expectation_that_nobody_can_meet_is_a_problem_on_every_route(
    served: Served,
) -> None:
    for line in ("POST /webhooks/bank", "GET /healthz", "GET /nowhere", "DELETE /healthz"):
        status, headers, body = await served.raw(
            f"{line} HTTP/1.1\r\nHost: recon\r\nExpect: tea\r\nX-Request-Id: mine\r\n"
            "Content-Length: 2\r\n\r\n{}".encode()
        )

        problem = json.loads(body)
        assert (status, headers["content-type"]) == (417, "application/problem+json")
        assert (problem["code"], problem["request_id"]) == ("expectation_failed", "mine")
        assert "tea" not in body.decode()
        assert headers["x-request-id"] == "mine"
        assert headers["connection"] == "close"
        assert {name: headers[name.lower()] for name in {**ALWAYS, **FOR_PROGRAMS}} == {
            **ALWAYS,
            **FOR_PROGRAMS,
        }


async def test_who_waits_for_a_100_gets_one_and_then_the_answer(served: Served) -> None:
    status, _, body = await served.raw(
        b"GET /healthz HTTP/1.1\r\nHost: recon\r\nExpect: 100-continue\r\nConnection: close\r\n\r\n"
    )

    assert status == 100
    assert body.startswith(b"HTTP/1.1 200 OK\r\n")
