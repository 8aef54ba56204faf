"""Static files: what is vendored is what was locked, and what is sent may be kept for ever."""

from __future__ import annotations

import gzip
import hashlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from recon.web.assets import Assets

if TYPE_CHECKING:
    from tests.web.conftest import Site

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


async def test_a_first_visit_costs_less_than_100_kilobytes(site: Site) -> None:
    await site.sign_in("watcher")
    html = (await site.get("/"))[1]
    urls = set(re.findall(r'(?:href|src)="(/static/[^"]+)"', html))
    spent = len(gzip.compress(html.encode()))
    for url in urls:
        async with site.client.get(url, headers={"Accept-Encoding": "gzip"}) as response:
            assert response.headers["Content-Encoding"] == "gzip"
            spent += int(response.headers["Content-Length"])

    assert len(urls) == 4
    assert spent < 100_000
