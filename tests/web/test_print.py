"""On paper: no way to go and nothing to press, every id whole, one thought on one sheet."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest

from tests.web.deciding import seed_decisions

if TYPE_CHECKING:
    from recon.db import Pool
    from tests.web.conftest import Window, Windows
    from tests.web.seeding import Seeded

pytestmark = pytest.mark.browser

_LOOK = """() => {
  const seen = (element) => element.checkVisibility({ contentVisibilityAuto: true });
  const all = (selector) => [...document.querySelectorAll(selector)].filter(seen);
  return {
    controls: all("nav a, button, input, select, textarea, [role=button]").map((one) => one.id),
    cut: all("code, .id, .timeline .muted, .scroll, td, th").filter(
      (one) => getComputedStyle(one).overflowX !== "visible"
    ).map((one) => one.outerHTML),
    heads: all("thead th").length - [...document.querySelectorAll("thead th")].length,
    broken: all("#timeline-title, #equation-title").filter(
      (one) => getComputedStyle(one.closest(".panel")).breakInside !== "avoid"
    ).length,
    dark: getComputedStyle(document.body).backgroundColor !== "rgb(255, 255, 255)",
    text: document.body.innerText,
  };
}"""


async def printed(window: Window, path: str) -> tuple[dict[str, Any], list[tuple[int, int]]]:
    """What a page shows on paper, and the sheets that it takes: width and height in points."""
    await window.page.emulate_media(media="print", color_scheme="dark")
    assert await window.open(path) == 200
    look: dict[str, Any] = await window.page.evaluate(_LOOK)
    pdf = await window.page.pdf(prefer_css_page_size=True)
    sheets = re.findall(rb"/MediaBox\s*\[0 0 ([\d.]+) ([\d.]+)\]", pdf)
    return look, [(round(float(wide)), round(float(high))) for wide, high in sheets]


async def test_what_is_printed_is_whole_and_has_nothing_to_press(
    windows: Windows, pool: Pool, week: Seeded
) -> None:
    bet_id = await seed_decisions(pool, week)
    window = await windows.open(color_scheme="dark")
    await window.sign_in("checker")
    upright, lying = (595, 842), (842, 595)
    discrepancy = f"/discrepancies/{week.discrepancies['u_81230']}"
    for path, sheets, said in (
        (discrepancy, [upright] * 3, str(week.discrepancies["u_81230"])),
        ("/discrepancies", [lying], "u_20466"),
        ("/wallets/u_48213/GBP", [lying], ":payout"),
        ("/approvals", [lying], "booked twice by hand on 12 November, ticket FIN-881"),
        (f"/runs/{week.runs[-1]}", [upright], str(week.runs[-1])),
        (f"/bets/{bet_id}", [upright], str(bet_id)),
    ):
        look, found = await printed(window, path)
        assert (path, look["controls"]) == (path, [])
        assert (path, look["cut"]) == (path, [])
        assert (path, look["heads"], look["broken"], look["dark"]) == (path, 0, 0, False)
        assert (path, found) == (path, sheets)
        assert said in look["text"]
        assert f"recon, sandbox · {path} · as it stood " in look["text"]

    look, _ = await printed(window, discrepancy)
    target = "getComputedStyle(document.querySelector('#part-2 .line a'), '::after').content"
    assert await window.page.evaluate(target) == '" /wallets/u_81230/GBP?v=6#v6"'
    assert "41 postings since version 3" in look["text"], "what is folded away is unfolded"
    assert window.faults == []
