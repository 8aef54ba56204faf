"""The inbox's pages: what they say of each delivery, and who may have one decided again."""

from __future__ import annotations

import csv
import io
import re
from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from recon.clock import new_id, now
from recon.web.payloads import show_payload
from recon.webhooks import InboxQuery, browse_inbox
from tests.web.inbox import take
from tests.web.test_pages import words
from tests.webhooks.conftest import ENDPOINTS, STRIPE_OLD, stripe_body, stripe_headers

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site
    from tests.web.inbox import Inbox


async def test_the_list_says_of_each_delivery_what_became_of_it(site: Site, inbox: Inbox) -> None:
    await site.sign_in("watcher")

    status, html = await site.get("/webhooks")

    assert status == 200
    said = words(html)
    assert "payment_intent.succeeded stripe u_48213 1,234.56 GBP pi_1 Booked" in said
    assert "refund.created stripe old key u_48213 34.56 GBP pi_1 Booked" in said
    assert "payment_intent.succeeded stripe u_5 1,502 JPY pi_yen2 Booked" in said
    assert "Quarantined it is of another merchant account than configured" in said
    assert "Waiting 1 Suspended 1 Quarantined 2 Booked 5 Repeated Ignored 1" in said
    assert said.index("deposit.refunded") < said.index("refund.created"), "newest first"
    assert f'href="/deliveries/{inbox.booked}"' in html


async def test_each_delivery_says_how_long_after_its_event_it_arrived(
    site: Site, owner: Pool, inbox: Inbox
) -> None:
    await owner.execute(
        """
        UPDATE deliveries SET event_at = received_at - CASE delivery_id
            WHEN $1 THEN interval '51 hours' WHEN $2 THEN interval '-40 seconds'
            WHEN $3 THEN interval '999 milliseconds' END
        """,
        *(inbox.booked, inbox.refund, inbox.waiting),
    )
    await site.sign_in("watcher")

    said = words((await site.get("/webhooks"))[1])
    file = list(csv.DictReader(io.StringIO((await site.get("/deliveries/export"))[1])))
    one, other = [
        words((await site.get(f"/deliveries/{delivery}"))[1])
        for delivery in (inbox.booked, inbox.refund)
    ]

    assert re.search(r"[\d:]{8} 2 d 3 h payment_intent.succeeded stripe u_48213", said)
    assert "-40 s refund.created" in said
    assert "0 s deposit.refunded" in said
    assert "not said AUTHORISATION" in said
    assert {row["delivery_id"]: row["lag_s"] for row in file if row["event_at"]} == {
        str(inbox.booked): "183600",
        str(inbox.refund): "-40",
        str(inbox.waiting): "1",
    }
    assert "Lag 2 d 3 h after the event Provider" in one
    assert "Lag -40 s after the event: by the clocks of both it came before it happened" in other


@pytest.mark.parametrize(
    ("query", "events"),
    [
        ("state=quarantined", ["deposit.succeeded", "AUTHORISATION"]),
        ("state=unsettled&endpoint=adyen", ["AUTHORISATION", "AUTHORISATION"]),
        ("state=repeated", []),
        ("endpoint=standard", ["deposit.refunded", "deposit.succeeded"]),
        ("endpoint=nowhere", []),
        ("q=u_48213", ["refund.created", "payment_intent.succeeded"]),
        ("q=evt_1", ["payment_intent.succeeded"]),
        ("q=re_1", ["refund.created"]),
        ("q=pi_1", ["refund.created", "payment_intent.succeeded"]),
        ("q=order-1", ["AUTHORISATION"]),
        ("q=PSP_NOBODY&state=booked", []),
        ("q=rf_early", []),
        ("q=u_4821", []),
    ],
)
async def test_a_filter_in_the_address_shows_what_it_says(
    site: Site, inbox: Inbox, query: str, events: list[str]
) -> None:
    await site.sign_in("watcher")

    status, html = await site.get(f"/webhooks?{query}")

    assert status == 200
    named = re.findall(r'<th scope="row"><a [^>]*>([^<]+)</a>', html.replace("<wbr>", ""))
    assert named == events
    assert str(inbox.booked) not in html or "payment_intent.succeeded" in events


