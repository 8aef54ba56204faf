"""Tests reach this machine and nothing else; one that tries fails, even where the error is caught.

A pytest plugin: ``pytest_plugins = ["tests.network"]`` in ``tests/conftest.py``. It watches the
sockets of this process, through which every client of the suite goes; a browser is another process.
"""

from __future__ import annotations

import socket
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["OutsideNetworkError", "is_local", "loopback_only"]

_LOCAL_NAMES = frozenset({"", "localhost"})


class OutsideNetworkError(RuntimeError):
    """A test asked for another machine; no OSError, which clients take for an outage."""


def is_local(host: object) -> bool:
    """Whether a host, as ``connect`` and ``getaddrinfo`` take it, is this machine."""
    if host is None:
        return True
    name = host.decode() if isinstance(host, bytes) else str(host)
    try:
        return ip_address(name.partition("%")[0]).is_loopback
    except ValueError:
        return name in _LOCAL_NAMES or name.endswith(".localhost")


@pytest.fixture(autouse=True, scope="session")
def _watched_sockets() -> Iterator[list[str]]:
    """Refuse every way out of this machine, and remember who was asked for."""
    asked: list[str] = []

    def refuse(host: object) -> None:
        asked.append(str(host))
        raise OutsideNetworkError(f"tests stay on this machine; asked for {host}")

    def guarded(method: Callable[..., Any]) -> Callable[..., Any]:
        def call(self: socket.socket, *arguments: Any) -> Any:  # noqa: ANN401 - sockets' own types
            address = arguments[-1]  # sendto has the flags between
            if self.family in {socket.AF_INET, socket.AF_INET6} and not is_local(address[0]):
                refuse(address[0])
            return method(self, *arguments)

        return call

    find = socket.getaddrinfo

    def find_local(host: object, *arguments: Any, **named: Any) -> Any:  # noqa: ANN401 - as above
        if not is_local(host) and not _is_address(host):
            refuse(host)
        return find(host, *arguments, **named)  # type: ignore[arg-type] # passed on as it came

    with pytest.MonkeyPatch.context() as patch:
        for name in ("connect", "connect_ex", "sendto"):
            patch.setattr(socket.socket, name, guarded(getattr(socket.socket, name)))
        patch.setattr(socket, "getaddrinfo", find_local)
        yield asked


@pytest.fixture(autouse=True)
def loopback_only(_watched_sockets: list[str]) -> Iterator[None]:
    """Fail the test that asked for another machine, whatever became of its call."""
    _watched_sockets.clear()
    yield
    asked = [*_watched_sockets]
    _watched_sockets.clear()
    if asked:
        pytest.fail(f"the test asked for another machine: {', '.join(asked)}", pytrace=False)


def _is_address(host: object) -> bool:
    """Whether there is nothing to look up; connecting to it is judged by itself."""
    try:
        ip_address(str(host).partition("%")[0])
    except ValueError:
        return False
    return True
