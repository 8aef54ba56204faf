"""The pages on a real database behind a real socket, and Debian's chromium to look at them."""

from __future__ import annotations

import asyncio
import shutil
from dataclasses import dataclass, field
from datetime import timedelta
from itertools import count
from typing import TYPE_CHECKING, Any, Literal

import pytest
from aiohttp import CookieJar, web
from aiohttp.test_utils import TestClient, TestServer
from argon2 import PasswordHasher
from playwright.async_api import async_playwright, expect

from recon.clock import new_id
from recon.db import POOL, open_pool
from recon.game.handlers import GAME_WATCH, GameWatch
from recon.http.problems import problem_middleware
from recon.http.request_ids import request_id_middleware
from recon.http.security_headers import secure
from recon.web import Doors, Role, add_staff, install, page_middlewares
from recon.web.auth.cookies import Cookie
from recon.web.auth.passwords import hash_password
from recon.web.auth.tokens import derived, masked
from recon.webhooks import INTAKE, Intake
from tests.web.inbox import Inbox, fill
from tests.web.seeding import Seeded, seed_week
from tests.webhooks.conftest import ENDPOINTS

if TYPE_CHECKING:
    import re
    from collections.abc import AsyncIterator

    import asyncpg
    from playwright.async_api import Browser, BrowserContext, Page, Route

    from recon.db import Pool
    from recon.db.embedded import EmbeddedPostgres
    from tests.databases import Shelf

PASSWORD = "correct horse battery"

_WEEK = "template_week"
_numbers = count(1)

_PATIENCE_MS = 60_000
"""How long a browser may take for what it does at once, on a machine that does much else."""

_CHROMIUM_FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


@dataclass
class Site:
    """The pages, reached as a browser reaches them, without being one."""

    client: TestClient[web.Request, web.Application]
    pool: Pool
    origin: str

    async def get(self, path: str, **headers: str) -> tuple[int, str]:
        """A page: status and text; redirects are not followed."""
        async with self.client.get(
            path, headers={"Accept": "text/html"} | headers, allow_redirects=False
        ) as response:
            return response.status, await response.text()

    async def post(
        self, path: str, fields: dict[str, str], **headers: str
    ) -> tuple[int, str, dict[str, str]]:
        """A form, sent as from our own page: status, text and headers of the answer."""
        said = {"Accept": "text/html", "Sec-Fetch-Site": "same-origin"} | {
            name.replace("_", "-"): text for name, text in headers.items()
        }
        async with self.client.post(
            path, data=fields, headers=said, allow_redirects=False
        ) as response:
            return response.status, await response.text(), dict(response.headers)

    async def act(self, path: str, **fields: str) -> tuple[int, str, dict[str, str]]:
        """A form of this session's, sent once."""
        return await self.post(path, {"csrf": await self.csrf(), "form": str(new_id())} | fields)

    async def sign_in(self, name: str, password: str = PASSWORD) -> int:
        """The status of a sign-in."""
        status, _, _ = await self.post("/sign-in", {"name": name, "password": password})
        return status

    async def csrf(self) -> str:
        """The token that this session's forms carry."""
        return masked(derived(self.token(), "csrf"))

    def token(self) -> str:
        """The session's own, as the browser keeps it."""
        kept = {cookie.key: cookie.value for cookie in self.client.session.cookie_jar}
        return kept.get(Cookie.SESSION, "")

    async def audited(self) -> list[tuple[str, str, str]]:
        """(actor, action, object) of everything audited, oldest first."""
        rows = await self.pool.fetch("SELECT actor, action, object FROM audit ORDER BY audit_id")
        return [(row["actor"], row["action"], row["object"]) for row in rows]


@pytest.fixture
def doors() -> Doors:
    """By which ways staff come in."""
    return Doors()


@pytest.fixture
async def server_at(pool: Pool, doors: Doors) -> AsyncIterator[TestServer]:
    """The pages on loopback."""
    app = web.Application(
        middlewares=[request_id_middleware, problem_middleware, *page_middlewares]
    )
    secure(app)
    app[POOL] = pool
    app[INTAKE] = Intake(ENDPOINTS)
    app[GAME_WATCH] = GameWatch()
    install(
        app,
        reconcile_every=timedelta(minutes=5),
        environment="sandbox",
        grace=timedelta(minutes=2),
        doors=doors,
    )
    server = TestServer(app, host="127.0.0.1")
    async with server:
        yield server


