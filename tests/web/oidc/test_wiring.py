"""The settings reach the door."""

from __future__ import annotations

from pydantic import SecretStr

from recon.app import build_app
from recon.settings import load_settings
from recon.web import Role
from recon.web.auth.doors import DOORS


async def test_the_service_offers_what_the_settings_say() -> None:
    oidc = {
        "issuer": "https://login.example",
        "client_id": "recon",
        "client_secret": SecretStr("hunter2"),
        "label": "Acme",
        "roles": {"pay": "approver"},
    }
    settings = load_settings(oidc=oidc, public_url="https://recon.example/", password_sign_in=False)

    doors = build_app(settings, "postgresql://nobody@127.0.0.1/none", jobs=False)[DOORS]

    assert (doors.passwords, doors.provider is not None) == (False, True)
    assert doors.provider is not None
    client = doors.provider.client
    assert client.redirect_uri == "https://recon.example/sign-in/oidc/callback"
    assert (client.client_secret, client.roles) == ("hunter2", {"pay": Role.APPROVER})
    assert "hunter2" not in repr(client)
