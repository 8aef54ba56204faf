"""One step for many discrepancies at once."""

from __future__ import annotations

import csv
import io
import re
from asyncio import to_thread
from html import unescape
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from recon.clock import new_id
from recon.reconciliation import Status
from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from tests.web.conftest import Site, Windows
    from tests.web.seeding import Seeded


async def some(pool: Pool, count: int) -> list[UUID]:
    """So many wallets that the game shows 20.00 for and the ledger nothing."""
    return [await Cases(pool).seen(f"u_{number}", "20.00") for number in range(count)]


async def bulk(site: Site, *ids: object, **fields: str) -> tuple[int, str]:
    """The form with some rows ticked."""
    said = list({"csrf": await site.csrf(), "form": str(new_id()), **fields}.items())
    async with site.client.post(
        "/discrepancies/bulk",
        data=[*said, *(("id", str(one)) for one in ids)],
        headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"},
    ) as answer:
        return answer.status, await answer.text()


async def test_those_selected_are_assigned_and_the_others_are_not(site: Site, pool: Pool) -> None:
    cases, (first, second, third) = Cases(pool), await some(pool, 3)
    await site.sign_in("maker")

    status, page = await bulk(site, first, third, action="assign", assignee="checker")

    assert (status, "2 are assigned to checker" in page) == (200, True)
    assert [(await cases.read(one)).assignee for one in (first, second, third)] == [
        "checker",
        None,
        "checker",
    ]
    assert await cases.history(third) == [("run", "opened"), ("staff", "assigned")]


async def test_what_cannot_be_done_with_one_is_said_and_done_with_the_others(
    site: Site, pool: Pool
) -> None:
    cases, (open_one, closed) = Cases(pool), await some(pool, 2)
    await cases.deposit("u_1", "20.00")
    await cases.agrees("u_1")
    await site.sign_in("maker")

    status, page = await bulk(
        site, open_one, closed, new_id(), action="ignore", reason="test users", until="week"
    )

    assert (status, "1 is ignored" in page, "2 were left as they are" in page) == (200, True, True)
    assert "this discrepancy is cleared" in page
    assert (await cases.read(open_one)).status is Status.IGNORED
    assert (await cases.read(closed)).status is Status.CLEARED


async def test_all_that_match_are_those_of_the_filter_and_no_others(site: Site, pool: Pool) -> None:
    cases, ids = Cases(pool), await some(pool, 3)
    euro = await cases.seen("u_9", "5.00", currency="EUR")
    await site.sign_in("maker")

    status, page = await bulk(
        site,
        euro,  # ticked on a page of another filter: "all" is what counts
        all="1",
        matching="3",
        filter="/discrepancies?currency=GBP",
        action="assign",
        assignee="maker",
    )

    assert (status, "3 are assigned to maker" in page) == (200, True)
    assert [(await cases.read(one)).assignee for one in (*ids, euro)] == [*["maker"] * 3, None]


async def test_all_that_match_are_those_that_were_there_to_be_seen(site: Site, pool: Pool) -> None:
    cases, ids = Cases(pool), await some(pool, 2)
    await site.sign_in("maker")
    _, page = await site.get("/discrepancies?limit=1")
    form, matching = (
        re.search(rf'name="{name}" value="([^"]+)"', page)[1]  # type: ignore[index] # it is there
        for name in ("form", "matching")
    )
    late = await cases.seen("u_9", "5.00")
    said = {"action": "ignore", "reason": "test users", "until": "day", "all": "1", "form": form}

    status, page = await bulk(site, **said, matching=matching)

    assert (status, "2 are ignored" in page) == (200, True)
    assert (await cases.read(late)).status is Status.OPEN
    assert {(await cases.read(one)).status for one in ids} == {Status.IGNORED}
    # One that was shown by a page with fewer on it.
    for form, matching, said_why in (
        (str(new_id()), "0", "1 match by now, where 0 did"),
        (str(new_id()), "", "Reload the page"),
    ):
        status, page = await bulk(site, **said | {"form": form, "matching": matching})
        assert (status in {400, 409}, said_why in page) == (True, True), page
    assert (await cases.read(late)).status is Status.OPEN