@pytest.fixture(autouse=True)
def light_hashes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hash in a moment: what a hash costs is `test_passwords` to prove, not each sign-in."""
    light = PasswordHasher(time_cost=1, memory_cost=8, parallelism=1)
    monkeypatch.setattr("recon.web.auth.passwords._HASHER", light)
    monkeypatch.setattr("recon.web.auth.passwords._decoy", lambda: light.hash("nobody's"))


@pytest.fixture
async def hashed(light_hashes: None) -> str:
    """The hash of `PASSWORD`."""
    del light_hashes
    return await hash_password(PASSWORD)


@pytest.fixture
async def site(server_at: TestServer, pool: Pool, hashed: str) -> AsyncIterator[Site]:
    """The pages, with one of each role on the staff."""
    for name, role in (
        ("watcher", Role.VIEWER),
        ("maker", Role.ANALYST),
        ("checker", Role.APPROVER),
        ("root", Role.ADMIN),
    ):
        await add_staff(pool, name=name, role=role, password=None, actor="cli")
    await pool.execute("UPDATE staff SET password_hash = $1", hashed)
    async with TestClient(server_at, cookie_jar=CookieJar(unsafe=True)) as client:
        yield Site(client, pool, str(server_at.make_url("/")).rstrip("/"))


@pytest.fixture(scope="session")
async def week_before(
    server: EmbeddedPostgres, administrator: asyncpg.Connection[Any], template: str
) -> Seeded:
    """The week, written once into a database to clone."""
    await administrator.execute(f"CREATE DATABASE {_WEEK} TEMPLATE {template}")
    async with open_pool(server.dsn_for(_WEEK), max_size=2) as pool:
        return await seed_week(pool)


@pytest.fixture
async def database_url(
    request: pytest.FixtureRequest,
    server: EmbeddedPostgres,
    administrator: asyncpg.Connection[Any],
    shelf: Shelf,
) -> AsyncIterator[str]:
    """A database of the test's own: with the week in it where the test asks for the week."""
    if "week" not in request.fixturenames:
        lent = await shelf.lend()
        yield lent.url
        await shelf.take_back(lent)
        return
    request.getfixturevalue("week_before")
    name = f"web_{next(_numbers)}"
    await administrator.execute(f"CREATE DATABASE {name} TEMPLATE {_WEEK} STRATEGY file_copy")
    yield server.service_dsn_for(name)
    await administrator.execute(f"DROP DATABASE {name} WITH (FORCE)")


@pytest.fixture
async def week(pool: Pool, week_before: Seeded) -> Seeded:
    """A week of runs and discrepancies, of which the last run is two minutes old."""
    await pool.execute(
        "UPDATE runs SET finished_at = clock_timestamp() - interval '2 minutes' WHERE run_id = $1",
        week_before.runs[-1],
    )
    return week_before


@pytest.fixture
async def inbox(pool: Pool) -> Inbox:
    """One delivery of every fate."""
    return await fill(pool)


expect.set_options(timeout=_PATIENCE_MS)


@pytest.fixture(scope="session")
async def chromium() -> AsyncIterator[Browser]:
    """One browser for all tests; where there is none, they fail and say what to do."""
    path = shutil.which("chromium")
    if path is None:
        pytest.fail("browser tests need chromium: apt-get install chromium", pytrace=False)
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=_CHROMIUM_FLAGS)
        yield browser
        await browser.close()


@dataclass
class Wire:
    """What a page asks for, let through until it is cut or held.

    It lies there before the page does: Chromium may let by what a page asks for just after it was
    told to stop it, so that such a page is answered where a test would have it wait.
    """

    error: str | None = None
    free: asyncio.Event = field(default_factory=asyncio.Event)

    async def carry(self, route: Route) -> None:
        """Do with a request what is to be done when it is let go."""
        await self.free.wait()
        await (route.continue_() if self.error is None else route.abort(self.error))

    def hold(self) -> None:
        """Keep what is asked for from now on."""
        self.free.clear()

    def cut(self, error: str = "connectionrefused") -> None:
        """Answer nothing from now on, nor what is held."""
        self.error = error
        self.free.set()

    def mend(self) -> None:
        """Let everything through, also what is held."""
        self.error = None
        self.free.set()


