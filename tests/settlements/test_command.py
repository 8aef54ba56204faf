"""``recon settlements`` and the calls of the API beside it."""

from __future__ import annotations

import asyncio
import json
import os
import sys
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from click.testing import CliRunner

from recon.cli import recon as commands
from recon.clock import new_id
from tests.settlements.conftest import T0, adyen_file, adyen_line, adyen_payout

if TYPE_CHECKING:
    from pathlib import Path

    from aiohttp import web
    from aiohttp.test_utils import TestClient

    from tests.settlements.conftest import Office


def environment(database_url: str) -> dict[str, str]:
    return {
        "RECON_DATABASE_URL": database_url,
        "RECON_CONFIG": os.devnull,
        "RECON_PSP__ADYEN__PROVIDER": "adyen",
        "RECON_PSP__ADYEN__SECRETS": '["11"]',
        "RECON_PSP__ADYEN__MERCHANT_ACCOUNT": "TestMerchant",
        "COLUMNS": "40",
    }


def unwrapped(words: str) -> str:
    """What was said, whatever the width that it was fitted to."""
    return " ".join(words.split())


async def recon_here(database_url: str, *arguments: str) -> tuple[int, str, str]:
    """Run the command in this process, which has imported it: exit code, data and words."""
    runner = CliRunner(env=environment(database_url))
    done = await asyncio.to_thread(runner.invoke, commands, ["settlements", *arguments])
    return done.exit_code, done.stdout, done.stderr


async def recon(database_url: str, *arguments: str) -> tuple[int, str, str]:
    """Run the command in a process of its own: its exit code, data and words."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "recon", "settlements", *arguments),
        env=os.environ | environment(database_url),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    out, err = await process.communicate()
    return process.returncode or 0, out.decode(), err.decode()


async def test_a_file_is_imported_listed_and_shown_with_the_exit_codes_of_the_contract(
    office: Office, database_url: str, tmp_path: Path
) -> None:
    await office.deposit("P1")
    agrees, differs = tmp_path / "agrees.csv", tmp_path / "differs.csv"
    agrees.write_bytes(adyen_file(adyen_line("Settled", "P1"), adyen_payout("19.50")))
    odd = adyen_line("Settled", "P2", merchant_reference="[/b] order")
    differs.write_bytes(adyen_file(odd, adyen_payout("19.50", batch="8")))
    command = ("import", "--endpoint", "adyen", "--json")

    clean, again, found = [
        await recon_here(database_url, *command, str(path)) for path in (agrees, agrees, differs)
    ]
    listed = await recon_here(database_url, "list", "--json")
    file_id = json.loads(found[1])["file"]["file_id"]
    shown = await recon_here(database_url, "show", file_id, "--kind", "missing_here", "--json")
    table = await recon_here(database_url, "show", file_id)

    assert (clean[0], again[0], found[0], listed[0], shown[0]) == (0, 0, 3, 3, 3)
    assert json.loads(clean[1]) == json.loads(again[1])
    told = json.loads(clean[1])
    assert told["batches"] == [
        {
            "batch": "TestMerchant/7",
            "currency": "GBP",
            "lines": 2,
            "payouts": 1,
            "net": "19.50",
            "paid": "-19.50",
            "difference": "0.00",
        }
    ]
    assert {t["type"]: (t["gross"], t["fee"], t["net"]) for t in told["totals"]} == {
        "Settled": ("20.00", "0.50", "19.50"),
        "MerchantPayout": (None, "0.00", "-19.50"),
    }
    assert [file["name"] for file in json.loads(listed[1])] == ["differs.csv", "agrees.csv"]
    (finding,) = json.loads(shown[1])["findings"]
    assert (finding["payment_id"], finding["settled"], finding["line_no"]) == ("P2", "20.00", 2)
    assert "not booked here" in table[1]
    assert "[/b]" in table[1], "what a file says is no markup"
    assert table[1].partition("\n")[0].endswith(file_id), "a pipe has no width to fit"


async def test_a_file_may_come_through_a_pipe(
    office: Office, database_url: str, tmp_path: Path
) -> None:
    await office.deposit("P1")
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    running = asyncio.create_task(recon(database_url, "import", str(pipe), "--endpoint", "adyen"))
    content = adyen_file(adyen_line("Settled", "P1"), adyen_payout("19.50"))

    await asyncio.to_thread(pipe.write_bytes, content)

    assert (await running)[0] == 0
    assert [file.matched for file in await office.files()] == [1]


async def test_what_cannot_be_imported_says_why_and_fails(
    database_url: str, tmp_path: Path, office: Office
) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes(adyen_file(adyen_line("Settled", "P1", merchant_account="Other")))

    failed = await recon(database_url, "import", str(path), "--endpoint", "adyen")
    nobody = await recon(database_url, "import", str(path), "--endpoint", "paypal")
    unknown = await recon(database_url, "show", "00000000-0000-0000-0000-000000000000")

    assert (failed[0], nobody[0], unknown[0]) == (1, 2, 1)
    of_another = "settlement_merchant_account: line 2 is of merchant account Other"
    assert of_another in unwrapped(failed[2])
    assert "there is no endpoint 'paypal'; configured: adyen" in unwrapped(nobody[2])
    assert await office.files() == []


async def test_the_api_pages_through_files_and_findings(
    office: Office, api: TestClient[web.Request, web.Application]
) -> None:
    lines = [adyen_line("Settled", f"P{number}") for number in range(3)]
    await office.file(adyen_file(*lines), name="first.csv")
    file = await office.file(
        adyen_file(adyen_line("Settled", "P9", at=T0 + timedelta(days=1))), name="second.csv"
    )

    async def get(path: str, status: int = 200) -> Any:  # noqa: ANN401 - JSON
        answer = await api.get(f"/api/v1/settlements{path}")
        assert answer.status == status, await answer.text()
        return await answer.json()

    newest = await get("?limit=1")
    older = await get(f"?limit=1&cursor={newest['next_cursor']}")
    assert [page["items"][0]["name"] for page in (newest, older)] == ["second.csv", "first.csv"]
    assert older["next_cursor"] is None
    first_id = older["items"][0]["file_id"]
    assert (await get(f"/{first_id}"))["totals"][0]["gross"] == "60.00"

    page = await get(f"/{first_id}/findings?kind=missing_here&limit=2")
    rest = await get(f"/{first_id}/findings?kind=missing_here&cursor={page['next_cursor']}")
    numbers = [one["line_no"] for one in page["items"] + rest["items"]]
    assert numbers == [2, 3, 4]

    assert (await get("/none", 400))["code"] == "invalid_file_id"
    assert (await get(f"/{file.file_id}/findings?state=odd", 400))["code"] == "invalid_state"
    assert (await get(f"/{new_id()}", 404))["code"] == "settlement_file_not_found"


async def test_importing_what_reads_files_costs_the_service_nothing() -> None:
    code = (
        "import sys, recon.app, recon.cli.settlements;"
        "print([m for m in ('duckdb', 'ibis', 'sqlglot') if m in sys.modules])"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code), stdout=asyncio.subprocess.PIPE
    )
    said, _ = await process.communicate()

    assert said.strip() == b"[]"
