"""A line of the log names the request, delivery and trace that it is about, and no other."""

from __future__ import annotations

import asyncio
import io
import json
import sys
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from aiohttp.test_utils import TestClient, TestServer
from structlog.contextvars import bound_contextvars, get_contextvars

from recon.app import build_app
from recon.cli.console import configure_logging
from recon.db.sharing import Shared
from recon.settings import Settings
from tests.journeys.conftest import SECRET, deposited, signed

if TYPE_CHECKING:
    from collections.abc import Sequence

ID = "4bf92f3577b34da6a3ce929d0e0e4736"


async def test_a_delivery_that_is_not_booked_leaves_a_line_by_which_all_of_it_is_found(
    database_url: str, capsys: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info")
    settings = Settings.model_validate(
        {"psp": {"bank": {"provider": "standard-webhooks", "secrets": [SECRET]}}}
    )
    content = deposited("p1", "u_7", "20.00").replace(b'"u_7"', b"null")
    headers = signed("evt_1", content) | {
        "X-Request-Id": "of-the-proxy-1",
        "traceparent": f"00-{ID}-00f067aa0ba902b7-01",
    }
    app = build_app(settings, database_url, jobs=False)
    async with (
        TestClient(TestServer(app, host="127.0.0.1")) as client,
        client.post("/webhooks/bank", data=content, headers=headers) as answer,
    ):
        assert answer.status == 200

    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in lines if line["event"] == "delivery_taken"]
    assert (line["request_id"], line["trace_id"]) == ("of-the-proxy-1", ID)
    assert len(line["delivery_id"]) == 36
    assert (line["level"], line["endpoint"], line["state"]) == ("info", "bank", "suspended")


async def test_a_commit_of_one_logs_as_its_request_and_one_of_several_as_nobodys() -> None:
    logged: list[dict[str, Any]] = []
    go_on = asyncio.Event()

    async def take_in(units: Sequence[int]) -> Sequence[int]:
        logged.append(get_contextvars())
        await go_on.wait()
        return units

    shared: Shared[int, int] = Shared(take_in, patience_s=60.0)

    async def ask(number: int) -> None:
        with bound_contextvars(request_id=f"req_{number}"):
            await shared.take_one(number)

    asking = [asyncio.create_task(ask(0))]
    while not logged:  # noqa: ASYNC110 - the first is under way
        await asyncio.sleep(0)
    asking += [asyncio.create_task(ask(number)) for number in (1, 2)]
    while shared.waiting < 3:  # noqa: ASYNC110 - the others wait
        await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*asking)
    await ask(3)

    assert logged == [{"request_id": "req_0"}, {}, {"request_id": "req_3"}]


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        return True


@pytest.mark.parametrize("looks", [True, False])
def test_a_person_reads_lines_and_a_machine_reads_json(
    looks: bool,  # noqa: FBT001 - a case
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = Terminal() if looks else io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    configure_logging("info")
    with bound_contextvars(request_id="req_1"):
        structlog.get_logger("tests").info("delivery_taken", delivery_id="d_1")

    said = written.getvalue()
    if looks:
        assert said.count("\n") == 1
        assert "delivery_taken" in said
        with pytest.raises(ValueError, match="Expecting value"):
            json.loads(said)
    else:
        line = json.loads(said)
        assert (line["event"], line["request_id"], line["delivery_id"]) == (
            "delivery_taken",
            "req_1",
            "d_1",
        )
        assert line["at"].endswith("Z")
