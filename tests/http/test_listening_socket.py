"""Who is let in is served: whether their process is dead, or is about to stop listening."""

from __future__ import annotations

import asyncio
import socket
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from aiohttp import web

from recon.http.listening import Listener, nobody_waits
from recon.http.server import make_runner

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_CALL = b"GET / HTTP/1.1\r\nHost: recon\r\nConnection: close\r\n\r\n"


def door(port: int, *, listens: bool) -> socket.socket:
    """A socket beside others at one port."""
    made = socket.socket()
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEPORT, 1)
    made.bind(("127.0.0.1", port))
    if listens:
        made.listen(64)
    return made


@asynccontextmanager
async def answering() -> AsyncIterator[web.AppRunner]:
    """An application without a socket yet."""

    async def hello(_: web.Request) -> web.Response:
        return web.Response(text="hello")

    app = web.Application()
    app.router.add_get("/", hello)
    runner = make_runner(app, shutdown_timeout_s=1)
    await runner.setup()
    try:
        yield runner
    finally:
        await runner.cleanup()


async def called(port: int) -> bytes:
    """What answers a new connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(_CALL)
    try:
        return await asyncio.wait_for(reader.read(), 60)
    finally:
        writer.close()


async def test_what_waits_on_the_socket_of_a_process_that_hangs_is_taken_by_its_sibling() -> None:
    async with answering() as runner:
        hangs = door(0, listens=True)
        port = hangs.getsockname()[1]
        # The third is of a process that does not serve yet.
        listener = Listener.of(
            runner, [door(port, listens=False), hangs, door(port, listens=False)]
        )
        await listener.open()

        # The kernel gives half of these to the one that hangs.
        answers = await asyncio.gather(*(called(port) for _ in range(40)))
        await listener.close()

    assert [answer[:15] for answer in answers] == [b"HTTP/1.1 200 OK"] * 40


async def test_the_last_that_closes_takes_who_waits_on_any_socket() -> None:
    async with answering() as runner:
        gone = door(0, listens=True)
        port = gone.getsockname()[1]
        listener = Listener.of(runner, [door(port, listens=False), gone])
        await listener.open()
        callers = [socket.create_connection(("127.0.0.1", port)) for _ in range(40)]
        for caller in callers:
            caller.settimeout(60)
            caller.sendall(_CALL)

        await listener.close()

        answers = [await asyncio.to_thread(caller.recv, 15) for caller in callers]
        for caller in callers:
            caller.close()
    assert answers == [b"HTTP/1.1 200 OK"] * 40


async def test_a_door_is_closed_when_nobody_waits_before_it() -> None:
    accepted: list[asyncio.StreamWriter] = []
    served = await asyncio.start_server(
        lambda _, writer: accepted.append(writer), "127.0.0.1", 0, backlog=64
    )
    (listening,) = served.sockets
    # The loop has had no turn since: all of these wait.
    callers = [socket.create_connection(listening.getsockname()) for _ in range(32)]

    await nobody_waits(served.sockets)
    served.close()

    for caller in callers:
        caller.settimeout(60)
    async with asyncio.timeout(60):
        while len(accepted) < 32:  # noqa: ASYNC110 - the loop hands them over in turns of its own
            await asyncio.sleep(0.01)
    for writer in accepted:
        writer.write(b"an answer")
        writer.close()
    answers = [await asyncio.to_thread(caller.recv, 16) for caller in callers]
    assert answers == [b"an answer"] * 32
    for caller in callers:
        caller.close()
