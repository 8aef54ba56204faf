"""One connection to the stream, from its handshake to its end, over aiohttp.

The reader does nothing but read: a heartbeat is acknowledged before anything else is looked at, and
news is put where somebody else takes it, so that neither the database nor REST can make the server
think that we are slow.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final

import aiohttp
import structlog

from recon.game.stream.connecting import SessionEndedError, connected
from recon.game.stream.conversation import Conversation, StreamRefusedError

if TYPE_CHECKING:
    from typing import NoReturn

    from recon.game.stream.connecting import Patience, Socket, StreamAddress
    from recon.game.stream.news import Bulletin
    from recon.game.stream.watch import StreamWatch

__all__ = ["hear"]

log = structlog.get_logger(__name__)

_CLOSE_AUTH: Final = 4001
_REASONS: Final = {_CLOSE_AUTH: "auth", 4008: "unacknowledged", 4009: "slow"}


async def hear(
    address: StreamAddress, bulletin: Bulletin, watch: StreamWatch, patience: Patience
) -> NoReturn:
    """Listen on one connection until it ends.

    Args:
        address: which stream.
        bulletin: where news goes.
        watch: told of everything.
        patience: how long the server may take.

    Raises:
        SessionEndedError: always, unless cancelled.
    """
    talk = Conversation(address.api_key)
    try:
        async with asyncio.timeout(patience.opening_s) as opening:
            connect = address.connect or connected
            async with connect(address, patience, watch.handshake) as socket:
                session = _Session(socket, talk, bulletin, watch, patience)
                await session.run(opening)
    except StreamRefusedError as refused:
        reason = "auth" if refused.is_of_us else "closed"
        raise SessionEndedError(reason, str(refused)) from None
    except TimeoutError:
        raise SessionEndedError("silent", "the game said nothing for too long") from None


class _Session:
    def __init__(
        self,
        socket: Socket,
        talk: Conversation,
        bulletin: Bulletin,
        watch: StreamWatch,
        patience: Patience,
    ) -> None:
        self._socket = socket
        self._talk = talk
        self._bulletin = bulletin
        self._watch = watch
        self._patience = patience
        self._loop = asyncio.get_running_loop()
        self._expiry: asyncio.TimerHandle | None = None
        self._told_fault = False

    async def run(self, limit: asyncio.Timeout) -> NoReturn:
        """Read until the end; ``limit`` is moved on with each message once we listen."""
        try:
            await self._send(self._talk.opening())
            while True:
                message = await self._socket.receive()
                if message.type not in {aiohttp.WSMsgType.TEXT, aiohttp.WSMsgType.BINARY}:
                    raise _ended(self._socket)
                await self._take(message.data)
                if self._talk.is_listening:
                    limit.reschedule(self._loop.time() + self._patience.silence_s)
        except (aiohttp.ClientError, OSError) as error:
            if isinstance(error, TimeoutError):
                raise
            raise SessionEndedError("lost", type(error).__name__) from None
        finally:
            if self._expiry is not None:
                self._expiry.cancel()

    async def _take(self, raw: bytes) -> None:
        was_listening = self._talk.is_listening
        hearing = self._talk.hear(raw, at=self._loop.time())
        if hearing.reply is not None:
            await self._send(hearing.reply)
        if self._talk.is_listening and not was_listening:
            self._watch.connected()
            log.info("stream_connected", not_heard=[*self._talk.refused])
        self._watch.message(hearing)
        if hearing.fault is not None and not self._told_fault:
            # Once a connection: a server that speaks another language does so all the time.
            self._told_fault = True
            log.warning("stream_message_not_read", channel=hearing.channel)
        self._bulletin.put(hearing.news)
        self._expect()

    def _expect(self) -> None:
        """See to it that what never comes is given up in time."""
        deadline = self._talk.deadline
        if deadline is None or self._expiry is not None:
            return
        self._expiry = self._loop.call_at(deadline, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        at = self._loop.time()
        while (deadline := self._talk.deadline) is not None and deadline <= at:
            hearing = self._talk.expire(at)
            self._watch.heard(hearing)
            self._bulletin.put(hearing.news)
        self._expect()

    async def _send(self, message: bytes) -> None:
        async with asyncio.timeout(self._patience.sending_s):
            await self._socket.send_frame(message, aiohttp.WSMsgType.TEXT)


def _ended(socket: Socket) -> SessionEndedError:
    code = socket.close_code
    if code is None or code == aiohttp.WSCloseCode.ABNORMAL_CLOSURE:
        return SessionEndedError("lost", "the connection broke")
    return SessionEndedError(_REASONS.get(code, "closed"), f"closed with {code}")
