"""A form that comes twice, too late, or from who was signed out meanwhile."""

from __future__ import annotations

import re
from html import unescape
from typing import TYPE_CHECKING

import pytest

from recon.clock import new_id
from recon.http.keys import list_keys
from tests.web.test_review import a_case

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site

_REASON = "by the PSP's report <b>of March</b>"


async def test_a_form_that_makes_a_key_makes_one(site: Site, pool: Pool) -> None:
    await site.sign_in("root")
    form = re.search(r'name="form" value="([^"]+)"', (await site.get("/settings"))[1])
    assert form is not None
    said = {"name": "lobby", "scope": "write:bet", "lifetime": "30d", "form": form[1]}

    first, again = [await site.act("/settings/keys", **said) for _ in range(2)]
    other = await site.act("/settings/keys", **said | {"form": str(new_id())})

    (key_id, _) = [key.key_id for key in reversed(await list_keys(pool))]
    assert [status for status, *_ in (first, again, other)] == [200, 409, 200]
    assert f"has made {key_id}, whose secret was shown then" in again[1]
    assert "rk_" not in again[1]


@pytest.mark.parametrize("scope", ["", "changed", "all"])
async def test_a_button_pressed_twice_starts_one_run(site: Site, pool: Pool, scope: str) -> None:
    await site.sign_in("maker")

    answers = [await site.act("/runs", scope=scope) for _ in range(2)]

    assert answers[0][2]["Location"] == answers[1][2]["Location"]
    assert await pool.fetchval("SELECT count(*) FROM runs") == 1
    await site.sign_in("checker")
    await site.act("/runs", scope=scope)
    assert await pool.fetchval("SELECT count(*) FROM runs") == 2


async def test_who_was_signed_out_meanwhile_keeps_what_they_typed_and_the_way_back(
    site: Site, pool: Pool
) -> None:
    _, _, here = await a_case(pool)
    await site.sign_in("maker")
    token = await site.csrf()
    await pool.execute("UPDATE sessions SET revoked_at = clock_timestamp()")
    fields = {"csrf": token, "form": str(new_id()), "amount": "20.00", "reason": _REASON}

    status, page, _ = await site.post(f"{here}/propose", fields, Referer=f"{site.origin}{here}?a=1")

    assert status == 401
    assert "You were signed out before this was sent." in page
    assert f'href="/sign-in?next={here}?a%3D1"' in page
    assert _REASON in unescape(page)
    assert "<b>" not in page
    assert token not in page
    status, page, _ = await site.post(
        f"{here}/propose", fields, Sec_Fetch_Site="cross-site", Referer="https://evil.example/"
    )
    assert (status, "of March" in page) == (403, False)


async def test_what_was_typed_stands_on_the_page_that_refuses_it(site: Site, pool: Pool) -> None:
    _, _, here = await a_case(pool)
    await site.sign_in("maker")

    status, page, _ = await site.act(f"{here}/propose", amount="much", reason=_REASON)

    assert status == 400
    assert _REASON in unescape(page)
    assert re.search(r"<textarea[^>]* readonly>much</textarea>", page)


async def test_our_script_may_send_a_form_again_for_whoever_is_signed_in_by_now(
    site: Site, pool: Pool
) -> None:
    _, _, here = await a_case(pool)
    await site.sign_in("maker")
    former = await site.csrf()
    await site.sign_in("checker")
    fields = {"csrf": former, "form": str(new_id()), "text": "hello"}

    plain = await site.post(f"{here}/comment", fields)
    assert (plain[0], "X-CSRF-Token" in plain[2]) == (403, False)
    status, page, headers = await site.post(f"{here}/comment", fields, X_Stay="yes")
    assert (status, "as checker" in page) == (403, True)
    elsewhere = await site.post(
        f"{here}/comment", fields, X_Stay="yes", Sec_Fetch_Site="cross-site"
    )
    assert (elsewhere[0], "X-CSRF-Token" in elsewhere[2]) == (403, False)
    fields["csrf"] = headers["X-CSRF-Token"]

    assert (await site.post(f"{here}/comment", fields, X_Stay="yes"))[0] == 204


async def test_a_part_of_a_page_leads_whoever_is_signed_out_back_to_all_of_it(site: Site) -> None:
    for current, wanted in (
        (f"{site.origin}/runs?cursor=x", "/sign-in?next=/runs?cursor%3Dx"),
        ("https://evil.example/runs", "/sign-in"),
        ("http://[", "/sign-in"),
    ):
        async with site.client.get(
            "/runs/table",
            headers={"Accept": "text/html", "HX-Request": "true", "HX-Current-URL": current},
        ) as answer:
            assert (answer.status, answer.headers["HX-Redirect"]) == (401, wanted)
