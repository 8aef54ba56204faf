"""What no page of ours sends: every page answers it with a sentence, and none breaks on it."""

from __future__ import annotations

import base64
from itertools import product
from typing import TYPE_CHECKING
from urllib.parse import quote

from aiohttp import ClientPayloadError
from yarl import URL

from recon.clock import new_id
from recon.web.views import all_routes
from tests.reconciliation.cases import Cases
from tests.web.test_bets import resting
from tests.web.test_rights import FORMS, RIGHTS

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site
    from tests.web.inbox import Inbox
    from tests.web.seeding import Seeded

_NOTHING = "0199d8a0-0000-7000-8000-000000000000"
_IDS = (
    _NOTHING,
    "'; DROP TABLE staff; --",
    'a"b<i>',
    "a/b",
    "../../etc/passwd",
    "100%",
    "%2525",
    "\N{MUSICAL SYMBOL G CLEF}\N{RIGHT-TO-LEFT OVERRIDE}",
    "a\0b",
    "x" * 3000,
    " ",
    "-1",
)


def sealed(text: str) -> str:
    return base64.urlsafe_b64encode(text.encode()).decode()


_QUERIES = (
    *(f"cursor={quote(one)}" for one in ("x", "%", "\0", "é", sealed("NaN " + _NOTHING))),
    f"cursor={sealed('1E+99999999 ' + _NOTHING)}",
    f"cursor={sealed('-Infinity ' + _NOTHING)}",
    f"cursor={sealed(_NOTHING)}",
    f"cursor={sealed('9' * 18)}",
    f"cursor={sealed('-1')}",
    "cursor=",
    "limit=0",
    "limit=501",
    "limit=%D9%A1",
    "limit=1&limit=0",
    "currency=GBP&currency=x",
    "currency=%00",
    "user_id=%00&q=%00&actor=%00&kind=%00&endpoint=%00&reference=%00&assignee=%00&action=%00",
    f"q={quote('x' * 3000)}",
    "q=%25_%5C",
    "q=%F0%9D%84%9E",
    "q=%FF%FE&user_id=%FF",
    "since=0001-01-01&until=9999-12-31",
    "since=9999-12-31&until=0001-01-01",
    "since=2026-02-30",
    "since=-1&until=99999-01-01",
    "at=0001-01-01T00:00:00%2B14:00",
    "at=9999-12-31T23:59:59-14:00",
    "at=9999-12-31T23:59:59Z",
    "at=2026-01-31T12:00",
    "at=%00",
    "v=99999999999999999999",
    "v=-1",
    "v=999999999999999999",
    "state=%00",
    "state=x",
    "status=x",
    "age=x&sort=x",
    "sort=--age",
    "totals=all&totals=none",
    "run_id=x",
    "amount=1e9999",
    "amount=NaN",
    f"amount={'9' * 400}",
    "amount=%D9%A1",
    "format=exe",
)


_LISTS = ("cursor", "limit")
_READS = {
    "/": ("currency",),
    "/discrepancies": (
        *("currency", "user_id", "q", "age", "status", "sort", "run_id", "totals", *_LISTS),
    ),
    "/discrepancies/totals": ("currency", "q", "status"),
    "/discrepancies/export": ("currency", "q", "age", "status", "run_id", "format"),
    "/discrepancies/{discrepancy_id}/fix": ("amount",),
    "/wallets": ("user_id",),
    "/wallets/{user_id}/{currency}": ("at", "v", *_LISTS),
    "/wallets/{user_id}/{currency}/compared": _LISTS,
    "/wallets/{user_id}/{currency}/statement": ("at",),
    "/audit": ("user_id", "since", *_LISTS),
    "/audit/export": ("user_id", "since"),
    "/webhooks": ("user_id", "q", "since", "state", *_LISTS),
    "/deliveries/export": ("user_id", "q", "since", "state"),
    "/cases": ("user_id", "state", *_LISTS),
    "/cases/export": ("user_id", "state"),
    "/approvals": ("state", *_LISTS),
    "/approvals/export": ("state",),
    "/runs": _LISTS,
    "/runs/table": _LISTS,
    "/runs/{run_id}": _LISTS,
    "/settlements": ("user_id", "state", *_LISTS),
    "/settlements/export": ("user_id", "state"),
}
"""The parameters by which the odd queries are known that a page reads, more than one maybe."""


