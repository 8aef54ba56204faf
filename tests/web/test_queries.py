"""What a page asks of the database: as much for fifty rows as for five."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import asyncpg

from tests.web.many import everything
from tests.web.test_settlements import imported

if TYPE_CHECKING:
    import pytest

    from recon.db import Pool
    from tests.web.conftest import Site


def counted(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The list into which every statement goes from now on."""
    said: list[str] = []
    for name in ("execute", "executemany", "fetch", "fetchrow", "fetchval"):
        plain = getattr(asyncpg.Connection, name)

        def noting(self: Any, query: str, *values: Any, _plain: Any = plain, **more: Any) -> Any:  # noqa: ANN401 - asyncpg's own
            said.append(query)
            return _plain(self, query, *values, **more)

        monkeypatch.setattr(asyncpg.Connection, name, noting)
    return said


async def test_a_page_of_fifty_rows_asks_no_more_than_one_of_five(
    site: Site, pool: Pool, owner: Pool, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = await imported(pool)
    await everything(owner, 60)
    await site.sign_in("maker")
    said = counted(monkeypatch)
    asked: dict[str, tuple[int, int]] = {}

    await site.get("/")
    said.clear()
    await site.get("/")
    assert len(said) <= 24, "the overview, with sixty of everything"
    for path in (
        "/discrepancies?",
        "/discrepancies?status=all&sort=-size&",
        "/approvals?",
        "/runs?",
        "/runs/table?",
        "/wallets/u_1/GBP?",
        "/webhooks?",
        "/settlements?",
        f"/settlements/{file.file_id}?",
        "/cases?",
        "/audit?",
    ):
        counts = []
        for limit in (5, 50):
            # What is asked once in a minute, such as when the session was seen, is asked before.
            await site.get(f"{path}limit={limit}")
            said.clear()
            status, html = await site.get(f"{path}limit={limit}")
            assert status == 200
            if path != "/settlements?":  # there is one file
                rows = len(re.findall(r'<th scope="row"|<tr id="[av]', html))
                assert rows >= limit, path
            counts.append(len(said))
        few, many = counts
        asked[path] = (few, many)

    assert {path: few for path, (few, _) in asked.items()} == {
        path: many for path, (_, many) in asked.items()
    }
    assert max(many for _, many in asked.values()) <= 14
