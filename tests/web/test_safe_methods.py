"""GET and HEAD change nothing: they are sent by link scanners, previews and browsers' guesses."""

from __future__ import annotations

import re
from collections import Counter
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

from aiohttp.test_utils import make_mocked_request

from recon.http.keys import Scope, create_key
from recon.web import create_sign_in_link
from tests.web.test_bets import resting
from tests.web.test_cases import opened
from tests.web.test_settlements import imported

if TYPE_CHECKING:
    from aiohttp.test_utils import TestServer

    from recon.db import Pool
    from tests.web.conftest import Site
    from tests.web.inbox import Inbox
    from tests.web.seeding import Seeded

EACH: Final = 1
"""Addresses that are called of each route."""


async def everything(owner: Pool) -> dict[str, str]:
    """A digest of what stands in each table; of sessions all but when they were last seen."""
    tables = await owner.fetch(
        "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace"
    )
    return {
        name: await owner.fetchval(
            f"SELECT md5(coalesce(string_agg((to_jsonb(t) - 'last_seen_at')::text, ' ' ORDER BY"  # noqa: S608 - the catalogue's own names
            f" to_jsonb(t)::text), '')) FROM {name} AS t"
        )
        for name in (row["relname"] for row in tables)
    }


async def test_no_get_and_no_head_has_an_effect(
    site: Site, server_at: TestServer, pool: Pool, owner: Pool, week: Seeded, inbox: Inbox
) -> None:
    """Whatever pages lead to is called, from where everything starts, by GET and by HEAD."""
    bet_id, _ = await resting(pool)
    case_id, file = await opened(pool, "payment_overdue", "d-1"), await imported(pool)
    await create_key(pool, name="lobby", scopes=[Scope.READ_BET], lifetime=None)
    link = await create_sign_in_link(pool, "maker", timedelta(minutes=5))
    await site.sign_in("root")
    to_see = [
        *("/", "/discrepancies", "/approvals", "/runs", "/wallets?user_id=u_48213", "/webhooks"),
        *("/settlements", "/cases", "/audit", "/settings", f"/sign-in/once/{link}", "/sign-in"),
        *(f"/settlements/{file.file_id}", f"/bets/{bet_id}", f"/runs/{week.runs[-1]}"),
        *(f"/cases/{case_id}/close", f"/deliveries/{inbox.fixable}", f"/deliveries/{inbox.booked}"),
    ]
    called: Counter[str] = Counter()
    before = await everything(owner)

    while to_see:
        address = to_see.pop(0)
        match = await server_at.app.router.resolve(
            make_mocked_request("GET", urlsplit(address).path)
        )
        route = "" if match.route.resource is None else match.route.resource.canonical
        if called[route] >= EACH:
            continue
        called[route] += 1
        async with site.client.get(
            address, headers={"Accept": "text/html"}, allow_redirects=False
        ) as answer:
            status, page = answer.status, (await answer.read()).decode(errors="replace")
        assert status in {200, 303, 404}, address
        async with site.client.head(address, allow_redirects=False) as answer:
            assert answer.status in {status, 405}, address
        links = (unescape(one) for one in re.findall(r'(?:href|hx-get)="([^"]+)"', page))
        ours = (urljoin(address, one).partition("#")[0] for one in links)
        to_see += [one for one in ours if one.startswith("/")]

    after = await everything(owner)
    assert {name for name in before if before[name] != after[name]} == set()
    assert len(called) > 30, called
