"""The internal API's review: scopes, shapes, codes, idempotency and downloads."""

from __future__ import annotations

import asyncio
import base64
import csv
import io
import json
import zipfile
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from aiohttp import ClientPayloadError, ClientSession, web
from aiohttp.test_utils import TestClient, TestServer

from recon.clock import new_id
from recon.db import POOL
from recon.http import Scope
from recon.http.keys import create_key
from recon.http.openapi import openapi_document
from recon.http.problems import problem_middleware
from recon.http.rate_limits import FAILURES, LIMITER, RateLimiter
from recon.http.request_ids import request_id_middleware
from recon.http.server import make_runner
from recon.reconciliation import Cause, send_export
from recon.reconciliation.handlers import routes
from recon.reconciliation.ignore import ignore
from recon.reconciliation.review_handlers import routes as review_routes
from tests.reconciliation.cases import Cases, by

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from aiohttp import ClientResponse

    from recon.db import Pool

BOTH = (Scope.READ_DISCREPANCY, Scope.WRITE_DISCREPANCY)


@dataclass
class Api:
    """The service's API with a key for whoever asks."""

    client: TestClient[web.Request, web.Application]
    pool: Pool

    async def key(self, name: str, *scopes: Scope) -> tuple[str, str]:
        made = await create_key(self.pool, name=name, scopes=scopes or BOTH, lifetime=None)
        return name, made.key

    async def post(
        self, path: str, body: object, key: str, *, intent: str | None = None
    ) -> tuple[int, Any]:
        response = await self.client.post(
            f"/api/v1{path}",
            json=body,
            headers={
                "Authorization": f"Bearer {key}",
                "Idempotency-Key": intent or str(new_id()),
            },
        )
        return response.status, await response.json()

    async def get(self, path: str, key: str) -> tuple[int, Any]:
        response = await self.ask(path, key)
        return response.status, await response.json()

    async def ask(self, path: str, key: str) -> ClientResponse:
        return await self.client.get(f"/api/v1{path}", headers={"Authorization": f"Bearer {key}"})


def application(pool: Pool) -> web.Application:
    app = web.Application(middlewares=[request_id_middleware, problem_middleware])
    app[POOL] = pool
    app[LIMITER] = RateLimiter(1000, 60)
    app[FAILURES] = RateLimiter(1000, 60)
    app.add_routes([*review_routes, *routes])
    return app


@asynccontextmanager
async def serving(pool: Pool) -> AsyncIterator[Api]:
    async with TestClient(TestServer(application(pool))) as client:
        yield Api(client, pool)


@pytest.fixture
async def api(pool: Pool) -> AsyncIterator[Api]:
    async with serving(pool) as running:
        yield running


@pytest.fixture
def cases(pool: Pool) -> Cases:
    return Cases(pool)


