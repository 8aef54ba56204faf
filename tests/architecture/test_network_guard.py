"""The guard of tests/network.py holds: what tests reach is this machine."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.network import is_local

ROOT = Path(__file__).parents[2]

# Run by a pytest of its own, because what it proves is that some of it fails. 192.0.2.1 is
# nobody's (RFC 5737); names under .invalid do not exist (RFC 2606).
INNER = """
import asyncio, contextlib, socket

import aiohttp

async def fetch(url):
    async with aiohttp.ClientSession() as session, session.get(url):
        pass

def test_connect_swallowed():
    with contextlib.suppress(Exception), socket.socket() as out:
        out.connect(("192.0.2.1", 80))

def test_datagram_swallowed():
    with contextlib.suppress(Exception), socket.socket(type=socket.SOCK_DGRAM) as out:
        out.sendto(b"x", 0, ("192.0.2.1", 53))

def test_lookup_swallowed():
    with contextlib.suppress(Exception):
        socket.getaddrinfo("psp.invalid", 443)

def test_client_to_an_address_swallowed():
    with contextlib.suppress(Exception):
        asyncio.run(fetch("http://192.0.2.1/"))

def test_client_to_a_name_swallowed():
    with contextlib.suppress(Exception):
        asyncio.run(fetch("http://game.invalid/"))

def test_loopback():
    with socket.create_server(("127.0.0.1", 0)) as server:
        with socket.create_connection(server.getsockname()), socket.socketpair()[0]:
            pass
"""


@pytest.mark.parametrize(
    ("host", "local"),
    [
        ("127.0.0.1", True),
        ("127.8.8.8", True),
        ("::1", True),
        (b"localhost", True),
        ("game.localhost", True),
        (None, True),
        ("0.0.0.0", False),  # noqa: S104 - asked about, not bound
        ("192.0.2.1", False),
        ("example.com", False),
        ("localhost.example.com", False),
    ],
)
def test_which_hosts_are_this_machine(host: object, *, local: bool) -> None:
    assert is_local(host) is local


def test_asking_for_another_machine_fails_the_test_even_when_swallowed(tmp_path: Path) -> None:
    inner = tmp_path / "test_inner.py"
    inner.write_text(INNER, encoding="utf-8")
    (tmp_path / "pytest.ini").write_text("[pytest]\n", encoding="utf-8")

    ran = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "pytest", "-q", "-p", "tests.network", "--rootdir", tmp_path, inner],
        cwd=ROOT,
        env={"PATH": "", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        check=False,
        capture_output=True,
        text=True,
        timeout=60,
    )

    swallowed = INNER.count("swallowed")
    assert f"6 passed, {swallowed} errors" in ran.stdout, ran.stdout + ran.stderr
    assert ran.stdout.count("the test asked for another machine: 192.0.2.1") == 3
    assert "asked for another machine: psp.invalid" in ran.stdout
    assert "asked for another machine: game.invalid" in ran.stdout
