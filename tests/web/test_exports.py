"""Every list exports what it shows, as CSV that no spreadsheet runs."""

from __future__ import annotations

import csv
import io
import json
import re
import zipfile
from html import unescape
from typing import TYPE_CHECKING

from recon.reconciliation import RunScope, start_run
from recon.web.discrepancy_list import SORTS
from tests.web.many import discrepancies, everything
from tests.web.test_settlements import imported

if TYPE_CHECKING:
    import pytest

    from recon.db import Pool
    from tests.web.conftest import Site
    from tests.web.inbox import Inbox


async def exported(site: Site, path: str) -> tuple[list[dict[str, str]], str]:
    """The rows of the file that a page links to, and the page."""
    status, page = await site.get(path)
    assert status == 200
    link = re.search(r'class="exports">[^<]*<a href="([^"]+)">Export CSV', page)
    assert link is not None, path
    async with site.client.get(unescape(link[1])) as answer:
        assert answer.status == 200
        assert answer.headers["Content-Type"] == "text/csv; charset=utf-8"
        assert re.fullmatch(
            r'attachment; filename="[a-z-]+-\d{8}T\d{6}Z\.csv"',
            answer.headers["Content-Disposition"],
        )
        text = await answer.text()
    return list(csv.DictReader(io.StringIO(text, newline=""))), page


async def test_a_list_of_several_pages_is_exported_whole_and_in_its_order(
    site: Site, pool: Pool, owner: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    for view in ("approvals", "cases", "runs", "settlements", "webhooks"):
        monkeypatch.setattr(f"recon.web.views.{view}.PAGE", 25)
    monkeypatch.setattr("recon.web.csv_pages.PAGE", 25)
    file = await imported(pool)
    await everything(owner, 60)
    await site.sign_in("watcher")
    found = {
        path: await exported(site, path)
        for path in (
            *("/runs?limit=500", "/webhooks?limit=500", "/cases?kind=payment_overdue&limit=500"),
            *("/approvals?limit=500", "/settlements"),
            f"/settlements/{file.file_id}?kind=missing_here&limit=500",
        )
    }

    runs, page = found["/runs?limit=500"]
    shown = re.findall(r'<th scope="row"><a id="[^"]+" href="/runs/([\w-]{36})"', page)
    assert [row["run_id"] for row in runs] == shown
    assert len(shown) == 60
    assert (runs[0]["state"], runs[0]["wallets"], runs[0]["dry_run"]) == ("finished", "9", "no")
    deliveries, page = found["/webhooks?limit=500"]
    shown = re.findall(r'href="/deliveries/([\w-]{36})"', page)
    assert [row["delivery_id"] for row in deliveries] == shown
    assert len(shown) == 60
    assert {row["currency"] for row in deliveries} == {"GBP"}
    assert deliveries[0]["amount"] == f"{int(deliveries[0]['user_id'][2:]) / 100:.2f}"
    cases, page = found["/cases?kind=payment_overdue&limit=500"]
    assert [row["reference"] for row in cases] == re.findall(r"<code>(d-\d+)</code>", page)
    assert len(cases) == 60
    assert {row["reason"] for row in cases} == {"'=1+1"}
    proposals, page = found["/approvals?limit=500"]
    assert [row["proposal"] for row in proposals] == [*["ruling"] * 60, *["adjustment"] * 60]
    assert [row["user_id"] for row in proposals] == re.findall(r'title="(u_\d+)"', page)
    assert {row["stale"] for row in proposals} == {"yes"}
    (of_file,) = found["/settlements"][0]
    assert (of_file["file_id"], of_file["sha256"]) == (
        str(file.file_id),
        file.content_sha256.hex(),
    )
    findings, page = found[f"/settlements/{file.file_id}?kind=missing_here&limit=500"]
    assert [row["finding_id"] for row in findings] == re.findall(r'<tr id="f([\w-]{36})"', page)
    assert {row["finding"] for row in findings} == {"missing_here"}
    assert len(findings) == 62


async def test_an_export_keeps_to_the_filter_of_its_page(
    site: Site, pool: Pool, inbox: Inbox
) -> None:
    await site.sign_in("watcher")
    await start_run(pool, RunScope.ALL, trigger="staff:maker")

    rows, _ = await exported(site, "/webhooks?state=quarantined")
    assert {row["delivery_id"] for row in rows} == {str(inbox.fixable), str(inbox.unusable)}
    assert {row["state"] for row in rows} == {"quarantined"}
    (run,) = (await exported(site, "/runs"))[0]
    assert (run["state"], run["finished_at"], run["trigger"]) == ("running", "", "staff:maker")
    for refused in ("/deliveries/export?state=odd", "/approvals/export?state=odd"):
        assert (await site.get(refused))[0] == 400
    assert (await site.get(f"/settlements/{inbox.booked}/export"))[0] == 404


async def test_discrepancies_are_exported_in_the_order_of_their_page(
    site: Site, owner: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("recon.reconciliation.export_rows._PAGE", 40)
    await discrepancies(owner, 200)
    await site.sign_in("maker")

    async def file(page: str, kind: str) -> bytes:
        link = re.search(rf'href="(/discrepancies/export[^"]+format={kind})"', page)
        assert link is not None
        async with site.client.get(unescape(link[1])) as answer:
            assert answer.status == 200
            return await answer.read()

    orders = set()
    for sort in (*SORTS, *(f"-{name}" for name in SORTS)):
        _, page = await site.get(f"/discrepancies?sort={sort}&limit=500")
        shown = re.findall(r'name="id" value="([^"]+)"', page)
        rows = csv.DictReader(io.StringIO((await file(page, "csv")).decode(), newline=""))
        assert [row["discrepancy_id"] for row in rows] == shown, sort
        orders.add(tuple(shown))
    assert (len(shown), len(orders)) == (150, len(SORTS) * 2)

    # The last of them, the most severe first, once more as the other kinds of file.
    told = json.loads(await file(page, "json"))
    with zipfile.ZipFile(io.BytesIO(await file(page, "xlsx"))) as book:
        sheet, of_what = (book.read(f"xl/worksheets/sheet{n}.xml").decode() for n in (2, 4))
    assert [row["discrepancy_id"] for row in told] == shown
    assert re.findall(r"<t>([0-9a-f]{8}-[0-9a-f-]{27})</t>", sheet)[::2] == shown
    assert "<t>sort</t>" in of_what
    assert "<t>-severity</t>" in of_what
