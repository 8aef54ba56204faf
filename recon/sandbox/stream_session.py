"""One connection to the stream, from its handshake to its close code."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final

from aiohttp import WSMsgType, web

from recon.clock import format_time
from recon.sandbox.parts import SANDBOX, Sandbox
from recon.sandbox.responding import lifecycle_headers
from recon.sandbox.stream import CHANNELS, CLOSE_AUTH, CLOSE_HEARTBEAT, Listener
from recon.sandbox.wire import Refused, decode_object, encode

if TYPE_CHECKING:
    from recon.sandbox.keys import ApiKey

__all__ = ["converse", "stream"]

_UNACKNOWLEDGED_MOST: Final = 2
_CLOSING_S: Final = 1.0


class _Closed(Exception):  # noqa: N818 - not an error: how a session ends, with its code
    """The server ends the session with a close code."""

    def __init__(self, code: int, message: str) -> None:
        super().__init__(message)
        self.code = code
        self.message = message


async def stream(request: web.Request) -> web.StreamResponse:
    """``GET /api/v1/stream``: the handshake takes anybody; the first message must authenticate.

    Raises:
        Refused: ``bad_request`` when it is no WebSocket handshake.
    """
    sandbox = request.app[SANDBOX]
    socket = web.WebSocketResponse(timeout=_CLOSING_S, max_msg_size=64 * 1024)
    socket.headers.update(lifecycle_headers(sandbox.lifecycle))
    if not socket.can_prepare(request):
        raise Refused("bad_request", "the stream is a WebSocket: ask for an upgrade")
    await socket.prepare(request)
    await converse(sandbox, socket)
    return socket


async def converse(sandbox: Sandbox, socket: web.WebSocketResponse) -> None:
    """Serve a connection until either side ends it."""
    session = _Session(sandbox, socket)
    sandbox.sessions.add(session)
    try:
        await session.run()
    finally:
        sandbox.sessions.discard(session)


class _Session:
    def __init__(self, sandbox: Sandbox, socket: web.WebSocketResponse) -> None:
        self._sandbox = sandbox
        self._socket = socket
        self._something = asyncio.Event()
        self._unacknowledged: set[int] = set()
        self._heartbeats = 0

    async def run(self) -> None:
        """Serve the connection until either side ends it."""
        try:
            key = await self._authenticate()
            if key is None:
                return
            await self._serve(
                Listener(key, self._sandbox.options.stream_queue, self._something.set)
            )
        except _Closed as end:
            # A peer that reads nothing cannot be waited for: the frame is written, not drained.
            await self._socket.close(code=end.code, message=end.message.encode(), drain=False)
        except ConnectionError:
            return

    async def close(self) -> None:
        """Say that the server goes away."""
        await self._socket.close(code=1001, message=b"the sandbox is stopping", drain=False)

    async def _authenticate(self) -> ApiKey | None:
        """The key of the first message; None when the peer went away before."""
        try:
            async with asyncio.timeout(self._sandbox.options.auth_timeout_s):
                message = await self._socket.receive()
        except TimeoutError:
            raise _Closed(CLOSE_AUTH, "no auth in time") from None
        if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
            return None
        try:
            key = self._key(decode_object(_bytes(message.data)))
        except Refused as refused:
            await self._socket.send_frame(_error(refused), WSMsgType.TEXT)
            raise _Closed(CLOSE_AUTH, refused.message) from None
        await self._socket.send_str('{"type":"authenticated"}')
        return key

    def _key(self, asked: dict[str, Any]) -> ApiKey:
        api_key = asked.get("api_key")
        if asked.get("op") != "auth" or not isinstance(api_key, str):
            raise Refused("invalid_api_key", "the first message must be auth with an api_key")
        key = self._sandbox.keys.live(api_key)
        if key is None:
            raise Refused("invalid_api_key", "the api_key is unknown or revoked")
        if "read:game_state" not in key.scopes:
            raise Refused("insufficient_scope", "the key lacks read:game_state")
        return key

    async def _serve(self, listener: Listener) -> None:
        self._sandbox.hub.listeners.add(listener)
        tasks = [
            asyncio.create_task(part(listener))
            for part in (self._read, self._write, self._beat, self._guard)
        ]
        try:
            done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._sandbox.hub.listeners.discard(listener)
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in done:
            task.result()

    async def _read(self, listener: Listener) -> None:
        """Obey the client's operations until it goes away."""
        async for message in self._socket:
            if message.type not in {WSMsgType.TEXT, WSMsgType.BINARY}:
                continue
            try:
                self._obey(listener, decode_object(_bytes(message.data)))
            except Refused as refused:
                listener.put(_error(refused))

    async def _write(self, listener: Listener) -> None:
        """Send what waits, in order; the only writer once the session is authenticated."""
        while True:
            await self._something.wait()
            self._something.clear()
            while listener.waiting:
                frames, listener.waiting = listener.waiting, []
                for sent, frame in enumerate(frames):
                    # While this one waits for a slow peer the others still count as waiting.
                    listener.in_hand = len(frames) - sent
                    if self._sandbox.hub.is_silent:
                        continue
                    await self._socket.send_frame(frame, WSMsgType.TEXT)
                listener.in_hand = 0

    async def _guard(self, listener: Listener) -> None:
        """End the session when it is too slow, its key was revoked, or somebody says so."""
        await listener.ended.wait()
        raise _Closed(*listener.closing)

    async def _beat(self, listener: Listener) -> None:
        """Send heartbeats; a client that leaves two of them unacknowledged is closed."""
        while True:
            await asyncio.sleep(self._sandbox.options.heartbeat_s)
            if self._sandbox.hub.is_silent:
                continue
            if len(self._unacknowledged) >= _UNACKNOWLEDGED_MOST:
                raise _Closed(CLOSE_HEARTBEAT, "two heartbeats were left unacknowledged")
            self._heartbeats += 1
            self._unacknowledged.add(self._heartbeats)
            listener.put(
                encode(
                    {
                        "type": "heartbeat",
                        "id": self._heartbeats,
                        "timestamp": format_time(self._sandbox.timeline.clock.now()),
                    }
                )
            )

    def _obey(self, listener: Listener, asked: dict[str, Any]) -> None:
        match asked.get("op"):
            case "subscribe":
                for channel in _channels(asked):
                    self._subscribe(listener, channel)
            case "unsubscribe":
                listener.channels.difference_update(_channels(asked))
            case "heartbeat_ack":
                acknowledged = asked.get("id")
                if isinstance(acknowledged, bool) or not isinstance(acknowledged, int):
                    raise Refused("validation_failed", "id must be a heartbeat's number")
                self._unacknowledged.discard(acknowledged)
            case _:
                raise Refused("bad_request", "op must be subscribe, unsubscribe or heartbeat_ack")

    def _subscribe(self, listener: Listener, channel: str) -> None:
        if CHANNELS[channel] not in listener.key.scopes:
            raise Refused("insufficient_scope", f"{channel} needs {CHANNELS[channel]}")
        listener.channels.add(channel)
        listener.put(
            encode({"type": "subscribed", "channel": channel, "seq": listener.seq[channel]})
        )


def _channels(asked: dict[str, Any]) -> list[str]:
    channels = asked.get("channels")
    if not isinstance(channels, list) or not all(
        isinstance(channel, str) and channel in CHANNELS for channel in channels
    ):
        raise Refused("validation_failed", f"channels are {', '.join(CHANNELS)}")
    return channels


def _error(refused: Refused) -> bytes:
    return encode({"type": "error", "code": refused.code, "message": refused.message})


def _bytes(data: str | bytes) -> bytes:
    return data.encode() if isinstance(data, str) else data
