"""Every journey by pages, links and forms alone, as a browser without scripts takes it."""

from __future__ import annotations

from dataclasses import dataclass, field
from html import unescape
from html.parser import HTMLParser
from typing import TYPE_CHECKING

from recon.reconciliation import Status
from tests.reconciliation.cases import Cases
from tests.web.test_cases import opened
from tests.web.test_pages import words

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site
    from tests.web.inbox import Inbox


@dataclass
class Form:
    """A form: where it is sent, and what it says as it stands."""

    method: str
    action: str
    said: dict[str, str] = field(default_factory=dict)
    boxes: list[tuple[str, str]] = field(default_factory=list)


class Reader(HTMLParser):
    """The forms of a page, by the address that they, or one of their buttons, are sent to."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.forms: dict[str, Form] = {}
        self._form: Form | None = None
        self._list = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        said = {name: value or "" for name, value in attrs}
        if tag == "form":
            self._form = Form(said.get("method", "get"), said.get("action", ""))
            self.forms[self._form.action] = self._form
        form = self._form
        if form is None:
            return
        name, value = said.get("name", ""), said.get("value", "")
        if tag == "button" and "formaction" in said:
            self.forms[said["formaction"]] = form
        elif tag == "input" and said.get("type") == "checkbox":
            form.boxes.append((name, value))
        elif tag in {"input", "textarea"} and name:
            form.said[name] = value
        elif tag == "select":
            self._list = name
        elif tag == "option" and (self._list not in form.said or "selected" in said):
            form.said[self._list] = value

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None


@dataclass
class Plain:
    """A browser that knows HTML alone."""

    site: Site
    path: str = "/"
    page: str = ""

    async def go(self, path: str) -> str:
        """Open a page; its words."""
        self.path = path
        status, self.page = await self.site.get(path)
        assert status == 200, (path, words(self.page))
        return unescape(words(self.page))

    async def send(self, action: str, /, *, tick: int = 0, **typed: str) -> str:
        """Type into a form that the page shows, tick its first boxes, send it; the next page."""
        form = Reader(self.page).forms[action]
        said = [*(form.said | typed).items(), *[box for box in form.boxes if box[1]][:tick]]
        async with self.site.client.request(
            form.method,
            action,
            **{"params" if form.method == "get" else "data": said},  # type: ignore[arg-type] # both
            headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"},
        ) as answer:
            self.path, self.page = answer.url.path_qs, await answer.text()
            assert answer.status == 200, (action, words(self.page))
        return unescape(words(self.page))


async def test_find_propose_turn_down_propose_and_approve(site: Site, pool: Pool) -> None:
    cases = Cases(pool)
    await cases.deposit("u_1", "100.00")
    case = await cases.seen("u_1", "120.00")
    await cases.seen("u_2", "5.00", currency="EUR")
    plain, here = Plain(site), f"/discrepancies/{case}"
    await site.sign_in("maker")
    await plain.go("/discrepancies")
    said = await plain.send("/discrepancies", currency="GBP", q="")
    assert ("u_1" in said, "u_2" in said) == (True, False)
    assert here in plain.page
    for _ in range(2):
        await plain.go(here)
        said = await plain.send(f"{here}/propose", reason="by the PSP's report")
        assert "+20.00 GBP proposed" in said
        adjustment = await pool.fetchval(
            "SELECT adjustment_id FROM adjustments WHERE state = 'proposed'"
        )
        await site.sign_in("checker")
        assert "by the PSP's report" in await plain.go("/approvals")
        await plain.go(here)
        step = (
            "approve" if await pool.fetchval("SELECT count(*) FROM adjustments") > 1 else "reject"
        )
        await plain.send(f"/adjustments/{adjustment}/{step}", reason="looked into")
        await site.sign_in("maker")

    assert await cases.balance("u_1") == "120.00"


async def test_select_rows_assign_and_ignore_them_comment_and_recheck_one(
    site: Site, pool: Pool
) -> None:
    cases = Cases(pool)
    ids = [await cases.seen(f"u_{number}", "20.00") for number in range(3)]
    plain = Plain(site)
    await site.sign_in("maker")
    await plain.go("/discrepancies?sort=age")
    said = await plain.send("/discrepancies/bulk", tick=2, action="assign", assignee="checker")
    assert "2 are assigned to checker" in said
    await plain.go("/discrepancies")
    said = await plain.send(
        "/discrepancies/bulk", tick=1, action="ignore", reason="test users", until="day"
    )
    assert "1 is ignored" in said
    (left, *_) = [one for one in ids if (await cases.read(one)).status is not Status.IGNORED]
    await plain.go(f"/discrepancies/{left}")
    assert "I ask" in await plain.send(f"/discrepancies/{left}/comment", text="I ask the operator")
    await plain.send(f"/discrepancies/{left}/recheck")
    said = await plain.send(f"/discrepancies/{left}/ignore", reason="a test user", until="week")
    assert "Ignored until" in said
    assert [action for _, action in (await cases.history(left))][-3:] == [
        *("commented", "rechecked", "ignored"),
    ]


async def test_run_replay_close_a_case_and_set_up_people_and_keys(
    site: Site, pool: Pool, inbox: Inbox
) -> None:
    case_id = await opened(pool, "payment_overdue", "d-1")
    plain = Plain(site)
    await site.sign_in("root")
    await plain.go("/runs")
    said = await plain.send("/runs", scope="all")
    assert plain.path.startswith("/runs/")
    assert "Load the page again to see how far it is." in said
    assert "would be booked" in await plain.go(f"/deliveries/{inbox.fixable}/replay")
    said = await plain.send(f"/deliveries/{inbox.fixable}/replay")
    assert "It was quarantined and is now booked." in said
    await plain.go(f"/cases/{case_id}/close")
    await plain.send(f"/cases/{case_id}/close", reason="the player left")
    assert "the player left" in await plain.go("/cases?state=closed")
    await plain.go("/settings")
    assert "nora signs in once by this link" in await plain.send("/settings/staff", name="nora")
    assert "It is not shown again" in await plain.send("/settings/keys", tick=1, name="lobby")
    await plain.send("/settings/keys/revoke")
    assert "revoked" in words(plain.page)
    assert "Nothing matches" in await plain.send("/discrepancies", q="u_48213")
    await plain.send("/sign-out")
    assert plain.path == "/sign-in"
