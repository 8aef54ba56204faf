"""The page of cases: what it shows, and who may close one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from recon.clock import new_id
from tests.web.test_pages import words

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from tests.web.conftest import Site


SPOKEN = "a deposit of which <b>nobody</b> spoke"


async def opened(
    pool: Pool, kind: str, reference: str, *, state: str = "open", why: str = SPOKEN
) -> UUID:
    case_id = new_id()
    await pool.execute(
        "INSERT INTO cases (case_id, kind, state, reference, user_id, currency, amount, reason) "
        "VALUES ($1, $2, $3, $4, 'u_7', 'GBP', 2000, $5)",
        *(case_id, kind, state, reference, why),
    )
    return case_id


async def csrf(site: Site, path: str) -> str:
    found = re.search(r'name="csrf" value="([^"]+)"', (await site.get(path))[1])
    assert found is not None
    return found.group(1)


async def test_the_page_lists_cases_by_state_and_kind(site: Site, pool: Pool) -> None:
    await opened(pool, "payment_overdue", "d-1")
    await opened(pool, "suspended", "d-2")
    await opened(pool, "payment_overdue", "d-3", state="closed")
    await site.sign_in("watcher")

    said = words((await site.get("/cases"))[1])
    assert "Suspended d-2 u_7 20.00 GBP" in said
    assert "Payment overdue d-1 u_7 20.00 GBP" in said
    assert "d-3" not in said
    assert "<b>nobody</b>" not in (await site.get("/cases"))[1]
    overdue = words((await site.get("/cases?kind=payment_overdue"))[1])
    assert ("d-1" in overdue, "d-2" in overdue) == (True, False)
    assert "d-3" in words((await site.get("/cases?state=closed"))[1])
    assert "No case is open" not in said
    first = (await site.get("/cases?limit=1"))[1]
    assert ("d-2" in first, "d-1" in first, 'rel="next"' in first) == (True, False, True)


async def test_those_that_wait_longest_come_first_where_that_is_asked_for(
    site: Site, pool: Pool
) -> None:
    for number in (1, 2, 3):
        await opened(pool, "payment_overdue", f"d-{number}")
    await opened(pool, "suspended", "d-4")
    await site.sign_in("watcher")
    heading = re.search(
        r'href="([^"]+)">Opened', (await site.get("/cases?kind=payment_overdue"))[1]
    )
    assert heading is not None

    path, seen = heading.group(1), []
    while True:
        html = (await site.get(f"{path}&limit=2".replace("&amp;", "&")))[1]
        seen += re.findall(r"<code>(d-\d)</code>", html)
        following = re.search(r'href="([^"]+)" rel="next"', html)
        if following is None:
            break
        path = following.group(1)
    assert seen == ["d-1", "d-2", "d-3"]
    exported = (await site.get("/cases/export?state=open&kind=payment_overdue&sort=-age"))[1]
    assert re.findall(r",(d-\d),", exported) == seen


async def test_without_a_case_the_page_says_so(site: Site) -> None:
    await site.sign_in("watcher")
    assert "No case is open" in words((await site.get("/cases"))[1])
    for state in ("open", "closed"):
        path = f"/cases?state={state}&kind=suspended"
        assert "Nothing matches" in words((await site.get(path))[1])


async def test_where_none_is_closed_the_page_says_that_and_not_that_a_filter_hides_some(
    site: Site, pool: Pool
) -> None:
    await opened(pool, "suspended", "d-1", why="1 payout to -40.00")
    await site.sign_in("watcher")

    said = words((await site.get("/cases?state=closed"))[1])
    assert "No case is closed" in said
    assert "1 case is still open." in said
    assert ("Nothing matches" in said, "waits for a person" in said) == (False, False)
    assert "1 payout to \N{MINUS SIGN}40.00" in (await site.get("/cases"))[1]


async def test_an_analyst_closes_a_case_with_a_reason(site: Site, pool: Pool) -> None:
    case_id = await opened(pool, "payment_overdue", "d-1")
    await site.sign_in("maker")
    assert f'href="/cases/{case_id}/close"' in (await site.get("/cases"))[1]
    path = f"/cases/{case_id}/close"
    token = await csrf(site, path)

    assert (await site.post(path, {"csrf": token, "reason": "  "}))[0] == 400
    status, _, headers = await site.post(path, {"csrf": token, "reason": "the player left"})
    assert (status, headers["Location"]) == (303, "/cases")
    row = await pool.fetchrow("SELECT state, closed_by, closed_reason FROM cases")
    assert row is not None
    assert tuple(row) == ("closed", "staff:maker", "the player left")
    audit = await pool.fetchrow("SELECT actor, object FROM audit WHERE action = 'case.closed'")
    assert audit is not None
    assert tuple(audit) == ("staff:maker", f"case:{case_id}")
    assert (await site.post(path, {"csrf": token, "reason": "again"}))[0] == 409
    assert "It is closed already" in words((await site.get(path))[1])
    said = words((await site.get("/cases?state=closed"))[1])
    assert "by maker: the player left" in said


@pytest.mark.parametrize("attempt", ["a viewer", "no token"])
async def test_nobody_else_closes_a_case(site: Site, pool: Pool, attempt: str) -> None:
    case_id = await opened(pool, "payment_overdue", "d-1")
    await site.sign_in("watcher" if attempt == "a viewer" else "maker")
    token = await csrf(site, "/cases") if attempt == "a viewer" else "none"
    status, _, _ = await site.post(f"/cases/{case_id}/close", {"csrf": token, "reason": "x"})

    assert status == 403
    assert await pool.fetchval("SELECT state FROM cases") == "open"


async def test_a_case_that_is_not_there_is_not_found(site: Site) -> None:
    await site.sign_in("maker")
    assert (await site.get(f"/cases/{new_id()}/close"))[0] == 404
    assert (await site.get("/cases/none/close"))[0] == 404
    assert (await site.get("/cases?cursor=none"))[0] == 400