@dataclass
class Window:
    """One browser window that writes down whatever goes wrong in it."""

    page: Page
    origin: str
    is_scripted: bool = True
    faults: list[str] = field(default_factory=list)

    def watch(self) -> None:
        """Note errors of the console, of scripts, and requests to anybody else."""
        self.page.on("console", lambda message: self._said(message.type, message.text))
        self.page.on("pageerror", lambda error: self.faults.append(f"script: {error}"))
        self.page.on("request", lambda request: self._asked(request.url))

    async def wire(self, pattern: str | re.Pattern[str]) -> Wire:
        """Where the addresses of this pattern go through, on the pages opened from now on."""
        wire = Wire()
        wire.mend()
        await self.page.route(pattern, wire.carry)
        return wire

    async def open(self, path: str) -> int:
        """Go to a page of ours; its status."""
        response = await self.page.goto(f"{self.origin}{path}")
        return 0 if response is None else response.status

    async def beside(self, path: str) -> Page:
        """Another tab of the same browser, on a page of ours."""
        tab = await self.page.context.new_page()
        await tab.goto(f"{self.origin}{path}")
        return tab

    async def sign_in(self, name: str = "maker") -> None:
        """Sign in and see the overview; by the form where there is no JavaScript.

        With it, `test_sign_in_find_the_worst_and_understand_it` does so by the form, for all.
        """
        if self.is_scripted:
            answer = await self.page.context.request.post(
                f"{self.origin}/sign-in",
                form={"name": name, "password": PASSWORD},
                headers={"Sec-Fetch-Site": "same-origin"},
                max_redirects=0,
            )
            assert answer.status == 303
            await self.open("/")
            return
        await self.open("/sign-in")
        await self.page.get_by_label("Name").fill(name)
        await self.page.get_by_label("Password").fill(PASSWORD)
        await self.page.get_by_role("button", name="Sign in").click()
        await self.page.wait_for_url(f"{self.origin}/")

    def _said(self, kind: str, text: str) -> None:
        if kind in {"error", "warning"}:
            self.faults.append(f"{kind}: {text}")

    def _asked(self, url: str) -> None:
        if not url.startswith(self.origin):
            self.faults.append(f"request to {url}")


@dataclass
class Quarters:
    """A browser's context, kept for the next test with one empty page in it.

    A new one, and the process of its first page, cost three times what a page costs.
    """

    context: BrowserContext
    empty: Page

    @classmethod
    async def of(cls, browser: Browser) -> Quarters:
        """New ones."""
        context = await browser.new_context()
        context.set_default_timeout(_PATIENCE_MS)
        return cls(context, await context.new_page())

    async def clear(self, origin: str) -> None:
        """Close its pages, and forget all that they have kept."""
        for page in self.context.pages:
            if page is not self.empty:
                await page.close()
        await self.context.clear_cookies()
        session = await self.context.new_cdp_session(self.empty)
        await session.send("Network.clearBrowserCache")
        everything = {"origin": origin, "storageTypes": "all"}
        await session.send("Storage.clearDataForOrigin", everything)
        await session.detach()


@dataclass
class Windows:
    """Opens windows on the pages."""

    browser: Browser
    origin: str
    pool: Pool
    kept: list[Quarters]
    taken: list[Quarters] = field(default_factory=list)
    contexts: list[BrowserContext] = field(default_factory=list)

    async def open(
        self,
        *,
        width: int = 1280,
        color_scheme: Literal["light", "dark"] = "light",
        java_script_enabled: bool = True,
    ) -> Window:
        """A window of a browser's own, in which nobody is signed in."""
        if java_script_enabled:
            taken = self.kept.pop() if self.kept else await Quarters.of(self.browser)
            self.taken.append(taken)
            context = taken.context
        else:
            context = await self.browser.new_context(java_script_enabled=False)
            context.set_default_timeout(_PATIENCE_MS)
            self.contexts.append(context)
        page = await context.new_page()
        await page.set_viewport_size({"width": width, "height": 900})
        await page.emulate_media(color_scheme=color_scheme)
        window = Window(page, self.origin, java_script_enabled)
        window.watch()
        return window

    async def close(self) -> None:
        """Close them all; what the next test can use is kept."""
        for context in self.contexts:
            await context.close()
        for taken in self.taken:
            await taken.clear(self.origin)
            self.kept.append(taken)


@pytest.fixture(scope="session")
def quarters() -> list[Quarters]:
    """Contexts that wait for the next test."""
    return []


@pytest.fixture
async def windows(
    chromium: Browser, site: Site, quarters: list[Quarters]
) -> AsyncIterator[Windows]:
    """Browser windows, closed after the test."""
    opened = Windows(chromium, site.origin, site.pool, quarters)
    yield opened
    await opened.close()
