"""What the service tells of itself: every answer is counted, and no value gets into the log."""

from __future__ import annotations

from typing import TYPE_CHECKING

import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from prometheus_client import REGISTRY

from recon.http.problems import problem_middleware

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.http.conftest import Service


def answered(route: str, status: int) -> float:
    labels = {"method": "GET", "route": route, "status": str(status)}
    return REGISTRY.get_sample_value("recon_http_requests_total", labels) or 0.0


async def test_a_page_that_sends_its_reader_elsewhere_is_counted(service: Service) -> None:
    before = answered("/cases", 303)
    async with service.client.get("/cases", allow_redirects=False) as answer:
        assert (answer.status, answer.headers["Location"]) == (303, "/sign-in?next=/cases")

    assert answered("/cases", 303) - before == 1


async def test_a_value_that_cannot_be_stored_is_not_logged(pool: Pool) -> None:
    async def ask(request: web.Request) -> web.Response:
        # The driver cannot encode it, and its error repeats it.
        await pool.fetchval("SELECT $1::integer", request.query["q"])
        raise AssertionError

    app = web.Application(middlewares=[problem_middleware])
    app.add_routes([web.get("/ask", ask)])
    async with TestClient(TestServer(app)) as client:
        with structlog.testing.capture_logs() as lines:
            async with client.get("/ask", params={"q": "rk_secret_of_somebody"}) as answer:
                text = await answer.text()

    assert answer.status == 400
    assert [line["error"] for line in lines] == ["DataError"]
    assert "rk_secret" not in f"{lines} {text}"
