"""A game that answers every question for a balance with ten pounds, and does nothing else.

``python -m tests.reconciliation.stub_game`` prints its port. It reads as little of HTTP as will do,
so that a sweep against it costs what the sweep costs.
"""

from __future__ import annotations

import asyncio

from recon.clock import format_time, now

_USER = b"\r\nx-user-id: "


class _Game(asyncio.Protocol):
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._read = b""

    def data_received(self, data: bytes) -> None:
        self._read += data
        while (end := self._read.find(b"\r\n\r\n")) != -1:
            head, self._read = self._read[: end + 2], self._read[end + 4 :]
            at = head.lower().index(_USER) + len(_USER)
            user = head[at : head.index(b"\r\n", at)].decode()
            body = (
                f'{{"user_id":"{user}","currency":"GBP","available":"10.00","held":"0.00",'
                f'"as_of":"{format_time(now())}"}}'
            ).encode()
            self._transport.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n%b"
                % (len(body), body)
            )


async def main() -> None:
    """Serve until it is ended."""
    server = await asyncio.get_running_loop().create_server(_Game, "127.0.0.1", 0)
    print(server.sockets[0].getsockname()[1], flush=True)  # noqa: T201 - for who has started it
    await server.serve_forever()


if __name__ == "__main__":
    asyncio.run(main())
