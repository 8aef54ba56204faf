"""The pages with a sign-in provider beside them."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import pytest
from aiohttp import ClientSession, DummyCookieJar
from aiohttp.test_utils import TestServer
from yarl import URL

from recon.web import Client, Doors, Provider
from tests.web.oidc.house import CLIENT_ID, CLIENT_SECRET, House

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.web.conftest import Site


@dataclass
class Clock:
    """Seconds that pass when a test says so."""

    at: float = 1000.0

    def __call__(self) -> float:
        return self.at


@pytest.fixture
async def house() -> AsyncIterator[House]:
    """A provider on loopback."""
    standing = House()
    server = TestServer(standing.app(), host="127.0.0.1")
    async with server:
        standing.origin = str(server.make_url("/")).rstrip("/")
        yield standing


@pytest.fixture
def clock() -> Clock:
    """The provider's clock, as the service reads it."""
    return Clock()


@pytest.fixture
def provider(house: House, clock: Clock) -> Provider:
    """The service's side; where its callback is follows from where the pages are."""
    client = Client(
        issuer=house.issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uri="",
        label="Acme",
    )
    return Provider(client, clock=clock)


@pytest.fixture
def doors(provider: Provider) -> Doors:
    """Both ways in."""
    return Doors(provider=provider)


@dataclass
class Desk:
    """A person's browser, the pages and the provider."""

    site: Site
    house: House
    provider: Provider
    clock: Clock
    http: ClientSession = field(repr=False)

    def set_up(self, **client: object) -> None:
        """Be another client to the provider."""
        self.provider.client = replace(self.provider.client, **client)  # type: ignore[arg-type] # its fields

    async def go(self, wanted: str = "/") -> str:
        """Click the button; the address of the provider's page."""
        path = str(URL("/sign-in/oidc").with_query(next=wanted))
        async with self.site.client.get(path, allow_redirects=False) as response:
            assert response.status == 303, await response.text()
            return response.headers["Location"]

    async def agree(self, address: str) -> str:
        """Say to the provider who one is; the path and query with which it sends one back."""
        async with self.http.post(URL(address, encoded=True), allow_redirects=False) as response:
            assert response.status == 302, await response.text()
            back = response.headers["Location"]
        assert back.startswith(f"{self.site.origin}/sign-in/oidc/callback?")
        return back.removeprefix(self.site.origin)

    async def sign_in(self, wanted: str = "/") -> tuple[int, str]:
        """All of it: the status of the callback, and its page."""
        return await self.site.get(await self.agree(await self.go(wanted)))

    async def reasons(self) -> list[str]:
        """Why sign-ins failed, as the audit has it."""
        rows = await self.site.pool.fetch(
            "SELECT detail ->> 'reason' AS reason FROM audit"
            " WHERE action = 'sign_in_failed' ORDER BY audit_id"
        )
        return [row["reason"] for row in rows]

    async def sessions(self) -> int:
        """How many there ever were."""
        count: int = await self.site.pool.fetchval("SELECT count(*) FROM sessions")
        return count


@pytest.fixture
async def desk(site: Site, house: House, provider: Provider, clock: Clock) -> AsyncIterator[Desk]:
    """Somebody in front of the sign-in page."""
    callback = f"{site.origin}/sign-in/oidc/callback"
    house.client.redirect_uris.append(callback)
    async with ClientSession(cookie_jar=DummyCookieJar()) as http:
        sitting = Desk(site, house, provider, clock, http)
        sitting.set_up(redirect_uri=callback)
        yield sitting
