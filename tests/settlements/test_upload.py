"""``POST /api/v1/settlements``: a file over HTTP is imported as by the command."""

from __future__ import annotations

import asyncio
import gzip
import io
import tempfile
from typing import TYPE_CHECKING, Any

from aiohttp.test_utils import TestServer

from recon.http.keys import Scope, create_key
from recon.http.openapi import openapi_document
from recon.http.uploads import UPLOADS, Uploads
from tests.settlements.conftest import T0, adyen_file, adyen_line, adyen_payout

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    import pytest
    from aiohttp import web
    from aiohttp.test_utils import TestClient

    from recon.db import Pool
    from tests.settlements.conftest import Office

    Api = TestClient[web.Request, web.Application]

PATH = "/api/v1/settlements"
CSV = {"Content-Type": "text/csv"}


def left_in(folder: Path) -> list[str]:
    return [path.name for path in folder.iterdir()]


async def send(api: Api, content: Any, key: str, **query: Any) -> tuple[int, Any, Any]:  # noqa: ANN401 - bodies, JSON
    """Its status, JSON and headers."""
    more = query.pop("headers", CSV)
    answer = await api.post(
        PATH,
        data=content,
        params={"endpoint": "adyen", **query},
        headers={"Idempotency-Key": key, **more},
    )
    return answer.status, await answer.json(), answer.headers


async def test_a_file_is_imported_once_however_it_is_sent_again(
    office: Office, api: Api, pool: Pool
) -> None:
    await office.deposit("P1")
    content = adyen_file(adyen_line("Settled", "P1"), adyen_line("Settled", "P2"))

    first = await send(api, content, "k1", name="march.csv")
    replayed = await send(api, content, "k1", name="march.csv")
    other = await send(api, content + b"\n", "k1", name="march.csv")
    again = await send(
        api, gzip.compress(content), "k2", headers={"Content-Type": "application/gzip"}
    )

    assert [first[0], replayed[0], other[0], again[0]] == [201, 201, 422, 200]
    assert replayed[2]["Idempotency-Replayed"] == "true"
    assert first[1] == replayed[1] == again[1]
    told = first[1]["file"]
    assert (told["name"], told["lines"], told["matched"]) == ("march.csv", 2, 1)
    assert first[2]["Location"] == f"{PATH}/{told['file_id']}"
    assert (await api.get(first[2]["Location"])).status == 200
    assert await pool.fetchval("SELECT actor FROM audit WHERE action = 'settlement.imported'") == (
        "t"
    )


async def test_what_is_sent_says_how_it_is_read(office: Office, api: Api) -> None:
    await office.deposit("p1", endpoint="standard")
    content = f"Ref;Betrag;Cur;When\np1;20.00;GBP;{T0:%Y-%m-%d} 13:00:00\n"
    named = ["payment_id=Ref", "amount=Betrag", "currency=Cur", "settled_at=When"]
    query = [("endpoint", "standard"), ("timezone", "Europe/Berlin")]

    answer = await api.post(
        PATH,
        data=content.encode(),
        params=[*query, *(("column", one) for one in named)],
        headers={"Idempotency-Key": "k", **CSV},
    )

    told = (await answer.json())["file"]
    assert (answer.status, told["matched"], told["period_from"]) == (201, 1, "2025-03-01T12:00:00Z")


