"""Working on a discrepancy from its page: by whom, and what stands on record of it."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recon.clock import new_id, now
from recon.reconciliation import Status
from tests.reconciliation.cases import Cases
from tests.web.test_pages import words

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from tests.web.conftest import Site


async def a_case(pool: Pool) -> tuple[Cases, UUID, str]:
    """u_1 has 100.00 here and 120.00 at the game."""
    cases = Cases(pool)
    await cases.deposit("u_1", "100.00")
    case = await cases.seen("u_1", "120.00")
    return cases, case, f"/discrepancies/{case}"


async def proposed(site: Site, pool: Pool) -> tuple[Cases, UUID, str]:
    """The same, with +20.00 proposed by maker; the path is the adjustment's."""
    cases, case, here = await a_case(pool)
    await site.sign_in("maker")
    status, _, headers = await site.act(f"{here}/propose", amount="20.00", reason="by PSP's report")
    assert (status, headers["Location"]) == (303, f"{here}#fix")
    adjustment = await pool.fetchval("SELECT adjustment_id FROM adjustments")
    return cases, case, f"/adjustments/{adjustment}"


async def test_it_is_given_to_somebody_and_back_to_nobody(site: Site, pool: Pool) -> None:
    cases, case, here = await a_case(pool)
    await site.sign_in("maker")

    assert (await site.act(f"{here}/assign", assignee="checker"))[0] == 303
    given = await cases.read(case)
    assert (given.assignee, given.status) == ("checker", Status.INVESTIGATING)
    status, page, _ = await site.act(f"{here}/assign", assignee="a stranger")
    assert (status, "is called a stranger" in page) == (
        400,
        True,
    )
    assert (await site.act(f"{here}/assign", assignee=""))[0] == 303

    assert ((await cases.read(case)).assignee, (await cases.read(case)).status) == (
        None,
        Status.OPEN,
    )
    assert await cases.history(case) == [
        ("run", "opened"),
        ("staff", "assigned"),
        ("staff", "assigned"),
    ]


async def test_a_comment_stands_in_the_history_once_however_often_its_form_is_sent(
    site: Site, pool: Pool
) -> None:
    cases, case, here = await a_case(pool)
    await site.sign_in("maker")
    form = str(new_id())

    for _ in range(2):
        status, _, headers = await site.act(
            f"{here}/comment", text="<b>The PSP</b> looks into it", form=form
        )
        assert (status, headers["Location"]) == (303, f"{here}#history")

    assert await cases.history(case) == [("run", "opened"), ("staff", "commented")]
    _, page = await site.get(here)
    assert "<q>&lt;b&gt;The PSP&lt;/b&gt; looks into it</q>" in page
    for text in ("", "   ", "x" * 4001):
        assert (await site.act(f"{here}/comment", text=text))[0] == 400
    assert (await site.act(f"{here}/comment", text="hello", form="none"))[0] == 400
    assert len(await cases.history(case)) == 2


@pytest.mark.parametrize(
    ("said", "length"), [("day", 1), ("week", 7), ("month", 30), ("same", None)]
)
async def test_it_is_ignored_for_a_reason_and_a_time(
    site: Site, pool: Pool, said: str, length: int | None
) -> None:
    cases, case, here = await a_case(pool)
    await site.sign_in("maker")
    assert (await site.act(f"{here}/ignore", until=said, reason=""))[0] == 400
    assert (await site.act(f"{here}/ignore", until="ever", reason="a test user"))[0] == 400
    before = now()

    assert (await site.act(f"{here}/ignore", until=said, reason="a test user"))[0] == 303

    ignored = await cases.read(case)
    assert ignored.status is Status.IGNORED
    if length is None:
        assert ignored.ignored_until is None
    else:
        assert ignored.ignored_until is not None
        late = ignored.ignored_until - before - timedelta(days=length)
        assert timedelta(0) <= late < timedelta(minutes=1)
    _, page = await site.get(here)
    words_said = words(page)
    listed = words((await site.get("/discrepancies?status=ignored"))[1])
    assert ("Ignored until" in words_said, "Ignored until" in listed) == (True, length is not None)
    assert "by maker: a test user" in words_said
    assert ("open again then, or as soon as" in words_said) is (length is not None)