async def test_a_delivery_is_found_by_its_own_id(site: Site, inbox: Inbox) -> None:
    await site.sign_in("watcher")

    html = (await site.get(f"/webhooks?q={inbox.waiting}"))[1]

    assert re.findall(r'<th scope="row"><a class="event" href="/deliveries/([^"]+)"', html) == [
        str(inbox.waiting)
    ]


async def test_a_time_in_the_address_bounds_the_list(site: Site, inbox: Inbox) -> None:
    await site.sign_in("watcher")
    today = now().date()
    tomorrow = today + timedelta(days=1)

    for query, shown in (
        (f"since={today - timedelta(days=1)}&until={tomorrow}", True),
        (f"since={tomorrow + timedelta(days=1)}", False),
        (f"until={today - timedelta(days=2)}", False),
        (f"since={(now() - timedelta(minutes=5)).isoformat().replace('+', '%2B')}", True),
    ):
        html = (await site.get(f"/webhooks?{query}"))[1]
        assert (str(inbox.refund) in html) is shown, query


async def test_pages_show_every_delivery_once(site: Site, inbox: Inbox) -> None:
    await site.sign_in("watcher")
    seen: list[str] = []
    path = "/webhooks?limit=3"
    while path:
        html = (await site.get(path))[1]
        seen += re.findall(r'<th scope="row"><a class="event" href="/deliveries/([^"]+)"', html)
        following = re.search(r'href="(/webhooks\?cursor=[^"]+)" rel="next"', html)
        path = f"{following.group(1)}&limit=3" if following else ""

    assert len(seen) == len(set(seen)) == 10
    assert seen == sorted(seen, reverse=True)
    assert seen[0] == str(inbox.waiting)


async def test_a_search_that_looked_at_many_goes_on_with_the_next_page(
    site: Site, inbox: Inbox
) -> None:
    async with site.pool.acquire() as connection:
        found, before, pages = [], None, 0
        while True:
            page = await browse_inbox(
                connection, InboxQuery(endpoint="adyen"), before=before, look_at=3
            )
            pages += 1
            found += [row.delivery_id for row in page.rows]
            before = page.after
            if before is None:
                break

    assert found == [inbox.fixable, inbox.suspended]
    assert pages == 4, "ten deliveries, three looked at each time"


@pytest.mark.parametrize(
    "query", ["state=odd", "since=soon", "until=9999-12-31", "cursor=x", "limit=0", "q=%00"]
)
async def test_an_address_that_makes_no_sense_is_refused(site: Site, query: str) -> None:
    await site.sign_in("watcher")

    assert (await site.get(f"/webhooks?{query}"))[0] == 400


async def test_a_booked_delivery_leads_to_its_wallet_and_posting(site: Site, inbox: Inbox) -> None:
    await site.sign_in("watcher")

    html = (await site.get(f"/deliveries/{inbox.booked}"))[1]

    said = words(html)
    assert (
        "Booked. Its money is in the player&#39;s book. Deposit: 1,234.56 GBP for u_48213." in said
    )
    assert 'href="/wallets/u_48213/GBP?v=1#v1"' in html
    assert "The same content" in said
    assert "Other bytes under the same event id" in said
    assert "Event id reused: the event id came again with other bytes" in said
    assert "&#34;amount_received&#34;: 123456" in html
    row = await site.pool.fetchrow(
        "SELECT body_sha256, headers FROM deliveries WHERE delivery_id = $1", inbox.booked
    )
    assert row["body_sha256"].hex() in html
    assert row["headers"]["Stripe-Signature"] in html
    assert f"/deliveries/{inbox.booked}/replay" not in html


