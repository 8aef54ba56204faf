"""The load generator, a process of its own: ``python -m tests.benchmarks.sending``.

It reads one order a line and answers each with one line of JSON. It is a sender that costs as
little as can be, because it shares the cores with what it measures: requests are signed before the
clock starts, and a connection sends the next one when the answer to the last is there.
"""

from __future__ import annotations

import asyncio
import json
import sys
import time
from typing import Any, cast

import uvloop

from tests.benchmarks.bets_traffic import BetTraffic
from tests.benchmarks.traffic import Traffic

__all__ = ["main"]


class _Connection(asyncio.Protocol):
    """Keeps one request under way until none is left."""

    def __init__(
        self,
        requests: list[bytes],
        answered: tuple[bytes, bytes],
        seconds: list[float],
        faults: list[bytes],
    ) -> None:
        self._requests = requests
        self._answered = answered
        self._seconds = seconds
        self._faults = faults
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # uvloop's transports have the methods and not the type.
        self._transport = cast("asyncio.Transport", transport)

    def start(self) -> None:
        if not self._requests:
            if not self.done.done():
                self.done.set_result(None)
            return
        self._sent_at = time.perf_counter()
        self._transport.write(self._requests.pop())

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found:
            return
        length = int(head.partition(b"Content-Length: ")[2].partition(b"\r\n")[0])
        if len(body) < length:
            return
        self._seconds.append(time.perf_counter() - self._sent_at)
        status, said = self._answered
        if not head.startswith(status) or said not in body:
            self._faults.append(self._received[:500])
        self._received = b""
        self.start()

    def connection_lost(self, error: Exception | None) -> None:
        del error
        if not self.done.done():
            self._faults.append(b"the connection was lost")
            self.done.set_result(None)

    def close(self) -> None:
        self._transport.close()


def _traffic(order: dict[str, Any]) -> tuple[Traffic | BetTraffic, tuple[bytes, bytes]]:
    """What to send, and how each answer begins and what it says."""
    if "round_id" in order:
        names = ("count", "users", "batch", "round_id", "api_key")
        traffic = BetTraffic(**{name: order[name] for name in names})
        return traffic, (b"HTTP/1.1 201", b'"placed"')
    return (
        Traffic(order["count"], order["users"], order["references"]),
        (b"HTTP/1.1 200", b'"booked"'),
    )


async def _send(order: dict[str, Any]) -> dict[str, Any]:
    host, port = order["host"], order["port"]
    traffic, answered = _traffic(order)
    requests = traffic.requests(f"{host}:{port}")
    requests.reverse()
    seconds: list[float] = []
    faults: list[bytes] = []
    loop = asyncio.get_running_loop()
    connections = [
        (
            await loop.create_connection(
                lambda: _Connection(requests, answered, seconds, faults), host, port
            )
        )[1]
        for _ in range(order["connections"])
    ]
    started, cpu = time.perf_counter(), time.process_time()
    for connection in connections:
        connection.start()
    await asyncio.gather(*(connection.done for connection in connections))
    took, cpu = time.perf_counter() - started, time.process_time() - cpu
    for connection in connections:
        connection.close()
    seconds.sort()
    return {
        "sent": len(seconds),
        "faults": [fault.decode(errors="replace") for fault in faults[:3]],
        "seconds": took,
        "cpu_seconds": cpu,
        "p50_ms": 1000 * seconds[len(seconds) // 2],
        "p99_ms": 1000 * seconds[len(seconds) * 99 // 100],
    }


def main() -> None:
    """Carry out orders until there are none."""
    for line in sys.stdin:
        print(json.dumps(uvloop.run(_send(json.loads(line)))), flush=True)  # noqa: T201 - its answer


if __name__ == "__main__":
    main()