async def test_a_fix_is_shown_before_it_is_made(site: Site, pool: Pool) -> None:
    _, _, here = await a_case(pool)
    await site.sign_in("maker")

    _, page = await site.get(here)
    # The journal entry, the balances after it, and what a look would find.
    for shown in (
        "<td>adjustment</td><td>available</td>",
        'value="+20.00"',
        "100.00",
        "120.00",
        "ledger and game agree",
    ):
        assert shown in page, shown
    for amount, said in {
        "5.00": "+15.00</span></span> still",
        "\N{MINUS SIGN}100.00": "<td>available</td><td>adjustment</td>",
        "%2B1,000.00": "1,100.00",
        "15,55": "is not an amount",
        "1,00.00": "is not an amount",
        "1000,000.00": "is not an amount",
        "-100.01": "may not overdraw it",
        "0": "An adjustment of nothing adjusts nothing",
        "1.001": "GBP has 2 decimal places",
        "much": "is not an amount",
    }.items():
        status, preview = await site.get(f"{here}/fix?amount={amount}")
        assert (status, said in preview) == (200, True), (amount, preview)

    await Cases(pool).deposit("u_1", "1.00")
    assert "nobody knows: the wallet has moved" in (await site.get(here))[1]


async def test_what_one_proposes_another_books(site: Site, pool: Pool) -> None:
    cases, case, adjustment = await proposed(site, pool)
    assert (await cases.read(case)).status is Status.AWAITING_APPROVAL
    _, own = await site.get("/approvals")
    assert ("by PSP&#39;s report" in own, "another has to approve it" in own) == (True, True)
    assert (await site.act(f"{adjustment}/approve"))[0] == 403  # an analyst does not approve
    assert await cases.balance("u_1") == "100.00"

    await site.sign_in("checker")
    _, listed = await site.get("/approvals")
    assert "Decide…" in listed
    assert '<span class="number">1<' in listed  # the navigation counts what waits
    status, _, headers = await site.act(f"{adjustment}/approve", reason="seen in the report")

    assert (status, headers["Location"]) == (303, f"/discrepancies/{case}#fix")
    assert await cases.balance("u_1") == "120.00"
    trigger = await pool.fetchval("SELECT trigger FROM runs")
    assert trigger == f"adjustment:{adjustment.rpartition('/')[2]}"
    _, booked = await site.get("/approvals?state=booked")
    assert "by checker: seen in the report" in booked
    assert "Nothing waits for approval" in (await site.get("/approvals"))[1]
    status, page, _ = await site.act(f"{adjustment}/approve")
    assert (status, "this adjustment is booked" in page) == (409, True)


async def test_nobody_approves_their_own_and_an_approver_is_told_so(site: Site, pool: Pool) -> None:
    cases, _, here = await a_case(pool)
    await site.sign_in("checker")
    await site.act(f"{here}/propose", amount="20.00", reason="by the PSP's report")
    adjustment = await pool.fetchval("SELECT adjustment_id FROM adjustments")

    _, page = await site.get(here)
    assert "You proposed it: another has to approve it" in page
    assert "/approve" not in page
    status, page, _ = await site.act(f"/adjustments/{adjustment}/approve")

    assert (status, "you proposed this; another has to approve it" in page) == (403, True)
    assert await cases.balance("u_1") == "100.00"


async def test_a_proposal_is_rejected_by_an_approver_or_withdrawn_by_its_maker_alone(
    site: Site, pool: Pool
) -> None:
    cases, case, adjustment = await proposed(site, pool)
    await pool.execute("UPDATE staff SET role = 'analyst' WHERE name = 'watcher'")
    await site.sign_in("watcher")
    assert (await site.act(f"{adjustment}/reject", reason="not mine"))[0] == 403
    await site.sign_in("maker")
    assert (await site.act(f"{adjustment}/reject", reason=""))[0] == 400

    assert (await site.act(f"{adjustment}/reject", reason="a slip"))[0] == 303

    assert (await cases.read(case)).status is Status.OPEN
    assert await cases.history(case) == [
        ("run", "opened"),
        ("staff", "proposed"),
        ("staff", "adjustment_rejected"),
    ]
    assert "a slip" in (await site.get("/approvals?state=rejected"))[1]


