"""The processes that are measured: what they cost, and how they are told what to do."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from contextlib import ExitStack, contextmanager
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from recon.db.embedded.child import die_with_parent
from tests.benchmarks.serving import URL_VARIABLE

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

__all__ = [
    "Child",
    "Sender",
    "Service",
    "child",
    "cpu_seconds",
    "sender",
    "service",
    "tree_cpu_seconds",
]

_TICKS = os.sysconf("SC_CLK_TCK")


class Service:
    """A running service of one or more processes behind one port."""

    def __init__(self, pids: Sequence[int], port: int) -> None:
        self.pids = pids
        self.port = port

    @property
    def memory_mb(self) -> float:
        """What it has in memory that is its own: resident, without what is shared with files."""
        return sum(_own_memory_mb(pid) for pid in self.pids)

    @property
    def cpu_seconds(self) -> float:
        """CPU time so far."""
        return sum(cpu_seconds(pid) for pid in self.pids)


@contextmanager
def service(
    variant: str,
    database_url: str,
    *,
    processes: int = 1,
    environment: Mapping[str, str] = MappingProxyType({}),
) -> Iterator[Service]:
    """A service of one variant, stopped at the end; the kernel spreads the connections."""
    with ExitStack() as running:
        pids = []
        port = 0
        for _ in range(processes):
            child = running.enter_context(
                _process(variant, port, {URL_VARIABLE: database_url, **environment})
            )
            running.callback(child.terminate)
            assert child.stdout is not None
            told = child.stdout.readline()
            if not told:
                raise RuntimeError(f"the service ({variant}) did not start")
            pids.append(child.pid)
            port = int(told)
        yield Service(pids, port)


def _process(variant: str, port: int, environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return subprocess.Popen(  # noqa: S603 - this very interpreter
        [sys.executable, "-m", "tests.benchmarks.serving", variant, str(port)],
        env={**os.environ, **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - one call of prctl, from the main thread
    )


def _own_memory_mb(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("RssAnon:")[2].split()[0]) / 1024


class Sender:
    """The load generator."""

    def __init__(self, child: subprocess.Popen[bytes]) -> None:
        self._child = child

    def send(self, service: Service, **order: object) -> dict[str, Any]:
        """Send to a service, as `tests.benchmarks.sending` understands it; what came of it.

        Raises:
            RuntimeError: an answer was not that the delivery is booked.
        """
        assert self._child.stdin is not None
        assert self._child.stdout is not None
        asked = {"host": "127.0.0.1", "port": service.port, "references": None, **order}
        self._child.stdin.write(json.dumps(asked).encode() + b"\n")
        self._child.stdin.flush()
        answer: dict[str, Any] = json.loads(self._child.stdout.readline())
        if answer["faults"]:
            raise RuntimeError(f"not booked: {answer['faults']}")
        return answer


@contextmanager
def sender() -> Iterator[Sender]:
    """The load generator's process, ended at the end."""
    with subprocess.Popen(
        [sys.executable, "-m", "tests.benchmarks.sending"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    ) as child:
        yield Sender(child)


def cpu_seconds(pid: int, *, with_ended_children: bool = False) -> float:
    """CPU time of a process so far, in user mode and in the kernel."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    ticks = [int(field) for field in fields[11:15]]
    return sum(ticks if with_ended_children else ticks[:2]) / _TICKS


def tree_cpu_seconds(pid: int) -> float:
    """CPU time of a process and its children, those that have ended included."""
    total = cpu_seconds(pid, with_ended_children=True)
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        try:
            total += cpu_seconds(int(child))
        except OSError:  # it has just ended
            continue
    return total


class Child:
    """A process that answers each line of JSON with a line."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self._process = process

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    def read(self) -> dict[str, Any]:
        """Its next line."""
        assert self._process.stdout is not None
        answer: dict[str, Any] = json.loads(self._process.stdout.readline())
        return answer

    def ask(self, **order: object) -> dict[str, Any]:
        """Its answer to a line."""
        assert self._process.stdin is not None
        self._process.stdin.write(json.dumps(order).encode() + b"\n")
        self._process.stdin.flush()
        return self.read()


@contextmanager
def child(*command: str, environment: Mapping[str, str] | None = None) -> Iterator[Child]:
    """Run a module of ours until the block ends."""
    with subprocess.Popen(  # noqa: S603 - this very interpreter
        [sys.executable, "-m", *command],
        env={**os.environ, **(environment or {})},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        preexec_fn=die_with_parent(),  # noqa: PLW1509 - one call of prctl, from the main thread
    ) as process:
        try:
            yield Child(process)
        finally:
            process.send_signal(signal.SIGTERM)
