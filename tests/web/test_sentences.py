"""The sentence on top of each list: what is the case, and what to do next stands beside it."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from tests.web.deciding import seed_decisions
from tests.web.many import everything
from tests.web.test_pages import words

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site
    from tests.web.inbox import Inbox
    from tests.web.seeding import Seeded


async def says(site: Site, path: str) -> str:
    """The sentence of a page, in words."""
    status, html = await site.get(path)
    found = re.search(r'<p class="says" id="says">.*?</p>', html, re.DOTALL)
    assert status == 200
    return "" if found is None else words(found.group())


async def test_each_list_begins_with_what_is_the_case_and_what_to_do(
    site: Site, pool: Pool, week: Seeded, inbox: Inbox
) -> None:
    await seed_decisions(pool, week)
    await site.sign_in("checker")

    assert await says(site, "/discrepancies") == (
        "9 discrepancies are open; without explanation 15.55 EUR and 1,250.00 USD. "
        "Begin with what nothing explains."
    )
    for query, said in (
        ("cause=unexplained", "Nothing explains 2 of the open discrepancies."),
        ("age=older", "1 has been open for more than 7 days; without explanation 1,250.00 USD."),
        ("status=awaiting_approval", "3 wait for a second person; without"),
        ("assignee=maker", "1 matches this filter."),
        ("currency=GBP", "5 match this filter. Open one to see why, and by which rows."),
    ):
        assert (await says(site, f"/discrepancies?{query}")).startswith(said)
    assert await says(site, "/discrepancies?q=zzz") == ""

    assert await says(site, "/approvals") == (
        "2 proposals of others wait for a decision. 1 below is stale: the wallet or bet has moved, "
        "so that it has to be proposed again. "
        "Open one to see what it would book, then approve or reject it."
    )
    assert "1 is in suspense, 2 are in quarantine" in await says(site, "/webhooks")
    assert "5 cases wait for a person" in await says(site, "/cases")
    assert "9,990 of 10,000 wallets agree, 9 differ" in await says(site, "/runs")
    assert "u_48213 has one wallet" in await says(site, "/wallets?user_id=u_48213")
    assert "The game differs by +20.00 GBP. See why" in await says(site, "/wallets/u_48213/GBP")
    assert "You are checker, an approver:" in await says(site, "/settings")

    stale = words((await site.get(f"/discrepancies/{week.discrepancies['u_33100']}"))[1])
    assert "What was proposed is stale, as the wallet has moved: propose it again" in stale
    waits = words((await site.get(f"/discrepancies/{week.discrepancies['u_20466']}"))[1])
    assert "A fix of -1,250.00 USD is proposed: decide on it." in waits
    audit = words((await site.get("/audit"))[1])
    assert "found state: placing; found reason: bet mismatch" in audit
    assert "none" not in audit, "what has no after has changed nothing"
    assert inbox.booked is not None
    await site.sign_in("maker")
    waits = words((await site.get(f"/discrepancies/{week.discrepancies['u_20466']}"))[1])
    assert "A fix of -1,250.00 USD is proposed: another decides on it." in waits


async def test_every_proposal_is_reached_page_by_page_rulings_first(
    site: Site, owner: Pool
) -> None:
    await everything(owner, 7)
    await site.sign_in("checker")
    seen, path = [], "/approvals?limit=3"
    for _ in range(10):
        html = (await site.get(path))[1]
        found = re.findall(r'<a class="id" href="/(bets|discrepancies)/([^"#]+)', html)
        seen += [one for one in found if one not in seen]
        following = re.search(r'href="([^"]+)" rel="next"', html)
        if following is None:
            break
        path = following.group(1).replace("&amp;", "&") + "&limit=3"
    kinds = [kind for kind, _ in seen]

    assert kinds == ["bets"] * 7 + ["discrepancies"] * 7
    assert (await site.get("/approvals?cursor=bm9uZTpub25l"))[0] == 400