async def test_a_proposal_whose_wallet_moved_cannot_be_booked_and_says_why(
    site: Site, pool: Pool
) -> None:
    cases, case, adjustment = await proposed(site, pool)
    await cases.deposit("u_1", "1.00")
    await site.sign_in("checker")

    _, page = await site.get(f"/discrepancies/{case}")
    assert "The wallet has moved since, so that it can no longer be booked" in page
    assert f"{adjustment}/approve" not in page
    waiting = words((await site.get("/approvals"))[1])
    assert "No proposal of others can be decided on. 1 below is stale" in waiting
    status, page, _ = await site.act(f"{adjustment}/approve")

    said = words(page)
    assert (status, "it is stale: the wallet moved" in said) == (409, True)
    assert "As proposed 100.00 120.00 +20.00 Now 101.00 120.00 not compared" in said
    assert "Nothing was booked." in said
    assert f'href="/discrepancies/{case}#fix">Look at it as it is now' in page
    assert f'action="/discrepancies/{case}/recheck"' in page
    assert await cases.balance("u_1") == "101.00"


async def test_a_proposal_is_of_the_difference_that_was_seen(site: Site, pool: Pool) -> None:
    cases, case, here = await a_case(pool)
    await site.sign_in("maker")
    _, page = await site.get(here)
    await cases.seen("u_1", "115.00")

    assert '<input type="hidden" name="difference" value="+20.00">' in page
    status, page, _ = await site.act(
        f"{here}/propose", amount="+20.00", reason="by the report", difference="+20.00"
    )

    assert (status, "the difference was 20.00 GBP, now it is 15.00" in page) == (409, True)
    assert (await cases.read(case)).status is Status.OPEN


async def test_what_was_proposed_uncompared_asks_for_a_look_before_anybody_approves(
    site: Site, pool: Pool
) -> None:
    cases, case, here = await a_case(pool)
    await cases.deposit("u_1", "1.00")
    await site.sign_in("maker")
    await site.act(f"{here}/propose", amount="20.00", reason="by the PSP's report")
    adjustment = await pool.fetchval("SELECT adjustment_id FROM adjustments")
    await site.sign_in("checker")

    _, page = await site.get(here)
    assert "have not been compared since: re-check it before you decide" in words(page)
    assert f"/adjustments/{adjustment}/approve" not in page
    assert "moved re-check it first" in words((await site.get("/approvals"))[1])
    status, page, _ = await site.act(f"/adjustments/{adjustment}/approve")
    assert (status, "the proposal waits. Re-check it" in words(page)) == (409, True)
    assert f'href="/discrepancies/{case}#fix">Back to the proposal' in page

    await cases.seen("u_1", "121.00")
    assert f"/adjustments/{adjustment}/approve" in (await site.get(here))[1]
    assert (await site.act(f"/adjustments/{adjustment}/approve"))[0] == 303
    assert await cases.balance("u_1") == "121.00"


async def test_a_closed_one_is_only_spoken_of(site: Site, pool: Pool) -> None:
    cases, case, here = await a_case(pool)
    await site.sign_in("checker")
    await cases.deposit("u_1", "20.00")
    await cases.agrees("u_1")

    _, page = await site.get(here)
    assert f'action="{here}/comment"' in page
    for gone in ("assign", "ignore", "propose"):
        assert f'action="{here}/{gone}"' not in page
    assert (await site.act(f"{here}/comment", text="it came late"))[0] == 303
    status, said, _ = await site.act(f"{here}/assign", assignee="maker")
    assert (status, "this discrepancy is cleared" in said) == (409, True)
    assert (await cases.read(case)).assignee is None