async def test_everything_that_was_said_of_a_payment_stands_in_the_order_of_arrival(
    site: Site, inbox: Inbox
) -> None:
    await site.sign_in("watcher")

    html = (await site.get(f"/deliveries/{inbox.refund}"))[1]

    said = words(html)
    assert said.index("payment_intent.succeeded 1 Jan") < said.index("refund.created 1 Jan")
    assert f'href="/deliveries/{inbox.booked}"' in html
    assert "Verified by key:1:" in said
    assert "an old key" in said


@pytest.mark.parametrize(
    ("fate", "sentence"),
    [
        (
            "suspended",
            "it cannot be given to a player: nobody is named and no payment is registered.",
        ),
        ("waiting", "decided again by itself when that comes: its deposit is not known yet."),
        ("unusable", "nothing is booked of it: NaN is not a JSON number."),
        ("ignored", "Ignored. It moves no money."),
    ],
)
async def test_why_is_said_in_a_sentence(
    site: Site, inbox: Inbox, fate: str, sentence: str
) -> None:
    await site.sign_in("watcher")

    assert sentence in words((await site.get(f"/deliveries/{getattr(inbox, fate)}"))[1])


async def test_a_replay_books_what_its_preview_said_and_is_audited(
    site: Site, inbox: Inbox
) -> None:
    await site.sign_in("maker")
    path = f"/deliveries/{inbox.fixable}"

    said = words((await site.get(f"{path}/replay"))[1])
    assert "It is quarantined and would be booked. " in said
    assert "Deposit PSP_FIX u_7 20.00 GBP" in said
    assert await _available(site) is None, "a preview books nothing"

    for before in ("quarantined", "booked"):
        status, _, headers = await site.post(f"{path}/replay", {"csrf": await site.csrf()})
        assert (status, headers["Location"]) == (303, f"{path}?replayed=1")
        assert (await site.audited())[-1] == (
            "staff:maker",
            "delivery.replayed",
            f"delivery:{inbox.fixable}",
        )
        told = words((await site.get(f"{path}?replayed=1"))[1])
        assert f"{before} → booked" in told
        assert await _available(site) == 2000
    assert "It was booked and stays so: nothing was booked." in told
    assert "Nothing would change. It is booked." in words((await site.get(f"{path}/replay"))[1])


async def test_a_delivery_that_stays_unusable_says_so_before_and_after(
    site: Site, inbox: Inbox
) -> None:
    await site.sign_in("checker")
    path = f"/deliveries/{inbox.unusable}"

    said = words((await site.get(f"{path}/replay"))[1])
    assert "Nothing would change. It would stay quarantined: NaN is not a JSON number." in said
    assert (await site.post(f"{path}/replay", {"csrf": await site.csrf()}))[0] == 303
    assert "It was quarantined and stays so" in words((await site.get(f"{path}?replayed=1"))[1])


async def test_a_redacted_delivery_says_so_and_cannot_be_replayed(site: Site, inbox: Inbox) -> None:
    await site.pool.execute(
        "UPDATE deliveries SET body = NULL WHERE delivery_id = any($1::uuid[])",
        [inbox.ignored, inbox.booked],
    )
    await site.sign_in("maker")

    for one in (inbox.ignored, inbox.booked):
        html = (await site.get(f"/deliveries/{one}"))[1]
        assert "Redacted: payloads are kept for a limited time." in words(html)
        assert f"/deliveries/{one}/replay" not in html
        status, refused = await site.get(f"/deliveries/{one}/replay")
        assert status == 409
        assert "its payload is redacted" in words(refused)
    assert "It cannot be replayed: its payload is redacted." in words(
        (await site.get(f"/deliveries/{inbox.ignored}"))[1]
    )


async def test_a_role_without_the_right_is_told_so_and_changes_nothing(
    site: Site, inbox: Inbox
) -> None:
    await site.sign_in("watcher")
    path = f"/deliveries/{inbox.fixable}"

    html = (await site.get(path))[1]
    assert "Your role, viewer, does not include replaying it." in words(html)
    assert f"{path}/replay" not in html
    for status, refused in (
        await site.get(f"{path}/replay"),
        (await site.post(f"{path}/replay", {"csrf": await site.csrf()}))[:2],
    ):
        assert status == 403
        assert "Your role, viewer, does not include this" in words(refused)
    assert await _available(site) is None


