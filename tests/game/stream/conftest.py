"""A real game on a socket, and a listener to its stream that a test can look into."""

from __future__ import annotations

import asyncio
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec
import pytest
from aiohttp import ClientSession
from aiohttp.test_utils import TestServer

from recon.game.stream import Backoff, Bulletin, Patience, StreamAddress, StreamWatch, listen
from recon.game.stream.connecting import SessionEndedError
from recon.game.stream.session import hear
from recon.sandbox.app import build_app, settings_for
from recon.sandbox.options import SandboxOptions
from recon.sandbox.parts import SANDBOX

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from recon.game.stream import News
    from recon.sandbox.parts import Sandbox

SEED = 7
PATIENCE = Patience(opening_s=2.0, silence_s=1.0, sending_s=1.0, closing_s=0.2)


@dataclass
class Game:
    """A sandbox whose rounds stand still: the test says what is told."""

    sandbox: Sandbox
    url: str
    http: ClientSession

    @property
    def settings(self) -> dict[str, str]:
        return settings_for(self.url, SEED)

    @property
    def api_key(self) -> str:
        return self.settings["RECON_GAME_API_KEY"]

    def tell(self, channel: str, /, **data: Any) -> None:  # noqa: ANN401 - JSON
        """Publish, as the game does."""
        self.sandbox.hub._publish(channel, data)  # noqa: SLF001 - what the game itself calls

    def tell_bet(self, ticket: str, status: str = "lost") -> None:
        self.tell("bet_updates", ticket_id=ticket, status=status)

    def tell_round(self, round_id: str, status: str = "crashed") -> None:
        self.tell("round_updates", round_id=round_id, status=status)

    async def control(self, method: str, path: str, **body: Any) -> Any:  # noqa: ANN401 - JSON
        async with self.http.request(
            method, f"{self.url}/sandbox{path}", data=msgspec.json.encode(body)
        ) as answer:
            assert answer.status < 300, await answer.text()
            return await answer.json()

    async def key(self, *scopes: str) -> str:
        """Another key, of these scopes."""
        made = await self.control("POST", "/keys", scopes=scopes)
        return str(made["api_key"])

    @property
    def streams(self) -> int:
        """Authenticated connections."""
        return len(self.sandbox.hub.listeners)


@asynccontextmanager
async def open_game(**switches: Any) -> AsyncIterator[Game]:  # noqa: ANN401 - `SandboxOptions`
    """A sandbox whose only round takes bets for an hour, unless told otherwise."""
    app = build_app(SandboxOptions(**{"seed": SEED, "betting_s": 3600.0, **switches}))
    async with TestServer(app) as server, ClientSession() as http:
        yield Game(app[SANDBOX], str(server.make_url("")).rstrip("/"), http)


@pytest.fixture
async def game() -> AsyncIterator[Game]:
    async with open_game() as opened:
        yield opened


@dataclass
class Listener:
    """A listener and what it has heard."""

    bulletin: Bulletin = field(default_factory=Bulletin)
    watch: StreamWatch = field(default_factory=StreamWatch)

    async def next(self) -> News:
        """The next news."""
        async with asyncio.timeout(60):
            await self.bulletin.wait()
        return self.bulletin.take()

    async def silence(self, seconds: float = 0.1) -> bool:
        """Whether there is no news for so long."""
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self.bulletin.wait()
            return False
        return True


@asynccontextmanager
async def listening(
    game: Game,
    *,
    api_key: str | None = None,
    patience: Patience = PATIENCE,
    backoff: Backoff | None = None,
    watch: StreamWatch | None = None,
) -> AsyncIterator[Listener]:
    """Listen until the block ends."""
    listener = Listener(watch=watch or StreamWatch())
    address = StreamAddress(game.url, api_key or game.api_key)
    quick = backoff or Backoff(first_s=0.02, longest_s=0.1, first_refused_s=300.0)
    task = asyncio.create_task(
        listen(address, listener.bulletin, listener.watch, patience=patience, backoff=quick)
    )
    try:
        yield listener
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task


async def ended(url: str, api_key: str = "ck_sandbox_any", patience: Patience = PATIENCE) -> str:
    """Why one connection ended."""
    with pytest.raises(SessionEndedError) as raised:
        await hear(StreamAddress(url, api_key), Bulletin(), StreamWatch(), patience)
    return f"{raised.value.reason}: {raised.value.detail}"


async def until(condition: Callable[[], object]) -> None:
    async with asyncio.timeout(60):
        while not condition():  # noqa: ASYNC110 - it is on the other side of a socket
            await asyncio.sleep(0.005)
