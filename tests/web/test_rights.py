"""Every address of the pages has a place here: who may, who is refused, and who is told why."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from html import unescape
from typing import TYPE_CHECKING, Final
from urllib.parse import urljoin, urlsplit

import pytest

from recon.clock import new_id
from recon.http import Scope
from recon.http.keys import create_key
from recon.web import Role, add_staff, create_sign_in_link, disable_staff
from recon.web.auth.links import sign_in_by_link
from recon.web.auth.refusals import Refusals
from tests.web.test_bets import resting
from tests.web.test_cases import opened
from tests.web.test_settlements import imported

if TYPE_CHECKING:
    from collections.abc import Iterable

    from aiohttp.test_utils import TestServer

    from recon.db import Pool
    from tests.web.conftest import Site
    from tests.web.inbox import Inbox
    from tests.web.seeding import Seeded

STAFF: Final = {"watcher": "viewer", "maker": "analyst", "checker": "approver", "root": "admin"}

ALL: Final = frozenset(STAFF)
WORK: Final = ALL - {"watcher"}
PROPOSE: Final = frozenset({"maker", "checker"})
APPROVE: Final = frozenset({"checker"})
MANAGE: Final = frozenset({"root"})
ANYBODY: Final = ALL | {"nobody"}

MATRIX: Final = {
    ANYBODY: """
        GET /static/{digest}/{name}
        GET /docs
        GET /sign-in
        POST /sign-in
        GET /sign-in/once/{token}
        POST /sign-in/once/{token}
        GET /sign-in/oidc
        GET /sign-in/oidc/callback
        GET /sign-in/oidc/leave
    """,
    ALL: """
        POST /sign-out
        GET /
        GET /verdict
        GET /discrepancies
        GET /discrepancies/totals
        GET /discrepancies/export
        GET /discrepancies/{discrepancy_id}
        GET /discrepancies/{discrepancy_id}/fix
        GET /approvals
        GET /approvals/export
        GET /runs
        GET /runs/table
        GET /runs/export
        GET /runs/{run_id}
        GET /runs/{run_id}/progress
        GET /runs/{run_id}/export
        GET /wallets
        GET /wallets/{user_id}/{currency}
        GET /wallets/{user_id}/{currency}/compared
        GET /wallets/{user_id}/{currency}/compared/export
        GET /wallets/{user_id}/{currency}/statement
        GET /webhooks
        GET /deliveries/export
        GET /deliveries/{delivery_id}
        GET /cases
        GET /cases/export
        GET /bets/{bet_id}
        GET /settlements
        GET /settlements/export
        GET /settlements/{file_id}
        GET /settlements/{file_id}/export
        GET /settlements/findings/{user_id}/{finding_id}
        GET /settlements/cases/{case_id}
        GET /audit
        GET /audit/export
        GET /settings
        GET /settings/sessions/export
        POST /settings/sessions/end
    """,
    WORK: """
        POST /runs
        POST /discrepancies/bulk
        POST /discrepancies/{discrepancy_id}/recheck
        POST /discrepancies/{discrepancy_id}/assign
        POST /discrepancies/{discrepancy_id}/comment
        POST /discrepancies/{discrepancy_id}/ignore
        GET /deliveries/{delivery_id}/replay
        POST /deliveries/{delivery_id}/replay
        GET /cases/{case_id}/close
        POST /cases/{case_id}/close
    """,
    PROPOSE: """
        POST /discrepancies/{discrepancy_id}/propose
        POST /adjustments/{adjustment_id}/reject
        POST /bets/{bet_id}/rulings
        POST /rulings/{ruling_id}/reject
    """,
    APPROVE: """
        POST /adjustments/{adjustment_id}/approve
        POST /rulings/{ruling_id}/approve
    """,
    MANAGE: """
        GET /settings/staff/export
        GET /settings/keys/export
        POST /settings/staff
        POST /settings/staff/link
        POST /settings/staff/role
        POST /settings/staff/disable
        POST /settings/staff/enable
        POST /settings/staff/sign-out
        POST /settings/staff/unlink
        POST /settings/keys
        POST /settings/keys/revoke
    """,
}

RIGHTS: Final = {
    (method, path): who
    for who, addresses in MATRIX.items()
    for method, path in (line.split() for line in addresses.strip().splitlines())
}
GUARDED: Final = [route for route, who in RIGHTS.items() if "nobody" not in who]
FORMS: Final = [path for method, path in GUARDED if method == "POST" and path != "/sign-out"]


def concrete(path: str) -> str:
    """An address of nothing that is there."""
    names = re.findall(r"{(\w+)}", path)
    return path.format(**{name: "GBP" if name == "currency" else str(new_id()) for name in names})


def test_every_route_has_a_place_in_the_matrix(server_at: TestServer) -> None:
    served = {
        (route.method, route.resource.canonical)
        for route in server_at.app.router.routes()
        if route.resource is not None and route.method != "HEAD"
    }

    assert served == set(RIGHTS)


@pytest.mark.parametrize("who", STAFF)
async def test_a_role_reaches_what_it_may_and_is_told_why_it_does_not_reach_the_rest(
    site: Site, who: str
) -> None:
    await site.sign_in(who)
    wrong = {}
    for method, path in GUARDED:
        if path == "/sign-out":
            continue
        if method == "GET":
            status, page = await site.get(concrete(path))
        else:
            status, page, _ = await site.act(concrete(path))
        refused = status == 403 and f"Your role, {STAFF[who]}, does not include this" in page
        reached = status in {200, 303, 400, 404, 409} and "/sign-in" not in page[:300]
        if not (reached if who in RIGHTS[method, path] else refused):
            wrong[method, path] = status

    assert wrong == {}


async def test_who_is_not_signed_in_reaches_nothing(site: Site) -> None:
    reached = {}
    for method, path in GUARDED:
        async with site.client.request(
            method,
            concrete(path),
            headers={"Accept": "text/html", "Sec-Fetch-Site": "same-origin"},
            allow_redirects=False,
        ) as answer:
            asked = answer.headers.get("Location", "").startswith("/sign-in")
            if not (asked or answer.status == 401):
                reached[method, path] = answer.status

    assert reached == {}


@pytest.mark.parametrize(
    "ending",
    [
        "UPDATE sessions SET revoked_at = clock_timestamp()",
        "UPDATE staff SET disabled_at = clock_timestamp()",
    ],
)
async def test_a_session_that_was_ended_meanwhile_sends_no_form(site: Site, ending: str) -> None:
    await site.sign_in("root")
    token = await site.csrf()
    await site.pool.execute(ending)
    before = await site.pool.fetchval("SELECT count(*) FROM audit")
    for path in FORMS:
        status, _, headers = await site.post(concrete(path), {"csrf": token, "form": str(new_id())})
        asked = headers.get("Location", "").startswith("/sign-in")
        assert asked or status == 401, path

    assert await site.pool.fetchval("SELECT count(*) FROM audit") == before


async def test_each_form_is_taken_from_our_own_pages_and_this_session_alone(site: Site) -> None:
    for who in ("root", "checker"):
        await site.sign_in(who)
        token = await site.csrf()
        for path in (path for path in FORMS if who in RIGHTS["POST", path]):
            for fields, headers, expected in (
                ({"csrf": token}, {"Sec-Fetch-Site": "cross-site"}, "from another site"),
                ({"csrf": token}, {"Sec-Fetch-Site": "same-site"}, "from another site"),
                ({"csrf": token}, {"Origin": "https://evil.example"}, "from another site"),
                ({"csrf": token}, {"Origin": "null"}, "from another site"),
                ({"csrf": token}, {}, "from another site"),
                ({}, {"Sec-Fetch-Site": "same-origin"}, "of an earlier session"),
                ({"csrf": "x"}, {"Sec-Fetch-Site": "same-origin"}, "of an earlier session"),
                (
                    {"csrf": "\N{BLACK HEART SUIT}"},
                    {"Origin": site.origin},
                    "of an earlier session",
                ),
            ):
                async with site.client.post(
                    concrete(path),
                    data=fields,
                    headers={"Accept": "text/html", **headers},
                    allow_redirects=False,
                ) as answer:
                    said = await answer.text()
                assert (answer.status, expected in said) == (403, True), (path, fields, headers)


@dataclass
class Shown:
    """What a page offers: addresses of forms that are sent, and of links."""

    forms: set[str]
    links: set[str]

    @classmethod
    def of(cls, address: str, page: str) -> Shown:
        tags = re.findall(r"<form\b[^>]*>", page)
        forms = {
            unescape(found[1])
            for tag in tags
            if 'method="post"' in tag and (found := re.search(r'\baction="([^"]*)"', tag))
        }
        forms |= {unescape(one) for one in re.findall(r'\bformaction="([^"]*)"', page)}
        links = {unescape(one) for one in re.findall(r'<a\b[^>]*\bhref="([^"]*)"', page)}
        ours = {urljoin(address, link).partition("#")[0] for link in links}
        return cls(forms, {one for one in ours if one.startswith("/")})


async def _looked_at(
    site: Site, addresses: Iterable[str]
) -> dict[str, dict[str, tuple[Shown, str]]]:
    """What each of the staff is shown at each address."""
    seen: dict[str, dict[str, tuple[Shown, str]]] = {}
    for who in STAFF:
        await site.sign_in(who)
        for address in addresses:
            status, page = await site.get(address)
            assert status in {200, 403}, (who, address)
            seen.setdefault(address, {})[who] = Shown.of(address, page), page
    return seen


async def test_a_page_offers_what_whoever_looks_may_do_and_says_why_not_the_rest(
    site: Site, server_at: TestServer, pool: Pool, week: Seeded, inbox: Inbox
) -> None:
    bet_id, _ = await resting(pool)
    case_id, file = await opened(pool, "payment_overdue", "d-1"), await imported(pool)
    await create_key(pool, name="lobby", scopes=[Scope.READ_BET], lifetime=None)
    await add_staff(pool, name="gone", role=Role.VIEWER, password=None, actor="cli")
    await disable_staff(pool, "gone", actor="cli")
    await pool.execute("INSERT INTO staff_identities VALUES ('https://id.example', 's1', 'gone')")
    elsewhere = await create_sign_in_link(pool, "root", timedelta(minutes=5))
    await sign_in_by_link(pool, Refusals(), elsewhere, address="127.0.0.1")
    proposed = week.discrepancies["u_90911"]
    seen = await _looked_at(site, [f"/bets/{bet_id}", f"/discrepancies/{proposed}"])
    await site.sign_in("maker")
    said = {"amount": "15.55", "reason": "by the PSP's report"}
    assert (await site.act(f"/discrepancies/{proposed}/propose", **said))[0] == 303
    ruled = {"outcome": "lost", "reason": "they said so", "evidence": "SUP-1", "ticket_id": "t"}
    assert (await site.act(f"/bets/{bet_id}/rulings", **ruled))[0] == 303
    seen |= await _looked_at(
        site,
        [
            *("/", "/discrepancies", "/approvals", "/runs", "/wallets?user_id=u_48213"),
            *("/webhooks", "/settlements", "/cases", "/audit", "/settings"),
            *(f"/settlements/{file.file_id}", f"/discrepancies/{proposed}?proposed"),
            *(f"/bets/{bet_id}?proposed", f"/runs/{week.runs[-1]}", f"/cases/{case_id}/close"),
            *(f"/deliveries/{one}" for one in (inbox.booked, inbox.suspended, inbox.fixable)),
            f"/deliveries/{inbox.fixable}/replay",
        ],
    )

    patterns = [
        (resource.get_info().get("pattern"), resource.get_info().get("path"), resource.canonical)
        for resource in server_at.app.router.resources()
    ]

    def place(method: str, address: str) -> tuple[str, str]:
        """The route of the matrix that serves an address."""
        path = urlsplit(address).path
        (route,) = {
            (method, canonical)
            for pattern, plain, canonical in patterns
            if (plain == path or (pattern is not None and pattern.fullmatch(path)))
            and (method, canonical) in RIGHTS
            and not (plain is None and path in {one for _, one, _ in patterns})
        }
        return route

    offered_in_vain, untold = [], []
    met = set()
    for address, pages in seen.items():
        offered = {place("POST", one) for shown, _ in pages.values() for one in shown.forms}
        met |= offered
        for who, (shown, page) in pages.items():
            mine = {place("POST", one) for one in shown.forms}
            there = mine | {place("GET", one) for one in shown.links}
            offered_in_vain += [(who, address, one) for one in there if who not in RIGHTS[one]]
            missing = {one for one in offered - mine if who not in RIGHTS[one]}
            told = (
                rf"[Yy]our role, {STAFF[who]}\b|{STAFF[who]}:</strong> this role"
                "|You proposed it: another has to approve it"
            )
            if missing and not re.search(told, page):
                untold.append((who, address, sorted(missing)))

    assert offered_in_vain == []
    assert untold == []
    doors = {("POST", "/sign-in"), ("POST", "/sign-in/once/{token}")}
    assert met == {one for one in RIGHTS if one[0] == "POST"} - doors