async def test_no_address_breaks_a_page(site: Site, week: Seeded, inbox: Inbox) -> None:
    await site.sign_in("root")
    paths = [
        route.path  # type: ignore[attr-defined] # a RouteDef
        for table in all_routes
        for route in table
        if route.method == "GET"  # type: ignore[attr-defined]
    ]
    assert len(paths) > 30
    real = {
        "discrepancy_id": str(week.discrepancies["u_81230"]),
        "run_id": str(week.runs[-1]),
        "delivery_id": str(inbox.booked),
        "user_id": "u_48213",
        "currency": "GBP",
    }
    asked = []
    for path in paths:
        if path.startswith("/sign-in/oidc"):
            continue
        names = [part.partition("}")[0] for part in path.split("{")[1:]]
        asked += [path.format(**dict.fromkeys(names, quote(odd, safe=""))) for odd in _IDS if names]
        if set(names) <= set(real):
            asked += [
                f"{path.format(**real)}?{query}"
                for query in _QUERIES
                if query.partition("=")[0] in _READS.get(path, ("q",))
            ]

    broken = {}
    for address in asked:
        async with site.client.get(
            URL(address, encoded=True), headers={"Accept": "text/html"}, allow_redirects=False
        ) as answer:
            try:
                await answer.read()
            except ClientPayloadError:
                broken[address] = 0
            if answer.status >= 500:
                broken[address] = answer.status

    assert broken == {}


_SAID = ("", " ", "\0", "x" * 5000, "\N{RIGHT-TO-LEFT OVERRIDE}<b>", "-1", "1e999", "\u0661", "%00")
_FIELDS = {
    "assign": "assignee",
    "comment": "text",
    "ignore": "reason until",
    "propose": "amount reason",
    "approve": "reason",
    "reject": "reason",
    "close": "reason",
    "rulings": "outcome payout evidence payout_transaction_id ticket_id reason",
    "bulk": "action assignee until filter matching id reason",
    "runs": "scope",
    "recheck": "",
    "replay": "",
    "staff": "name role",
    "role": "name role",
    "keys": "name scope lifetime",
    "revoke": "key_id",
    **dict.fromkeys(("link", "disable", "enable", "sign-out", "unlink"), "name"),
}
"""What each form says, by the last word of its address."""

_WELL = {
    "reason": "so",
    "text": "so",
    "amount": "1.00",
    "until": "day",
    "evidence": "SUP-1",
    "outcome": "cashed_out",
    "payout": "1.00",
    "payout_transaction_id": "tx",
    "role": "viewer",
    "scope": "read:bet",
    "lifetime": "30d",
    "action": "ignore",
    "matching": "1",
}


async def test_no_form_breaks_a_page_whatever_stands_in_it(
    site: Site, pool: Pool, inbox: Inbox
) -> None:
    bet_id, case_id = await resting(pool)
    case = await Cases(pool).seen("u_1", "20.00")
    real = {
        "discrepancy_id": str(case),
        "delivery_id": str(inbox.unusable),
        "bet_id": str(bet_id),
        "case_id": str(case_id),
        "adjustment_id": _NOTHING,
        "ruling_id": _NOTHING,
    }
    broken = {}
    for who in ("checker", "root"):
        await site.sign_in(who)
        token = await site.csrf()
        for path in (path for path in FORMS if who in RIGHTS["POST", path]):
            if path == "/settings/sessions/end" or (who == "root") != path.startswith("/settings"):
                continue
            names = ["form", *_FIELDS[path.rpartition("/")[2]].split()]
            for name, odd in product(names, _SAID):
                fields = {"csrf": token, "form": str(new_id()), **_WELL, name: odd}
                status, _, _ = await site.post(path.format(**real), fields)
                if status >= 500:
                    broken[path, name, odd[:9]] = status

    assert broken == {}
    assert await pool.fetchval("SELECT count(*) FROM staff WHERE name ~ '[[:cntrl:]]'") == 0
