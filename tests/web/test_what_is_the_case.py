"""One discrepancy's page where more than one thing is the case: each is said, none contradicts."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from recon.payments import Direction, ExpectedPayment
from recon.reconciliation import Cause
from recon.webhooks import register_payment
from tests.reconciliation.cases import Cases
from tests.web.many import everything
from tests.web.test_pages import words

if TYPE_CHECKING:
    from uuid import UUID

    from recon.db import Pool
    from tests.web.conftest import Site, Windows
    from tests.web.seeding import Seeded

_BOTH = [("dep-1", "25.00", Cause.MISSING_WEBHOOK), ("pay-1", "11.50", Cause.DUPLICATE)]


async def said_of(site: Site, discrepancy_id: UUID) -> tuple[str, str]:
    """The sentence and the steps on top of the page, in words; and all of the page."""
    status, page = await site.get(f"/discrepancies/{discrepancy_id}")
    found = re.search(r'<section class="verdict.*?</section>', page, re.DOTALL)
    assert status == 200
    assert found is not None
    return unescape(words(found.group())), unescape(words(page))


async def test_two_causes_are_both_said_each_with_what_to_do_and_what_to_be_careful_of(
    site: Site, pool: Pool
) -> None:
    case = await Cases(pool).seen("u_1", "36.50", evidence=_BOTH)
    await site.sign_in("maker")

    said, page = await said_of(site, case)

    assert "The game has a deposit that is registered here, and the PSP never reported it." in said
    assert "One payment was counted twice." in said
    assert "2 facts together make exactly this difference." in said
    assert "Missing webhook: Ask the PSP to send the event again." in said
    assert "Duplicate: Find which side counted it twice" in said
    assert "Missing webhook: The PSP's own event is better" in page
    assert "Duplicate: An adjustment is for when the ledger has it twice." in page


async def test_no_adjustment_is_suggested_for_what_the_ledger_is_right_about(
    site: Site, pool: Pool, week: Seeded
) -> None:
    all_of_it, part_of_it = week.discrepancies["u_55008"], week.discrepancies["u_81230"]
    owed = await Cases(pool).seen("u_1", "5.00", evidence=[("p", "5.00", Cause.MISSING_WEBHOOK)])
    await site.sign_in("maker")

    _, none = await said_of(site, all_of_it)
    _, part = await said_of(site, part_of_it)
    _, whole = await said_of(site, owed)
    forms = [
        re.search(r'<input id="amount" name="amount" value="([^"]*)"', (await site.get(path))[1])
        for path in (f"/discrepancies/{case}" for case in (all_of_it, part_of_it, owed))
    ]

    assert [form and form[1] for form in forms] == ["", "+25.00", "+5.00"]
    assert "The ledger has it once: there is nothing to put right here." in none
    assert "The ledger is right, by all that is known: nothing is suggested here." in none
    assert "Nothing to fix here The ledger has it once" in none
    assert "Propose an adjustment all the same" in none
    assert "Of the difference the ledger is right about +11.50 GBP: what is suggested is" in part
    assert "A re-check would find +11.50 still" in part
    for page in (part, whole):
        assert "all the same" not in page


async def test_a_rest_without_explanation_stands_beside_what_is_known_and_denies_none_of_it(
    site: Site, pool: Pool, owner: Pool
) -> None:
    case = await Cases(pool).seen("u_1", "25.00", evidence=[_BOTH[0]])
    # As where both sides have told of a payment that is not all of it.
    await owner.execute(
        "UPDATE discrepancies SET game_available = 6000, difference = 6000,"
        " available_difference = 6000, unexplained = 3500, cause = 'unexplained'"
    )
    await site.sign_in("maker")

    said, _ = await said_of(site, case)

    assert "That makes +25.00 GBP; for +35.00 GBP nothing accounts." in said
    assert "Nothing that we know of accounts for it" not in said
    assert "make exactly this difference" not in said
    assert "Missing webhook: Ask the PSP" in said
    assert "The rest stays: Go through the timeline" in said


async def test_money_held_for_bets_is_said_to_be_and_no_adjustment_of_the_rest_is_put_forward(
    site: Site, pool: Pool, owner: Pool
) -> None:
    cases = Cases(pool)
    await cases.deposit("u_1", "100.00")
    case = await cases.seen("u_1", "100.00", held="10.00")
    # A withdrawal is on its way, which the game still shows: the available money agrees.
    await owner.execute("UPDATE discrepancies SET ledger_reserved = 650, game_available = 10650")
    await site.sign_in("maker")

    said, page = await said_of(site, case)
    listed = words((await site.get("/discrepancies"))[1])

    assert "10.00 GBP more held for bets than the ledger" in said
    assert "Withdrawals on their way +6.50 still there -6.50" in page
    assert "What is held for bets is put right by their outcome" in page
    assert 'name="amount" value=""' in (await site.get(f"/discrepancies/{case}"))[1]
    assert "100.00 106.50 +10.00 held for bets" in listed


async def test_where_as_much_is_held_as_is_available_it_is_the_available_that_is_spoken_of(
    site: Site, pool: Pool, owner: Pool
) -> None:
    cases = Cases(pool)
    await cases.deposit("u_1", "100.00")
    case = await cases.seen("u_1", "110.00", held="10.00")
    # With a withdrawal on its way the three figures tell nobody which of the two is meant.
    await owner.execute("UPDATE discrepancies SET ledger_reserved = 650, game_available = 11650")
    await site.sign_in("maker")

    said, page = await said_of(site, case)
    listed = words((await site.get("/discrepancies"))[1])
    _, rows = await site.get("/discrepancies/export?format=csv")

    assert "10.00 GBP more than the ledger" in said
    assert "held for bets" not in said
    assert "Withdrawals on their way +6.50 still there -6.50" in page
    assert 'name="amount" value="+10.00"' in (await site.get(f"/discrepancies/{case}"))[1]
    assert "100.00 116.50 6.50 on its way +10.00" in listed
    assert ",GBP,100.00,116.50,10.00,6.50," in rows


async def test_the_list_says_why_two_balances_are_further_apart_than_their_difference(
    site: Site, pool: Pool, owner: Pool
) -> None:
    await Cases(pool).deposit("u_1", "100.00")
    await Cases(pool).seen("u_1", "120.00")
    await owner.execute("UPDATE discrepancies SET ledger_reserved = 650, game_available = 12650")
    await site.sign_in("watcher")

    listed = words((await site.get("/discrepancies"))[1])

    assert "100.00 126.50 6.50 on its way +20.00" in listed


async def test_in_the_timeline_only_postings_move_money_and_all_else_leads_to_its_page(
    site: Site, pool: Pool, owner: Pool
) -> None:
    await everything(owner, 1)
    await register_payment(
        pool, ExpectedPayment("out-1", "stripe", Direction.WITHDRAWAL, "u_1", "0.40", "GBP")
    )
    case = await Cases(pool).seen(
        "u_1", "9.00", evidence=[("nowhere-1", "8.40", Cause.MISSING_WEBHOOK)]
    )
    bet_id = await pool.fetchval("SELECT bet_id FROM bets")
    await site.sign_in("watcher")

    _, page = await site.get(f"/discrepancies/{case}")
    found = re.search(r'<ol class="timeline">(.*?)</ol>', page, re.DOTALL)
    assert found is not None
    told = [words(one) for one in found[1].split("</li>")]

    for what, amount in (
        ("Deposit succeeded", "+1.00 1.00"),
        ("Withdrawal out-1", "registered payment 0.40"),
        ("Payment nowhere-1", "payment 8.40"),
    ):
        (one,) = [line for line in told if what in line]
        assert one.endswith(amount), one
    assert all("posting" in line for line in told if re.search(r" [+-]\d", line))
    assert f'<a href="/bets/{bet_id}">Bet ' in found[1]
    assert '<a href="/webhooks?q=out-1">Withdrawal out-1 registered at stripe</a>' in found[1]


async def test_what_was_compared_before_the_wallet_moved_says_of_when_it_is(
    site: Site, pool: Pool
) -> None:
    cases = Cases(pool)
    case = await cases.seen("u_1", "20.00")
    await site.sign_in("maker")
    before, _ = await said_of(site, case)
    await cases.deposit("u_1", "7.00")

    after, page = await said_of(site, case)
    await site.sign_in("watcher")
    watched, _ = await said_of(site, case)

    assert "has moved since" not in before
    assert "The wallet has moved since ledger and game were compared" in after
    assert "Re-check it before you decide." in after
    assert "The next run looks again." in watched
    assert "Balances GBP, as compared " in page


async def test_a_player_whom_the_game_does_not_know_is_asked_about_there(
    site: Site, pool: Pool, owner: Pool
) -> None:
    await Cases(pool).deposit("u_1", "9.00")
    case = await Cases(pool).seen("u_1", "0.00")
    await owner.execute("UPDATE discrepancies SET game_as_of = NULL")
    await site.sign_in("maker")

    said, _ = await said_of(site, case)

    assert "The game knows no such player, which counts as 9.00 GBP less" in said
    assert "Ask the operator of the game whether they know this player" in said


@pytest.mark.browser
async def test_eighteen_decimals_and_ids_of_any_length_stay_on_a_narrow_page(
    windows: Windows, pool: Pool
) -> None:
    cases = Cases(pool)
    await cases.deposit("u_1", "1.000000000000000001", "ETH")
    case = await cases.seen(
        "u_1",
        "123456789.123456789012345678",
        currency="ETH",
        evidence=[("d" * 80, "123456788.123456789012345677", Cause.MISSING_WEBHOOK)],
    )
    window = await windows.open(width=390)
    await window.sign_in()
    await window.open(f"/discrepancies/{case}")

    wide, cut = await window.page.evaluate(
        """() => [
          document.documentElement.scrollWidth,
          [...document.querySelectorAll(".term, .evidence li, .timeline .num")].filter(
            (one) => one.scrollWidth > one.clientWidth + 1).length,
        ]"""
    )
    assert (wide, cut) == (390, 0)
    assert window.faults == []


async def test_a_row_of_a_currency_that_is_known_no_more_takes_no_page_with_it(
    site: Site, pool: Pool, owner: Pool
) -> None:
    case = await Cases(pool).seen("u_1", "20.00")
    await owner.execute("INSERT INTO currencies (code, exponent) VALUES ('XQQ', 4)")
    await owner.execute("UPDATE discrepancies SET currency = 'XQQ', exponent = 4")
    await site.sign_in("maker")

    for path in ("/", "/discrepancies", f"/discrepancies/{case}", f"/discrepancies/{case}/fix"):
        status, page = await site.get(path)
        assert (status, "2,000 minor units" in page) == (200, True), path


async def test_a_discrepancy_is_given_to_nobody_who_cannot_work_on_it(
    site: Site, pool: Pool
) -> None:
    case = await Cases(pool).seen("u_1", "20.00")
    await site.sign_in("maker")

    _, page = await site.get(f"/discrepancies/{case}")
    offered = re.findall(r'<option value="(\w*)"', page.partition('id="assignee"')[2])[:4]
    status, refusal, _ = await site.act(f"/discrepancies/{case}/assign", assignee="watcher")

    assert offered == ["", "checker", "maker", "root"]
    assert (status, "who works on these is called watcher" in refusal) == (400, True)
    assert (await Cases(pool).read(case)).assignee is None
