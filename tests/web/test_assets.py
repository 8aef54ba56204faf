"""Static files: what is vendored is what was locked, and what is sent may be kept for ever."""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from recon.web.assets import Assets
from recon.web.auth.sessions import Session
from recon.web.auth.tokens import derived
from recon.web.roles import Role

if TYPE_CHECKING:
    from tests.web.conftest import Site, Windows
    from tests.web.seeding import Seeded

_STATIC = Path(__file__).parents[2] / "recon" / "web" / "static"
_VENDORED = [_STATIC / "vendor", Path(__file__).parent / "vendor"]


@pytest.mark.parametrize("folder", _VENDORED, ids=["pages", "tests"])
def test_every_vendored_file_is_the_one_that_was_locked(folder: Path) -> None:
    locked = json.loads((folder / "lock.json").read_text(encoding="utf-8"))

    for entry in locked:
        assert hashlib.sha256((folder / entry["file"]).read_bytes()).hexdigest() == entry["sha256"]
        assert (folder / entry["licence_file"]).stat().st_size > 500
        assert re.fullmatch(r"\d+\.\d+\.\d+", entry["version"])
    named = {name for entry in locked for name in (entry["file"], entry["licence_file"])}
    assert {path.name for path in folder.iterdir()} == named | {"lock.json"}


async def test_a_file_is_kept_for_ever_under_a_name_that_changes_with_it(site: Site) -> None:
    url = Assets().url("app.css")

    async with site.client.get(url, headers={"Accept-Encoding": "identity"}) as response:
        body = await response.read()
        assert response.headers["Cache-Control"] == "public, max-age=31536000, immutable"
        assert response.headers["Content-Type"] == "text/css; charset=utf-8"
    assert url == f"/static/{hashlib.sha256(body).hexdigest()[:16]}/app.css"
    for other in ("/static/0000000000000000/app.css", "/static/x/../conftest.py", f"{url}.map"):
        assert (await site.get(other))[0] == 404


async def test_pico_lies_in_a_layer_below_our_own_rules(site: Site) -> None:
    css = (await site.get(Assets().url("app.css")))[1]

    assert css.startswith("@layer pico;\n@layer pico {")
    assert "@import" not in css
    assert css.index("Pico CSS") < css.index("1 Tokens")


@pytest.mark.browser
async def test_a_first_visit_costs_less_than_100_kilobytes_on_the_wire(
    windows: Windows, week: Seeded
) -> None:
    del week
    window = await windows.open()
    wire = await window.page.context.new_cdp_session(window.page)
    kinds: dict[str, tuple[str, str]] = {}
    sizes: dict[str, int] = {}

    def answered(told: dict[str, Any]) -> None:
        answer = told["response"]
        headers = {name.lower(): value for name, value in answer["headers"].items()}
        kinds[told["requestId"]] = (answer["mimeType"], headers.get("content-encoding", "plain"))

    wire.on("Network.responseReceived", answered)
    wire.on(
        "Network.loadingFinished",
        lambda told: sizes.update({told["requestId"]: int(told["encodedDataLength"])}),
    )
    await wire.send("Network.enable")
    await window.sign_in()
    await window.page.wait_for_load_state("networkidle")

    # The sign-in page, the overview, and what they ask for; headers are counted.
    assert {told for told in kinds.values() if told[0] != "image/svg+xml"} == {
        ("text/html", "gzip"),
        ("text/css", "gzip"),
        ("text/javascript", "gzip"),
    }
    assert sizes.keys() >= kinds.keys()
    assert 20_000 < sum(sizes.values()) < 100_000


async def test_a_page_is_packed_for_whoever_takes_it(site: Site) -> None:
    packed = {}
    for takes in ("gzip, deflate, br", "br, GZIP;q=0.5", "gzip;q=0", "identity", "br"):
        async with site.client.get("/sign-in", headers={"Accept-Encoding": takes}) as response:
            assert response.headers["Vary"] == "Accept-Encoding"
            assert "Sign in" in await response.text()
            length = int(response.headers["Content-Length"])
            packed[takes] = (response.headers.get("Content-Encoding"), length < 1_500)
    async with site.client.get(
        "/nowhere", headers={"Accept": "text/html", "Accept-Encoding": "gzip"}
    ) as response:
        problem = response.headers.get("Content-Encoding")

    assert packed == {
        "gzip, deflate, br": ("gzip", True),
        "br, GZIP;q=0.5": ("gzip", True),
        "gzip;q=0": (None, False),
        "identity": (None, False),
        "br": (None, False),
    }
    assert problem == "gzip"


async def test_packed_pages_carry_their_forms_token_under_another_mask_each_time(
    site: Site,
) -> None:
    await site.sign_in("maker")
    secret = derived(site.token(), "csrf")
    pages = [(await site.get("/settings"))[1] for _ in range(4)]
    tokens = [token for page in pages for token in re.findall(r'name="csrf" value="([^"]+)"', page)]

    assert len(tokens) >= 4
    assert len(set(tokens)) == len(tokens)
    assert not any(secret in page for page in pages)
    accepted = [(await site.post("/settings/sessions/end", {"csrf": token}))[0] for token in tokens]
    assert accepted == [303] * len(tokens)
    wrong = (secret, tokens[0][:-8], "", "é", f"{tokens[0][:-4]}AAA=", "=" * 116)
    refused = [(await site.post("/settings/sessions/end", {"csrf": one}))[0] for one in wrong]
    assert refused == [403] * len(wrong)


def test_a_session_that_is_shown_shows_no_token_and_knows_its_own() -> None:
    session, another = (Session("maker", Role.VIEWER, secret) for secret in ("geheim", "anders"))

    assert "geheim" not in repr(session)
    assert session.knows(session.csrf_token)
    assert not another.knows(session.csrf_token)
