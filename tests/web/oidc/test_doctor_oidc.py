"""`recon doctor` asks the sign-in provider, and says what is wrong with it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

from click.testing import CliRunner

from recon.cli import recon

if TYPE_CHECKING:
    from tests.web.oidc.house import House


async def sign_in_of(database_url: str, **settings: str) -> dict[str, object]:
    """What it has to say of sign-in."""
    env = {"RECON_DATABASE_URL": database_url, "NO_COLOR": "1"} | settings
    runner = CliRunner(env=env)
    result = await asyncio.to_thread(runner.invoke, recon, ["doctor", "--json"])
    (said,) = (f for f in json.loads(result.stdout)["findings"] if f["check"] == "sign-in")
    return {"ok": said["ok"], "detail": said["detail"]}


async def test_it_says_by_which_ways_staff_come_in(database_url: str, house: House) -> None:
    settings = {
        "RECON_OIDC__ISSUER": house.issuer,
        "RECON_OIDC__CLIENT_ID": "recon",
        "RECON_PUBLIC_URL": "https://recon.example/",
    }

    assert await sign_in_of(database_url) == {
        "ok": True,
        "detail": "by password; no OIDC provider is set up",
    }
    assert await sign_in_of(database_url, **settings, RECON_PASSWORD_SIGN_IN="off") == {
        "ok": True,
        "detail": f"by OIDC; {house.issuer} answers, signing keys: 1; it must know our callback,"
        " https://recon.example/sign-in/oidc/callback",
    }
    house.metadata = {"code_challenge_methods_supported": ["plain"]}
    assert await sign_in_of(database_url, **settings) == {
        "ok": False,
        "detail": f"{house.issuer}: it does not know PKCE with S256",
    }
