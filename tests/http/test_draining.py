"""A server that ends waits for the calls it has; what takes too long is counted and named."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

import aiohttp
from aiohttp import web
from structlog.testing import capture_logs

from recon.http.draining import finish_answers
from recon.http.seen_through import see_through
from recon.http.server import make_runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class Slow:
    """A server whose answers wait until they may go on."""

    def __init__(self) -> None:
        self.may_go_on = asyncio.Event()
        self.under_way = 0
        self.runner: web.AppRunner
        self.url = ""

    async def answer(self, _: web.Request) -> web.Response:
        """Wait."""
        self.under_way += 1
        await self.may_go_on.wait()
        return web.Response(text="whole")

    async def see(self, request: web.Request) -> web.StreamResponse:
        """Likewise, whether or not the caller does."""
        return await see_through(request, self.answer(request))

    async def until(self, count: int) -> None:
        """Wait until so many calls have come."""
        async with asyncio.timeout(60):
            while self.under_way < count:  # noqa: ASYNC110 - nobody tells
                await asyncio.sleep(0.01)


@asynccontextmanager
async def slow() -> AsyncIterator[Slow]:
    """It serves; what is under way at the end is cut."""
    made = Slow()
    app = web.Application()
    app.router.add_get("/files/{name}", made.answer)
    app.router.add_post("/wishes/{name}", made.see)
    made.runner = make_runner(app, shutdown_timeout_s=0.1)
    await made.runner.setup()
    await web.TCPSite(made.runner, "127.0.0.1", 0).start()
    made.url = f"http://127.0.0.1:{made.runner.addresses[0][1]}"
    try:
        yield made
    finally:
        made.may_go_on.set()
        await made.runner.cleanup()


async def test_it_waits_for_as_long_as_a_call_is_under_way() -> None:
    async with slow() as served, aiohttp.ClientSession(served.url) as session:
        asking = asyncio.create_task(session.get("/files/a"))
        await served.until(1)
        finishing = asyncio.create_task(finish_answers(served.runner, 60))
        await asyncio.sleep(0.5)
        assert not finishing.done()

        served.may_go_on.set()
        assert await finishing == 0
        async with await asking as answer:
            assert await answer.text() == "whole"


async def test_what_takes_too_long_is_named_whether_or_not_its_caller_is_still_there() -> None:
    async with slow() as served:
        async with aiohttp.ClientSession(served.url) as session:
            left = asyncio.create_task(session.post("/wishes/b", headers={"X-Request-Id": "left"}))
            await served.until(1)
        await asyncio.gather(left, return_exceptions=True)
        async with aiohttp.ClientSession(served.url) as session:
            asking = [
                asyncio.create_task(call(path, headers={"X-Request-Id": name}))
                for call, path, name in (
                    (session.get, "/files/a", "reads"),
                    (session.post, "/wishes/a", "wishes"),
                )
            ]
            await served.until(3)
            with capture_logs() as logged:
                assert await finish_answers(served.runner, 0.3) == 3
            served.may_go_on.set()
            for answer in await asyncio.gather(*asking):
                answer.release()

    (line,) = logged
    assert (line["event"], line["calls"], line["after_s"]) == ("calls_cut", 3, 0.3)
    assert sorted((one["request_id"], one["method"], one["route"]) for one in line["cut"]) == [
        ("left", "POST", "/wishes/{name}"),
        ("reads", "GET", "/files/{name}"),
        ("wishes", "POST", "/wishes/{name}"),
    ]