async def test_nothing_is_done_where_the_form_makes_no_sense(site: Site, pool: Pool) -> None:
    cases, (one,) = Cases(pool), await some(pool, 1)
    await site.sign_in("maker")
    for ids, fields, said in (
        ([], {"action": "assign"}, "Select at least one"),
        (["none"], {"action": "assign"}, "Reload the page"),
        ([one], {"action": "delete"}, "Choose what to do"),
        ([one], {"action": "ignore", "until": "day"}, "Say why"),
        ([one], {"action": "ignore", "reason": "so"}, "Choose for how long"),
        ([one], {"action": "assign", "assignee": "a stranger"}, "nobody on the staff"),
        ([one], {"action": "assign", "filter": "x?status=odd", "all": "1"}, "status cannot be"),
        ([new_id() for _ in range(501)], {"action": "assign"}, "at most 500"),
    ):
        status, page = await bulk(site, *ids, **fields)
        assert (status, said in page) == (400, True), (fields, page)
    await site.sign_in("watcher")
    assert (await bulk(site, one, action="assign", assignee="watcher"))[0] == 403
    assert "/discrepancies/bulk" not in (await site.get("/discrepancies"))[1]

    assert await cases.history(one) == [("run", "opened")]


@pytest.mark.browser
async def test_selected_rows_show_their_sum_and_are_assigned_together(
    windows: Windows, week: Seeded
) -> None:
    window = await windows.open()
    page = window.page
    await window.sign_in("maker")
    await window.open("/discrepancies?currency=GBP&sort=-size")
    boxes = page.locator("#bulk tbody input[type=checkbox]")
    selected = page.locator("#selected")
    rows = await boxes.count()

    await boxes.first.click()
    await boxes.last.click(modifiers=["Shift"])
    await expect(selected).to_contain_text(f"{rows} selected: +36.50 GBP net")
    await page.get_by_label("Select this page").uncheck()
    await expect(selected).to_contain_text("Select rows")
    await page.keyboard.press("Escape")
    await page.evaluate("document.activeElement.blur()")
    await page.keyboard.press("j")
    await page.keyboard.press("x")
    await expect(selected).to_contain_text("1 selected")

    # What a filter hides is not selected any more.
    await page.get_by_label("Currency").select_option("EUR")
    await expect(selected).to_contain_text("Select rows")
    await boxes.first.check()
    # What is refused is said at the buttons, and nothing that was chosen is lost.
    await page.get_by_role("button", name="Ignore").click()
    told = page.locator("#bulk").get_by_role("alert")
    await expect(told).to_contain_text("Say why they may be left alone")
    await expect(boxes.first).to_be_checked()
    assert "400" in window.faults.pop()
    await page.get_by_role("button", name="Assign").click()
    await expect(page.get_by_role("heading", level=1)).to_have_text("1 is assigned to maker")
    await page.get_by_role("link", name="Back to the list").click()
    await expect(page).to_have_url(f"{window.origin}/discrepancies?currency=EUR&sort=-size")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="CSV").click()
    file = await (await started.value).path()
    text = await to_thread(file.read_text, encoding="utf-8")
    exported = {row["user_id"] for row in csv.DictReader(io.StringIO(text))}
    assert exported == set(await page.locator("#bulk tbody .id").all_inner_texts())

    assert week.runs
    assert window.faults == []


@pytest.mark.parametrize(
    "query",
    [
        "",
        "?currency=GBP",
        "?status=all&age=older",
        "?assignee=maker",
        "?q=u_2",
        "?cause=unexplained&sort=-size",
        "?new_in={run}",
    ],
)
async def test_an_export_holds_what_the_table_shows(site: Site, week: Seeded, query: str) -> None:
    query = query.format(run=week.runs[-1])
    await site.sign_in("watcher")
    _, page = await site.get(f"/discrepancies{query}")
    shown = set(re.findall(r'href="/discrepancies/([0-9a-f-]{36})"', page))
    link = re.search(r'href="(/discrepancies/export\?[^"]*format=csv)"', page)

    if link is None:
        assert shown == set()
        return
    _, text = await site.get(unescape(link[1]))
    exported = [row["discrepancy_id"] for row in csv.DictReader(io.StringIO(text))]

    assert len(exported) == len(shown) > 0
    assert set(exported) == shown
