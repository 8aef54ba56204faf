"""One trace from a webhook to its posting, from a bet to the game and back, and of a whole run."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import structlog
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer
from opentelemetry.trace import SpanKind, StatusCode

from recon.app import build_app
from recon.cli.console import configure_logging
from recon.clock import new_id
from recon.http.request_ids import request_id_middleware
from recon.http.tracing import carry_trace
from recon.jobs import Worker, enqueue
from recon.settings import Settings
from recon.webhooks.drain import DRAIN
from tests.bets.calling import body, once, serving
from tests.bets.conftest import open_world
from tests.journeys.conftest import SECRET, deposited, signed

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pytest
    from opentelemetry.sdk.trace import ReadableSpan
    from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

    from recon.db import Pool
    from recon.webhooks import Delivery

TRACE = 0x4BF92F3577B34DA6A3CE929D0E0E4736
CALLER = 0x00F067AA0BA902B7
SETTINGS = Settings.model_validate(
    {"psp": {"bank": {"provider": "standard-webhooks", "secrets": [SECRET]}}}
)


def traceparent(trace: int = TRACE) -> dict[str, str]:
    return {"traceparent": f"00-{trace:032x}-{CALLER:016x}-01"}


def of_trace(spans: InMemorySpanExporter, trace: int) -> dict[str, ReadableSpan]:
    """The spans of a trace, by name."""
    found = [one for one in spans.get_finished_spans() if one.context.trace_id == trace]
    assert len({one.name for one in found}) == len(found)
    return {one.name: one for one in found}


def parent_of(span: ReadableSpan) -> int | None:
    return None if span.parent is None else span.parent.span_id


async def post(client: TestClient[Any, Any], event: str, content: bytes, trace: int) -> None:
    headers = signed(event, content) | traceparent(trace)
    async with client.post("/webhooks/bank", data=content, headers=headers) as answer:
        assert answer.status == 200, await answer.text()


async def test_one_trace_leads_from_a_webhook_to_its_posting(
    database_url: str, spans: InMemorySpanExporter
) -> None:
    app = build_app(SETTINGS, database_url, jobs=False)
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        await post(client, "evt_1", deposited("p1", "u_of_trace", "20.00"), TRACE)

    found = of_trace(spans, TRACE)
    served = found["POST /webhooks/{endpoint}"]
    assert parent_of(served) == CALLER
    assert served.attributes is not None
    assert served.attributes["http.response.status_code"] == 200
    for name, parent in (
        ("webhooks.verify", "POST /webhooks/{endpoint}"),
        ("webhooks.commit", "POST /webhooks/{endpoint}"),
        ("ledger.post", "webhooks.commit"),
    ):
        assert parent_of(found[name]) == found[parent].context.span_id, name
    assert dict(found["ledger.post"].attributes or {}) == {"recon.postings": 1}
    said = json.dumps([json.loads(one.to_json()) for one in spans.get_finished_spans()])
    for secret in ("u_of_trace", "20.00", "2000", "evt_1", "p1", SECRET):
        assert secret not in said, secret


async def test_a_commit_that_is_shared_stands_in_the_trace_of_each_and_is_linked(
    database_url: str, spans: InMemorySpanExporter
) -> None:
    app = build_app(SETTINGS, database_url, jobs=False)
    traces = [TRACE + number for number in range(6)]
    begun, go_on = asyncio.Event(), asyncio.Event()
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        drain = app[DRAIN]
        real = drain._take_in  # noqa: SLF001 - to hold the first commit up
        drain._shared._patience_s = 60.0  # noqa: SLF001 - however slow this machine is

        async def held_up(pool: Pool, deliveries: Sequence[Delivery]) -> Any:  # noqa: ANN401
            begun.set()
            await go_on.wait()
            return await real(pool, deliveries)

        drain._take_in = held_up  # noqa: SLF001
        posting = []
        for number, one in enumerate(traces):
            content = deposited(f"p{number}", f"u_{number}", "1.00")
            posting.append(asyncio.create_task(post(client, f"e{number}", content, one)))
            await begun.wait()
        async with asyncio.timeout(60):
            # What comes meanwhile waits, and shares the next.
            while drain._shared.waiting < len(traces):  # noqa: ASYNC110, SLF001 - nobody tells
                await asyncio.sleep(0.01)
        go_on.set()
        await asyncio.gather(*posting)

    finished = spans.get_finished_spans()
    alone = [one for one in finished if one.name == "webhooks.commit" and one.parent is None]
    together = max(alone, key=lambda one: len(one.links))
    assert len(together.links) == 5
    assert dict(together.attributes or {}) == {"recon.members": 5}
    for link in together.links:
        found = of_trace(spans, link.context.trace_id)
        like = found["webhooks.commit"]
        # Below its request, as long as the real one, and leading there; the posting below it.
        assert link.context.span_id == found["POST /webhooks/{endpoint}"].context.span_id
        assert parent_of(like) == link.context.span_id
        assert [one.context.span_id for one in like.links] == [together.context.span_id]
        assert parent_of(found["ledger.post"]) == like.context.span_id
        assert like.start_time is not None
        assert together.start_time is not None
        assert abs(like.start_time - together.start_time) < 1e9
    assert {one.context.trace_id for one in finished if one.name == "ledger.post"} >= set(traces)


async def test_a_bets_calls_to_the_game_are_spans_whose_ids_the_game_hears(
    pool: Pool, spans: InMemorySpanExporter
) -> None:
    async with open_world(pool) as world:
        world.clock.ticking = True
        await world.deposit("100.00")
        async with serving(world, world.game, middlewares=[request_id_middleware]) as api:
            await api.post("/api/v1/bets", json=body(world), headers=once() | traceparent())
        heard = {one.headers["traceparent"] for one in world.network.sent}

    finished = [one for one in spans.get_finished_spans() if one.context.trace_id == TRACE]
    calls = [one for one in finished if one.name.startswith(("POST /api/v1/bets/", "GET "))]
    assert heard == {f"00-{TRACE:032x}-{one.context.span_id:016x}-01" for one in calls}
    assert len(calls) >= 2
    names = {one.name for one in finished}
    assert {"POST /api/v1/bets", "bets.intent", "bets.outcome"} <= names
    said = json.dumps([json.loads(one.to_json()) for one in finished])
    assert "u_1" not in said


async def test_a_redirect_and_what_callers_did_wrong_are_no_errors_and_our_own_faults_are(
    database_url: str, spans: InMemorySpanExporter
) -> None:
    app = build_app(SETTINGS, database_url, jobs=False)

    async def broken(_: web.Request) -> web.Response:
        raise RuntimeError("a fault of ours")

    async def unable(_: web.Request) -> web.Response:
        raise web.HTTPServiceUnavailable

    app.router.add_get("/broken", broken)
    app.router.add_get("/unable", unable)
    found = {}
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        for path in ("/healthz", "/runs", "/api/v1/wallets/u_1", "/nowhere", "/broken", "/unable"):
            async with client.get(path, allow_redirects=False) as answer:
                status = answer.status
            span = spans.get_finished_spans()[-1]
            said = dict(span.attributes or {})
            assert (said["http.response.status_code"], span.kind) == (status, SpanKind.SERVER)
            found[path] = (status, span.status.status_code, said.get("error.type"))

    assert found == {
        "/healthz": (200, StatusCode.UNSET, None),
        "/runs": (303, StatusCode.UNSET, None),  # to the sign-in
        "/api/v1/wallets/u_1": (401, StatusCode.UNSET, None),
        "/nowhere": (404, StatusCode.UNSET, None),
        "/broken": (500, StatusCode.ERROR, "500"),
        "/unable": (503, StatusCode.ERROR, "503"),
    }


async def test_what_a_handler_raises_as_an_answer_is_no_error_of_its_span(
    spans: InMemorySpanExporter,
) -> None:
    async def elsewhere(_: web.Request) -> web.Response:
        raise web.HTTPSeeOther("/")

    async def broken(_: web.Request) -> web.Response:
        raise RuntimeError("u_1 has 20.00")

    app = web.Application(middlewares=[request_id_middleware])
    app.router.add_post("/elsewhere", elsewhere)
    app.router.add_post("/broken", broken)
    async with TestClient(TestServer(app, host="127.0.0.1")) as client:
        for path in ("/elsewhere", "/broken"):
            await client.post(path, allow_redirects=False)

    sent_on, failed = spans.get_finished_spans()
    assert (sent_on.attributes or {})["http.response.status_code"] == 303
    assert sent_on.status.status_code is StatusCode.UNSET
    assert failed.status.status_code is StatusCode.ERROR
    assert (failed.status.description, (failed.attributes or {})["error.type"]) == (
        "RuntimeError",
        "RuntimeError",
    )


async def test_all_that_is_done_of_a_run_is_one_trace_and_every_line_of_it_names_the_run(
    pool: Pool, spans: InMemorySpanExporter, capsys: pytest.CaptureFixture[str]
) -> None:
    run_id = new_id()
    done, heard = asyncio.Event(), list[str]()
    configure_logging("info")
    log = structlog.get_logger("tests")

    async def handler(payload: dict[str, str]) -> None:
        log.info("swept", first_user=payload["first_user"])
        headers: dict[str, str] = {}
        carry_trace(headers)  # as each call of the game does
        heard.append(headers["traceparent"].split("-")[1])
        if payload["first_user"] == "b":
            done.set()

    async def never(_: dict[str, str]) -> None:
        raise AssertionError

    worker = Worker(pool)
    worker.handle("sweep", handler, concurrency=1, parked=never)
    async with pool.acquire() as connection:
        for first in "ab":
            payload = {"run_id": str(run_id), "first_user": first}
            await enqueue(connection, "sweep", payload, dedupe_key=first)
    working = asyncio.create_task(worker.run())
    await asyncio.wait_for(done.wait(), 60)
    worker.stop()
    await working

    jobs = [one for one in spans.get_finished_spans() if one.name == "job sweep"]
    assert [one.context.trace_id for one in jobs] == [run_id.int, run_id.int]
    assert {dict(one.attributes or {})["recon.run_id"] for one in jobs} == {str(run_id)}
    assert heard == [run_id.hex, run_id.hex]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines() if '"swept"' in line]
    assert [(line["run_id"], line["trace_id"], line["job"]) for line in lines] == [
        (str(run_id), run_id.hex, "sweep")
    ] * 2


def test_without_the_extra_nothing_is_loaded_and_who_wants_it_is_told(tmp_path: Path) -> None:
    script = (
        "import sys\n"
        "sys.modules['opentelemetry'] = None\n"  # as if it were not installed
        "from recon.cli import main\n"
        "import recon.app\n"
        "sys.argv = ['recon', 'serve', '--port', '0']\n"
        "main()\n"
    )
    ran = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-c", script],
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "RECON_TRACING": "on", "RECON_DATA_DIR": str(tmp_path)},
    )

    assert (ran.returncode, "pip install '.[otel]'" in ran.stderr) == (2, True), ran.stderr