@pytest.mark.parametrize(
    ("fields", "headers"),
    [
        ({}, {}),
        ({"csrf": "guessed"}, {}),
        ({"csrf": "right"}, {"Sec_Fetch_Site": "cross-site"}),
    ],
)
async def test_a_replay_that_another_site_asks_for_is_refused(
    site: Site, inbox: Inbox, fields: dict[str, str], headers: dict[str, str]
) -> None:
    await site.sign_in("maker")
    if fields.get("csrf") == "right":
        fields = {"csrf": await site.csrf()}

    status, _, _ = await site.post(f"/deliveries/{inbox.fixable}/replay", fields, **headers)

    assert status == 403
    assert await _available(site) is None


@pytest.mark.parametrize("path", ["/deliveries/none", "/deliveries/{}", "/deliveries/{}/replay"])
async def test_a_delivery_that_is_not_there_is_404(site: Site, path: str) -> None:
    await site.sign_in("maker")

    assert (await site.get(path.format(new_id())))[0] == 404


async def test_an_old_key_in_use_is_shown_until_it_is_not_and_then_may_go(
    site: Site, inbox: Inbox, owner: Pool
) -> None:
    await site.sign_in("watcher")

    said = words((await site.get("/webhooks"))[1])
    assert "An old key of stripe is still in use, last" in said
    assert "was verified by an old key of adyen, standard: remove them" in said
    await owner.execute(
        "UPDATE deliveries SET received_at = received_at - interval '8 days'"
        " WHERE verified_by LIKE 'key:1:%'"
    )
    html = (await site.get("/webhooks"))[1]
    assert "an old key of stripe, adyen, standard" in words(html)
    assert str(inbox.refund) in html


async def test_a_clock_that_differs_is_told_before_calls_are_refused(site: Site) -> None:
    for number in range(3):
        body = stripe_body("customer.created", {"id": f"cus_{number}"})
        headers = stripe_headers(body, skew_s=-200, secret=STRIPE_OLD)
        await take(site.pool, ENDPOINTS["stripe"], headers, body)
    await site.sign_in("watcher")

    said = words((await site.get("/webhooks"))[1])

    assert re.search(
        r"Our clock is \+20[01] s from the times that stripe signs \(median of 3\)", said
    )


@pytest.mark.parametrize("path", ["/webhooks", "/deliveries/{}", "/deliveries/{}/replay"])
async def test_what_a_stranger_sent_is_text_and_never_markup(
    site: Site, inbox: Inbox, path: str
) -> None:
    await site.sign_in("maker")

    async with site.client.get(path.format(inbox.ignored)) as response:
        html = await response.text()

    assert response.status == 200
    assert "<img" not in html
    assert ("&lt;img src=x onerror=" in html) is path.endswith("/{}")


@pytest.mark.parametrize(
    ("body", "text"),
    [
        (b'{"a":1.00000000000000000001}', '{\n  "a": 1.00000000000000000001\n}'),
        (b'{"a":1,"a":2}', '{\n  "a": 1,\n  "a": 2\n}'),
        (b'{"a":NaN}', '{"a":NaN}'),
        (b"not json \x00\xff", "not json \\x00\\xff"),
        ("\N{RIGHT-TO-LEFT OVERRIDE}gbp".encode(), "\\u202egbp"),
        (b"", ""),
    ],
)
def test_a_body_is_indented_and_nothing_in_it_is_changed_or_hidden(body: bytes, text: str) -> None:
    shown = show_payload(body)

    assert (shown.text, shown.size, shown.is_cut) == (text, len(body), False)


def test_a_body_nested_beyond_reading_is_shown_as_it_came_and_cut() -> None:
    shown = show_payload(b"[" * 200_000)

    assert shown.is_cut
    assert set(shown.text) == {"["}


async def _available(site: Site) -> int | None:
    found = await site.pool.fetchval("SELECT available FROM wallets WHERE user_id = 'u_7'")
    return None if found is None else int(found)