async def test_a_case_is_assigned_spoken_of_and_ignored(api: Api, cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    caller, key = await api.key("ops")

    assigned = await api.post(f"/discrepancies/{case}/assign", {"assignee": "mia"}, key)
    said = await api.post(f"/discrepancies/{case}/comment", {"text": "asked the PSP"}, key)
    ignored = await api.post(
        f"/discrepancies/{case}/ignore",
        {"reason": "test account", "until": "2999-01-01T00:00:00Z"},
        key,
    )
    status, events = await api.get(f"/discrepancies/{case}/events", key)

    assert (assigned[0], assigned[1]["status"], assigned[1]["assignee"]) == (
        200,
        "investigating",
        "mia",
    )
    assert (said[0], said[1]["action"], said[1]["actor"]) == (201, "commented", caller)
    assert (ignored[0], ignored[1]["status"], ignored[1]["ignored_until"]) == (
        200,
        "ignored",
        "2999-01-01T00:00:00Z",
    )
    assert status == 200
    assert [event["action"] for event in events["items"]] == [
        "opened",
        "assigned",
        "commented",
        "ignored",
    ]
    assert events["items"][2] == said[1]


async def test_an_adjustment_takes_two_principals(api: Api, cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    analyst_id, analyst = await api.key("analyst")
    approver_id, approver = await api.key("approver")

    status, proposed = await api.post(
        f"/discrepancies/{case}/adjustments", {"amount": "20.00", "reason": "report"}, analyst
    )
    waiting = await api.get("/adjustments?state=proposed", approver)
    path = f"/adjustments/{proposed['adjustment_id']}"
    own = await api.post(f"{path}/approve", {}, analyst)
    booked = await api.post(f"{path}/approve", {"reason": "checked"}, approver)
    again = await api.post(f"{path}/approve", {}, approver)

    assert (status, proposed["state"], proposed["amount"], proposed["proposed_by"]) == (
        201,
        "proposed",
        "20.00",
        analyst_id,
    )
    assert [one["adjustment_id"] for one in waiting[1]["items"]] == [proposed["adjustment_id"]]
    assert (own[0], own[1]["code"]) == (403, "self_approval")
    assert (booked[0], booked[1]["state"], booked[1]["decided_by"]) == (200, "booked", approver_id)
    assert (again[0], again[1]["code"]) == (409, "adjustment_decided")
    assert await cases.balance("u_1") == "20.00"


async def test_two_keys_of_one_name_are_one_person(api: Api, cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    (_, first), (_, second) = await api.key("analyst"), await api.key("analyst")

    _, proposed = await api.post(
        f"/discrepancies/{case}/adjustments", {"amount": "20.00", "reason": "report"}, first
    )
    status, refused = await api.post(
        f"/adjustments/{proposed['adjustment_id']}/approve", {}, second
    )

    assert first != second
    assert (status, refused["code"]) == (403, "self_approval")
    assert await cases.balance("u_1") == "0.00"


async def test_a_stale_proposal_answers_409_and_is_listed_as_stale(api: Api, cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    _, analyst = await api.key("analyst")
    _, approver = await api.key("approver")
    _, proposed = await api.post(
        f"/discrepancies/{case}/adjustments", {"amount": "20.00", "reason": "report"}, analyst
    )
    await cases.deposit("u_1", "1.00")

    intent = str(new_id())
    path = f"/adjustments/{proposed['adjustment_id']}/approve"
    first = await api.post(path, {}, approver, intent=intent)
    repeated = await api.post(path, {}, approver, intent=intent)
    _, stale = await api.get("/adjustments?state=stale", approver)

    assert (first[0], first[1]["code"]) == (409, "stale_adjustment")
    assert first[1]["outdated"] == {
        "currency": "GBP",
        "proposed_on": {"ledger": "0.00", "game": "20.00", "difference": "20.00"},
        "now": {"ledger": "1.00", "game": "20.00", "difference": None},
    }
    assert repeated == first
    assert [one["adjustment_id"] for one in stale["items"]] == [proposed["adjustment_id"]]


def test_the_document_says_of_one_call_alone_that_its_refusal_tells_the_balances(
    pool: Pool,
) -> None:
    document = openapi_document(application(pool))
    telling = [
        (path, status, *answer["content"])
        for path, methods in document["paths"].items()
        for operation in methods.values()
        for status, answer in operation["responses"].items()
        if "OutdatedProblem" in str(answer)
    ]

    approving = "/api/v1/adjustments/{adjustment_id}/approve"
    assert telling == [(approving, "409", "application/problem+json")]
    schemas = document["components"]["schemas"]
    # Any other problem has what RFC 9457 and our contract name, and no words of a room.
    assert {*schemas["OutdatedProblem"]["properties"]} - {*schemas["Problem"]["properties"]} == {
        "outdated"
    }
    assert [*schemas["Problem"]["properties"]] == [
        *("type", "title", "status", "detail", "code", "message", "request_id")
    ]


async def test_what_a_caller_has_not_seen_is_not_proposed_on_nor_booked_uncompared(
    api: Api, cases: Cases
) -> None:
    _, maker = await api.key("maker")
    _, approver = await api.key("approver")
    case = await cases.seen("u_1", "20.00")
    await cases.seen("u_1", "15.00")
    await cases.deposit("u_1", "1.00")

    path, said = f"/discrepancies/{case}/adjustments", {"amount": "15.00", "reason": "report"}
    unseen = await api.post(path, said | {"difference": "20.00"}, maker)
    unread = await api.post(path, said | {"difference": "twenty"}, maker)
    status, proposed = await api.post(path, said | {"difference": "15.00"}, maker)
    booked = await api.post(f"/adjustments/{proposed['adjustment_id']}/approve", {}, approver)
    _, shown = await api.get("/adjustments?state=proposed", approver)

    assert (unseen[0], unseen[1]["code"]) == (409, "difference_changed")
    assert (unread[0], unread[1]["code"]) == (400, "invalid_amount")
    assert (status, proposed["proposed_on"]["difference"]) == (201, "15.00")
    assert (booked[0], booked[1]["code"]) == (409, "not_compared")
    (one,) = shown["items"]
    assert (one["state"], one["now"]) == ("proposed", booked[1]["outdated"]["now"])
    assert one["now"] == {"ledger": "1.00", "game": "15.00", "difference": None}


async def test_a_rejected_proposal_says_why(api: Api, cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    _, key = await api.key("analyst")
    _, proposed = await api.post(
        f"/discrepancies/{case}/adjustments", {"amount": "-3.00", "reason": "report"}, key
    )

    status, rejected = await api.post(
        f"/adjustments/{proposed['adjustment_id']}/reject", {"reason": "a slip"}, key
    )

    assert (status, rejected["state"], rejected["decision_reason"]) == (200, "rejected", "a slip")


async def test_a_recheck_starts_a_run_of_that_player_once(api: Api, cases: Cases) -> None:
    await cases.deposit("u_1", "5.00")
    case = await cases.seen("u_1", "20.00")
    _, key = await api.key("ops")

    intent = str(new_id())
    status, run = await api.post(f"/discrepancies/{case}/recheck", {}, key, intent=intent)
    _, repeated = await api.post(f"/discrepancies/{case}/recheck", {}, key, intent=intent)
    _, runs = await api.get("/reconciliation/runs", key)

    assert (status, run["state"], run["scope"], run["trigger"], run["wallets"]["total"]) == (
        201,
        "running",
        "users",
        f"recheck:{case}",
        1,
    )
    assert repeated == run
    assert [one["run_id"] for one in runs["items"]] == [run["run_id"]]


async def test_a_process_that_died_before_its_answer_was_kept_acts_once(
    api: Api, cases: Cases
) -> None:
    case = await cases.seen("u_1", "20.00")
    _, key = await api.key("ops")
    steps: list[tuple[str, object]] = [
        (f"/discrepancies/{case}/comment", {"text": "asked the PSP"}),
        (f"/discrepancies/{case}/recheck", {}),
        (f"/discrepancies/{case}/assign", {"assignee": "mia"}),
        (f"/discrepancies/{case}/adjustments", {"amount": "20.00", "reason": "report"}),
    ]

    for path, body in steps:
        intent = str(new_id())
        first = await api.post(path, body, key, intent=intent)
        async with api.pool.acquire() as connection:
            await connection.execute("DELETE FROM api_requests")
        assert await api.post(path, body, key, intent=intent) == first

    assert [action for _, action in await cases.history(case)] == [
        "opened",
        "commented",
        "rechecked",
        "assigned",
        "proposed",
    ]


async def test_reading_does_not_let_write_nor_writing_read(api: Api, cases: Cases) -> None:
    case = await cases.seen("u_1", "20.00")
    _, reader = await api.key("reader", Scope.READ_DISCREPANCY)
    _, writer = await api.key("writer", Scope.WRITE_DISCREPANCY)

    answers = [
        await api.post(f"/discrepancies/{case}/comment", {"text": "hello"}, reader),
        await api.post(f"/discrepancies/{case}/adjustments", {}, reader),
        await api.post(f"/adjustments/{case}/approve", {}, reader),
        await api.get(f"/discrepancies/{case}/events", writer),
        await api.get("/adjustments", writer),
        await api.get("/discrepancies/export", writer),
    ]

    assert {(status, body["code"]) for status, body in answers} == {(403, "insufficient_scope")}


@pytest.mark.parametrize(
    ("step", "body", "status", "code"),
    [
        ("assign", {}, 400, "validation_failed"),
        ("assign", {"assignee": ""}, 400, "validation_failed"),
        ("comment", {"text": ""}, 400, "validation_failed"),
        ("comment", {"text": "x", "more": 1}, 400, "validation_failed"),
        ("ignore", {}, 400, "validation_failed"),
        ("ignore", {"reason": "x", "until": "2999-01-01T00:00:00"}, 400, "validation_failed"),
        ("ignore", {"reason": "x", "until": "2020-01-01T00:00:00Z"}, 400, "invalid_until"),
        ("adjustments", {"amount": 20.0, "reason": "x"}, 400, "validation_failed"),
        ("adjustments", {"amount": "20.001", "reason": "x"}, 400, "invalid_amount"),
        ("adjustments", {"amount": "0", "reason": "x"}, 400, "invalid_amount"),
        ("adjustments", {"amount": "1.00"}, 400, "validation_failed"),
    ],
)
async def test_what_cannot_be_read_is_refused_with_its_code(
    api: Api, cases: Cases, step: str, body: object, status: int, code: str
) -> None:
    case = await cases.seen("u_1", "20.00")
    _, key = await api.key("ops")

    answer = await api.post(f"/discrepancies/{case}/{step}", body, key)

    assert (answer[0], answer[1]["code"]) == (status, code)
    assert await cases.history(case) == [("run", "opened")]


async def test_what_does_not_exist_is_404(api: Api) -> None:
    _, key = await api.key("ops")

    answers = [
        await api.post(f"/discrepancies/{new_id()}/comment", {"text": "x"}, key),
        await api.post("/discrepancies/nonsense/comment", {"text": "x"}, key),
        await api.get(f"/discrepancies/{new_id()}/events", key),
        await api.post(f"/adjustments/{new_id()}/reject", {"reason": "x"}, key),
    ]

    assert [(status, body["code"]) for status, body in answers] == [
        (404, "discrepancy_not_found"),
        (404, "discrepancy_not_found"),
        (404, "discrepancy_not_found"),
        (404, "adjustment_not_found"),
    ]


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("assign", {"assignee": "  "}),
        ("assign", {"assignee": "mia "}),
        ("assign", {"assignee": "mia\nleo"}),
        ("assign", {"assignee": "mia\n"}),
        ("comment", {"text": " \n"}),
        ("ignore", {"reason": "  "}),
        ("adjustments", {"amount": "20.00", "reason": "\t"}),
    ],
)
async def test_what_says_nothing_is_no_reason_and_no_name(
    api: Api, cases: Cases, path: str, body: dict[str, str]
) -> None:
    _, key = await api.key("ops")
    case = await cases.seen("u_1", "20.00")

    status, problem = await api.post(f"/discrepancies/{case}/{path}", body, key)
    named, _ = await api.post(f"/discrepancies/{case}/assign", {"assignee": "Zoë M."}, key)

    assert (status, problem["code"], named) == (400, "validation_failed", 200)
    assert await cases.history(case) == [("run", "opened"), ("ops", "assigned")]


async def test_a_filter_may_be_given_with_commas_or_several_times(api: Api, cases: Cases) -> None:
    _, key = await api.key("ops")
    await cases.seen("u_1", "20.00")
    await cases.seen("u_2", "20.00")
    await cases.agrees("u_2")
    await ignore(cases.pool, await cases.seen("u_3", "9.00"), "r", until=None, step=by("ops"))

    for query in (
        "status=open,cleared",
        "status=open&status=cleared",
        "status=&status=open,cleared",
    ):
        _, page = await api.get(f"/discrepancies?{query}", key)
        assert [one["user_id"] for one in page["items"]] == ["u_2", "u_1"], query
        _, rows = await api.get(f"/discrepancies/export?format=json&{query}", key)
        assert [one["user_id"] for one in rows] == ["u_2", "u_1"], query


@pytest.mark.parametrize(
    "path",
    [
        "/reconciliation/runs",
        "/discrepancies",
        "/incidents",
        "/adjustments",
        "/discrepancies/{case}/events",
    ],
)
@pytest.mark.parametrize("after", ["u_1", "7", "", "01999999-0000-7000-8000"])
async def test_a_cursor_that_is_none_of_ours_is_one_refusal_in_every_list(
    api: Api, cases: Cases, path: str, after: str
) -> None:
    _, key = await api.key("ops")
    case = await cases.seen("u_1", "20.00")
    sealed = base64.urlsafe_b64encode(after.encode()).decode()

    status, problem = await api.get(f"{path.format(case=case)}?cursor={sealed}", key)

    assert (status, problem["code"]) == (400, "invalid_cursor")
    assert problem["request_id"]


@pytest.mark.parametrize("path", ["/discrepancies", "/discrepancies/export"])
@pytest.mark.parametrize("field", ["run_id", "incident_id", "status", "cause", "currency"])
async def test_a_filter_that_makes_no_sense_is_one_refusal_in_list_and_export(
    api: Api, path: str, field: str
) -> None:
    _, key = await api.key("ops")

    status, problem = await api.get(f"{path}?{field}=nonsense", key)

    assert (status, problem["code"]) == (400, "invalid_filter")
    assert problem["request_id"]


async def test_a_key_that_is_used_again_when_its_answer_is_forgotten_takes_another_step(
    api: Api, cases: Cases
) -> None:
    _, key = await api.key("ops")
    case = await cases.seen("u_1", "20.00")

    async def ask(path: str, body: object) -> tuple[int, Any]:
        await api.pool.execute("DELETE FROM api_requests")
        return await api.post(f"/discrepancies/{case}/{path}", body, key, intent="one-key")

    said = [await ask("comment", {"text": text}) for text in ("first", "second", "first")]
    proposed = await ask("adjustments", {"amount": "20.00", "reason": "report"})
    checked = await ask("recheck", {})

    assert [status for status, _ in (*said, proposed, checked)] == [201] * 5
    assert [event["detail"]["text"] for _, event in said] == ["first", "second", "first"]
    assert await cases.history(case) == [
        ("run", "opened"),
        ("ops", "commented"),
        ("ops", "commented"),
        ("ops", "proposed"),
        ("ops", "rechecked"),
    ]


async def test_adjustments_page_by_cursor(api: Api, cases: Cases) -> None:
    _, key = await api.key("ops")
    for number in range(3):
        case = await cases.seen(f"u_{number}", "20.00")
        await api.post(
            f"/discrepancies/{case}/adjustments", {"amount": "20.00", "reason": "x"}, key
        )

    _, first = await api.get("/adjustments?limit=2", key)
    _, rest = await api.get(f"/adjustments?limit=2&cursor={first['next_cursor']}", key)
    status, refused = await api.get("/adjustments?state=nonsense", key)

    users = [one["user_id"] for one in first["items"] + rest["items"]]
    assert (users, rest["next_cursor"]) == (["u_2", "u_1", "u_0"], None)
    assert (status, refused["code"]) == (400, "invalid_filter")


async def test_an_export_is_a_file_of_what_the_filters_choose(api: Api, cases: Cases) -> None:
    await cases.seen("u_1", "20.00", evidence=[("p1", "20.00", Cause.MISSING_WEBHOOK)])
    await cases.seen("u_2", "7.00")
    _, key = await api.key("ops")

    as_csv = await api.ask("/discrepancies/export?format=csv&cause=missing_webhook", key)
    as_json = await api.ask("/discrepancies/export?format=json&user_id=u_2", key)
    as_xlsx = await api.ask("/discrepancies/export?format=xlsx", key)

    (line,) = csv.DictReader(io.StringIO(await as_csv.text(), newline=""))
    (row,) = json.loads(await as_json.read())
    with zipfile.ZipFile(io.BytesIO(await as_xlsx.read())) as book:
        assert "xl/worksheets/sheet4.xml" in book.namelist()
    assert (line["user_id"], line["difference"]) == ("u_1", "20.00")
    assert (row["user_id"], row["difference"]) == ("u_2", "7.00")
    origin = str(api.client.make_url("")).rstrip("/")
    assert line["url"] == f"{origin}/discrepancies/{line['discrepancy_id']}"
    assert [answer.content_type for answer in (as_csv, as_json, as_xlsx)] == [
        "text/csv",
        "application/json",
        "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    ]
    assert as_csv.headers["Content-Disposition"].endswith('.csv"')


async def test_an_export_in_no_known_format_is_refused(api: Api) -> None:
    _, key = await api.key("ops")

    status, refused = await api.get("/discrepancies/export?format=pdf", key)
    wrong, filtered = await api.get("/discrepancies/export?status=nonsense", key)

    assert (status, refused["code"]) == (400, "invalid_format")
    assert (wrong, filtered["code"]) == (400, "invalid_filter")


@pytest.mark.parametrize("kind", ["csv", "json", "xlsx"])
async def test_who_asks_for_the_head_of_an_export_gets_no_body_that_is_read_as_the_next_answer(
    api: Api, cases: Cases, kind: str
) -> None:
    await cases.seen("u_1", "20.00")
    _, key = await api.key("ops")
    path, headers = f"/discrepancies/export?format={kind}", {"Authorization": f"Bearer {key}"}

    head = await api.client.head(f"/api/v1{path}", headers=headers)
    refused = await api.client.head("/api/v1/discrepancies/export?format=pdf", headers=headers)
    status, page = await api.get("/discrepancies", key)
    whole = await api.ask(path, key)

    assert (head.status, await head.read(), refused.status) == (200, b"", 400)
    assert head.headers["Content-Type"] == whole.headers["Content-Type"]
    assert head.headers["Content-Disposition"].endswith(f'.{kind}"')
    assert (status, len(page["items"])) == (200, 1)


async def test_a_database_that_fails_before_the_first_row_is_an_ordinary_problem(
    api: Api, cases: Cases, monkeypatch: pytest.MonkeyPatch
) -> None:
    await cases.seen("u_1", "20.00")
    _, key = await api.key("ops")

    async def fails(*_: object, **__: object) -> AsyncIterator[bytes]:
        if await api.pool.fetchval("SELECT true"):
            raise ConnectionError("the database went away")
        yield b""

    monkeypatch.setattr(send_export, "csv_chunks", fails)
    status, problem = await api.get("/discrepancies/export", key)

    assert (status, problem["code"]) == (500, "internal_error")


async def test_an_export_that_breaks_off_never_looks_whole(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await api.key("ops")

    async def breaks(*_: object, **__: object) -> AsyncIterator[bytes]:
        yield b"discrepancy_id,run_id\r\n" * 10_000
        raise ConnectionError("the database went away")

    monkeypatch.setattr(send_export, "csv_chunks", breaks)
    response = await api.ask("/discrepancies/export", key)

    assert response.status == 200
    with pytest.raises(ClientPayloadError):
        await response.read()


async def test_a_workbook_is_not_written_to_its_end_for_a_reader_who_has_left(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await api.key("ops")
    ended = asyncio.Event()

    async def without_end(*_: object, **__: object) -> AsyncIterator[bytes]:
        try:
            while True:
                await asyncio.sleep(0.01)
                yield b""
        finally:
            ended.set()

    monkeypatch.setattr(send_export, "xlsx_chunks", without_end)
    runner = make_runner(application(api.pool))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    url = f"http://{host}:{port}/api/v1/discrepancies/export?format=xlsx"
    async with ClientSession(headers={"Authorization": f"Bearer {key}"}) as reader:
        asking = asyncio.ensure_future(reader.get(url))
        await asyncio.wait({asking}, timeout=0.3)
        assert not asking.done()
        assert not ended.is_set()
        asking.cancel()
    await asyncio.wait_for(ended.wait(), 60)
    await runner.cleanup()


async def test_an_export_waits_for_its_reader_and_ends_when_that_leaves(
    api: Api, monkeypatch: pytest.MonkeyPatch
) -> None:
    _, key = await api.key("ops")
    made_mib, ended = 0, asyncio.Event()

    async def without_end(*_: object, **__: object) -> AsyncIterator[bytes]:
        nonlocal made_mib
        try:
            while True:
                made_mib += 1
                yield b"x" * (1 << 20)
        finally:
            ended.set()

    monkeypatch.setattr(send_export, "csv_chunks", without_end)
    # As the service runs: a test's server would cancel the handler of whoever leaves.
    runner = make_runner(application(api.pool))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    host, port = runner.addresses[0][:2]
    with structlog.testing.capture_logs() as logs:
        async with ClientSession(headers={"Authorization": f"Bearer {key}"}) as reader:
            response = await reader.get(f"http://{host}:{port}/api/v1/discrepancies/export")
            await response.content.readexactly(1 << 20)
            waiting_mib = -1
            while made_mib != waiting_mib:
                waiting_mib = made_mib
                await asyncio.sleep(0.3)
                assert made_mib < 30  # what sockets hold
            response.close()
            await asyncio.wait_for(ended.wait(), 60)
    await runner.cleanup()

    assert [(one["event"], one["log_level"]) for one in logs if "file_" in one["event"]] == [
        ("file_reader_left", "info")
    ]