async def test_what_cannot_be_imported_is_refused_and_nothing_is_kept(
    office: Office, api: Api, pool: Pool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    good = adyen_file(adyen_line("Settled", "P1"))
    form = {"Content-Type": "application/x-www-form-urlencoded"}
    bomb = gzip.compress(good + b"\n" * 17 * 2**20)

    async def endless() -> AsyncIterator[bytes]:
        for _ in range(80):
            yield b"x" * 2**14

    refused = {
        "unknown": await send(api, good, "1", endpoint="paypal"),
        "form": await send(api, good, "2", headers=form),
        "large": await send(api, io.BytesIO(b"x" * (2**20 + 1)), "3"),
        "chunked": await send(api, endless(), "4"),
        "bomb": await send(api, bomb, "5"),
        "cut": await send(api, good[:-20], "6"),
        "zone": await send(api, good, "7", timezone="Mars/Base"),
        "cutter": await send(api, good, "8", delimiter="x"),
        "column": await send(api, good, "9", column="reference"),
        "keyless": await send(api, good, ""),
    }

    assert {name: (status, body["code"]) for name, (status, body, _) in refused.items()} == {
        "unknown": (404, "endpoint_unknown"),
        "form": (415, "unsupported_content"),
        "large": (413, "too_large"),
        "chunked": (413, "too_large"),
        "bomb": (413, "settlement_file_too_large"),
        "cut": (400, "settlement_file_truncated"),
        "zone": (400, "invalid_timezone"),
        "cutter": (400, "invalid_delimiter"),
        "column": (400, "invalid_column"),
        "keyless": (400, "idempotency_key_missing"),
    }
    assert await office.files() == []
    assert left_in(tmp_path) == []
    reader = await create_key(pool, name="r", scopes=[Scope.READ_DISCREPANCY], lifetime=None)
    forbidden = await send(api, good, "a", headers={"Authorization": f"Bearer {reader.key}", **CSV})
    assert (forbidden[0], forbidden[1]["code"]) == (403, "insufficient_scope")


async def test_a_few_are_taken_at_once_and_more_come_again_later(office: Office, api: Api) -> None:
    go = asyncio.Event()
    content = adyen_file(adyen_line("Settled", "P1"), adyen_payout("19.50"))

    async def slowly() -> AsyncIterator[bytes]:
        yield content[:9]
        await go.wait()
        yield content[9:]

    sending = [asyncio.create_task(send(api, slowly(), f"k{n}")) for n in range(5)]
    refused, _ = await asyncio.wait(sending, return_when=asyncio.FIRST_COMPLETED)
    go.set()
    done = await asyncio.gather(*sending)

    (status, body, headers) = refused.pop().result()
    assert (status, body["code"], headers["Retry-After"]) == (503, "uploads_busy", "30")
    assert sorted(status for status, _, _ in done) == [200, 200, 200, 201, 503]
    assert len(await office.files()) == 1


async def test_a_file_that_drips_is_refused_and_leaves_its_place_to_others(
    office: Office, api: Api
) -> None:
    """A byte now and then, never silent for as long as is waited in all; four of them."""
    assert isinstance(api.server, TestServer)
    uploads = Uploads(2**20, patience_s=0.5, least_rate=2**10)
    api.server.app._state[UPLOADS] = uploads  # noqa: SLF001 - a started application is frozen
    content = adyen_file(adyen_line("Settled", "P1"))
    told = asyncio.Event()

    async def dripping() -> AsyncIterator[bytes]:
        while not told.is_set():
            yield b"x"
            await asyncio.sleep(0.02)

    async def drip(key: str) -> tuple[int, str]:
        status, body, _ = await send(api, dripping(), key)
        return status, body["code"]

    refused = await asyncio.wait_for(asyncio.gather(*(drip(f"d{n}") for n in range(4))), 60)
    told.set()
    uploads._patience_s = 60.0  # noqa: SLF001 - a slow machine is no slow sender

    assert refused == [(408, "upload_incomplete")] * 4
    assert (await send(api, content, "k"))[0] == 201
    assert len(await office.files()) == 1


def test_openapi_says_that_the_body_is_a_file(api: Api) -> None:
    assert isinstance(api.server, TestServer)
    said = openapi_document(api.server.app)["paths"][PATH]["post"]

    assert said["security"] == [{"key": ["write:settlement"]}]
    assert said["requestBody"]["content"]["text/csv"] == {
        "schema": {"type": "string", "format": "binary"}
    }
    assert {"200", "201", "408", "413", "415", "422"} <= said["responses"].keys()
