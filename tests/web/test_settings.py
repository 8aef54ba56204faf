"""Settings: who may sign in, callers' keys, and where one is signed in oneself."""

from __future__ import annotations

import re
from base64 import urlsafe_b64decode
from datetime import timedelta
from hashlib import sha256
from typing import TYPE_CHECKING

import pytest
from playwright.async_api import expect

from recon.errors import Unauthentic
from recon.http import Scope
from recon.http.keys import list_keys
from recon.web import create_sign_in_link, list_staff
from recon.web.auth.links import sign_in_by_link
from recon.web.auth.refusals import Refusals

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Site, Windows


async def test_an_administrator_lets_somebody_in_by_a_link_that_works_once(
    site: Site, pool: Pool
) -> None:
    await site.sign_in("root")

    status, page, _ = await site.act("/settings/staff", name="nora", role="approver")

    (token,) = re.findall(r"/sign-in/once/([\w-]+)<", page)
    assert (status, "nora signs in once by this link" in page) == (200, True)
    assert await sign_in_by_link(pool, Refusals(), token, address="127.0.0.1")
    with pytest.raises(Unauthentic):
        await sign_in_by_link(pool, Refusals(), token, address="127.0.0.1")
    assert token not in (await site.get("/settings"))[1]
    assert {one.name: one.role for one in await list_staff(pool)}["nora"] == "approver"
    done = [(actor, action) for actor, action, obj in await site.audited() if obj == "staff:nora"]
    assert done[:2] == [("staff:root", "staff_added"), ("staff:root", "link_created")]
    await site.sign_in("root")
    status, page, _ = await site.act("/settings/staff", name="nora", role="viewer")
    assert (status, "on the staff already" in page) == (409, True)
    assert (await site.act("/settings/staff", name="tom", role="king"))[0] == 400


async def test_a_role_is_changed_at_once_and_nobody_changes_their_own(
    site: Site, pool: Pool
) -> None:
    await site.sign_in("root")

    assert (await site.act("/settings/staff/role", name="maker", role="viewer"))[0] == 303
    assert (await site.act("/settings/staff/role", name="root", role="approver"))[0] == 409
    assert (await site.act("/settings/staff/role", name="nobody", role="viewer"))[0] == 404

    assert {one.name: one.role for one in await list_staff(pool)}["maker"] == "viewer"
    detail = await pool.fetchval("SELECT detail FROM audit WHERE action = 'role_changed'")
    assert detail == {"before": {"role": "analyst"}, "after": {"role": "viewer"}}


async def test_who_is_disabled_is_out_at_once_and_can_be_let_in_again(
    site: Site, pool: Pool
) -> None:
    await site.sign_in("maker")
    await site.sign_in("root")
    assert (await site.act("/settings/staff/disable", name="maker"))[0] == 303
    live = "SELECT count(*) FROM sessions WHERE name = 'maker' AND revoked_at IS NULL"
    assert await pool.fetchval(live) == 0
    assert (await site.act("/settings/staff/link", name="maker"))[0] == 404
    assert (await site.act("/settings/staff/disable", name="root"))[0] == 409

    assert (await site.act("/settings/staff/enable", name="maker"))[0] == 303
    assert (await site.act("/settings/staff/enable", name="maker"))[0] == 404
    assert await site.sign_in("maker") == 303


async def test_somebody_is_signed_out_everywhere_and_may_sign_in_again(
    site: Site, pool: Pool
) -> None:
    token = await create_sign_in_link(pool, "maker", timedelta(minutes=5))
    await sign_in_by_link(pool, Refusals(), token, address="127.0.0.1")
    await site.sign_in("root")
    live = "SELECT count(*) FROM sessions WHERE name = 'maker' AND revoked_at IS NULL"
    assert await pool.fetchval(live) == 1

    assert (await site.act("/settings/staff/sign-out", name="maker"))[0] == 303

    assert await pool.fetchval(live) == 0
    assert ("staff:root", "signed_out_by_another", "staff:maker") in await site.audited()
    status, page, _ = await site.act("/settings/staff/sign-out", name="maker")
    assert (status, "maker is signed in nowhere" in page) == (404, True)
    assert await site.sign_in("maker") == 303


