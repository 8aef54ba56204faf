"""Pictures of the pages; kept under docs/screenshots when RECON_SCREENSHOTS names that folder."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import pytest

if TYPE_CHECKING:
    from tests.web.conftest import Windows
    from tests.web.seeding import Seeded

pytestmark = pytest.mark.browser


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1280, 390])
async def test_every_page_fits_its_window(
    windows: Windows, week: Seeded, tmp_path: Path, scheme: Literal["light", "dark"], width: int
) -> None:
    folder = Path(os.environ.get("RECON_SCREENSHOTS", tmp_path))
    window = await windows.open(width=width, color_scheme=scheme)
    pages = {
        "overview": "/",
        "discrepancies": "/discrepancies",
        "discrepancy": f"/discrepancies/{week.discrepancies['u_81230']}",
        "unexplained": f"/discrepancies/{week.discrepancies['u_90911']}",
        "nothing": "/discrepancies?q=zzz",
        "runs": "/runs",
        "wallet": "/wallets/u_48213/GBP",
    }
    await window.open("/sign-in")
    await window.page.screenshot(path=folder / f"sign-in-{scheme}-{width}.png")
    await window.sign_in()
    for name, path in pages.items():
        assert await window.open(path) == 200
        await window.page.screenshot(path=folder / f"{name}-{scheme}-{width}.png", full_page=True)
        wide = await window.page.evaluate("document.documentElement.scrollWidth")
        assert wide <= width, f"{name} is {wide} wide"

    assert window.faults == []