async def test_an_account_of_the_provider_is_unlinked(site: Site, pool: Pool) -> None:
    await pool.execute("INSERT INTO staff_identities VALUES ('https://id.example', 's1', 'maker')")
    await site.sign_in("root")
    assert (await site.get("/settings"))[1].count("/settings/staff/unlink") == 1

    assert (await site.act("/settings/staff/unlink", name="maker"))[0] == 303

    assert await pool.fetchval("SELECT count(*) FROM staff_identities") == 0
    assert ("staff:root", "identity_unlinked", "staff:maker") in await site.audited()
    assert "/settings/staff/unlink" not in (await site.get("/settings"))[1]
    assert (await site.act("/settings/staff/unlink", name="maker"))[0] == 404


async def test_a_key_is_made_shown_once_and_revoked(site: Site, pool: Pool) -> None:
    await site.sign_in("root")

    status, page, _ = await site.act(
        "/settings/keys", name="lobby", scope=Scope.WRITE_BET, lifetime="30d"
    )

    (key,) = re.findall(r'class="secret">(rk_[\w-]+)<', page)
    (made,) = await list_keys(pool)
    secret = key.split("_", 2)[2]
    stored = str(await pool.fetch("SELECT * FROM api_keys"))
    assert len(urlsafe_b64decode(f"{secret}=")) == 32
    assert secret not in stored
    assert str(sha256(key.encode()).digest()) in stored
    assert (status, made.name, made.scopes) == (200, "lobby", ["write:bet"])
    assert made.expires_at is not None
    assert (made.expires_at - made.created_at).days in {29, 30}
    assert key not in (await site.get("/settings"))[1]
    for wrong in (
        {"name": "lobby", "lifetime": "30d"},
        {"name": "a/b", "scope": "read:bet", "lifetime": "30d"},
        {"name": "lobby", "scope": "read:bet", "lifetime": "ages"},
    ):
        assert (await site.act("/settings/keys", **wrong))[0] == 400, wrong
    assert (await site.act("/settings/keys/revoke", key_id=made.key_id))[0] == 303
    assert (await site.act("/settings/keys/revoke", key_id="key_none"))[0] == 404
    (revoked,) = await list_keys(pool)
    assert revoked.revoked_at is not None
    assert [one for one in await site.audited() if one[2] == f"key:{made.key_id}"] == [
        ("staff:root", "key_created", f"key:{made.key_id}"),
        ("staff:root", "key_revoked", f"key:{made.key_id}"),
    ]


@pytest.mark.browser
async def test_a_key_that_is_refused_is_put_right_where_it_was_and_shown_once(
    windows: Windows, pool: Pool
) -> None:
    window = await windows.open()
    page, form = window.page, window.page.locator("form[action='/settings/keys']")
    await window.sign_in("root")
    await window.open("/settings")
    await form.get_by_label("Caller").fill("lobby")
    await form.get_by_role("button", name="Make a key").click()
    await expect(form.get_by_role("alert")).to_contain_text("unknown scopes: none given")
    await expect(form.get_by_label("Caller")).to_have_value("lobby")
    assert "400" in window.faults.pop()
    await form.get_by_label("write:bet").check()

    await form.get_by_role("button", name="Make a key").dblclick()

    await expect(page.locator("code.secret")).to_contain_text("rk_")
    await expect(page.locator("#main")).to_be_focused()
    await page.reload()
    await expect(page.locator("code.secret")).to_have_count(0)
    assert [key.name for key in await list_keys(pool)] == ["lobby"]
    # A refusal in a menu stands where it was asked for.
    await pool.execute("UPDATE staff SET disabled_at = clock_timestamp() WHERE name = 'maker'")
    menu = page.locator('summary[aria-label="Change maker"]')
    await menu.focus()
    await page.keyboard.press("Enter")
    link = page.get_by_role("button", name="New link for maker")
    await link.focus()
    await page.keyboard.press("Enter")
    await expect(page.locator("#staff").get_by_role("alert")).to_contain_text("nobody called maker")
    await page.keyboard.press("Escape")
    await expect(link).to_be_hidden()
    await expect(menu).to_be_focused()
    assert "404" in window.faults.pop()
    assert window.faults == []


@pytest.mark.browser
async def test_one_signs_out_everywhere_else(windows: Windows) -> None:
    here, there = await windows.open(), await windows.open()
    await here.sign_in("maker")
    await there.sign_in("maker")
    await here.open("/settings")
    await expect(here.page.locator("#sessions tbody tr")).to_have_count(2)

    await here.page.get_by_role("button", name="Sign out everywhere else").click()

    await expect(here.page.locator("#sessions tbody tr")).to_have_count(1)
    await there.open("/settings")
    await expect(there.page).to_have_url(re.compile("/sign-in"))
    assert (here.faults, there.faults) == ([], [])
