"""The wire itself: broken connections, oversized and odd answers, settings, secrets."""

from __future__ import annotations

import asyncio
import gzip
import ipaddress
import logging
import ssl
import traceback
from contextlib import asynccontextmanager
from datetime import timedelta
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest
import structlog
from aiohttp import web
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from recon.clock import now
from recon.game import (
    GameClient,
    GameMisconfigured,
    GameOutcomeUnknown,
    GameProtocolError,
    GameRefused,
    GameSettingsInvalid,
    GameUnavailable,
    RetryPolicy,
    SigningMiddleware,
    hold_body,
)
from recon.money import Money

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from pathlib import Path

    from tests.game.conftest import Rig

    OpenRig = Callable[..., Awaitable[Rig]]

KEY, SECRET = "ck_sandbox_topsecretkey", "sk_sandbox_4f1d9c"
BODY = hold_body("r_77", Money(1000, "GBP"), Decimal("2.50"))


class RawServer:
    """Reads a request, writes the bytes it was given, and slams the door."""

    def __init__(self, answer: bytes) -> None:
        self._answer = answer
        self.requests = 0
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator[RawServer]:
        server = await asyncio.start_server(self._serve, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server:
            yield self

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        self.requests += 1
        writer.write(self._answer)
        await writer.drain()
        writer.transport.abort()


BROKEN = [
    b"",
    b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{",
    b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\n{",
    b"not http at all\r\n\r\n",
]


@pytest.mark.parametrize("answer", BROKEN)
async def test_a_connection_lost_mid_answer_leaves_a_post_unknown(
    open_rig: OpenRig, answer: bytes
) -> None:
    async with RawServer(answer).running() as server:
        rig = await open_rig(base_url=server.url)

        with pytest.raises(GameOutcomeUnknown) as caught:
            await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)

        assert caught.value.reason == "connection_lost"
        assert server.requests == 1


@pytest.mark.parametrize("answer", BROKEN)
async def test_a_connection_lost_mid_answer_is_tried_again_for_a_get(
    open_rig: OpenRig, answer: bytes
) -> None:
    async with RawServer(answer).running() as server:
        rig = await open_rig(base_url=server.url)

        with pytest.raises(GameUnavailable):
            await rig.client.state()

        assert len(rig.attempts) == 4
        assert server.requests >= 4  # aiohttp repeats a GET once by itself when nothing came back


async def test_a_connection_that_the_server_gives_up_under_a_post_leaves_it_unknown(
    open_rig: OpenRig,
) -> None:
    requests: list[bytes] = []
    state = b'{"code":"not_found","message":"","request_id":""}'

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(
            b"HTTP/1.1 404 Not Found\r\nContent-Length: %d\r\n\r\n%b" % (len(state), state)
        )
        await writer.drain()
        requests.append(await reader.readuntil(b"\r\n\r\n"))
        writer.transport.abort()

    async with await asyncio.start_server(serve, "127.0.0.1", 0) as server:
        rig = await open_rig(base_url=f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(GameRefused):
            await rig.client.state()
        with pytest.raises(GameOutcomeUnknown) as caught:
            await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)

    assert caught.value.reason == "connection_lost"
    assert [request[:4] for request in requests] == [b"GET ", b"POST"]


async def test_an_answer_that_drips_in_is_given_up_in_time(open_rig: OpenRig) -> None:
    async def drip(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        for _ in range(1000):
            await response.write(b" ")
            await asyncio.sleep(0.02)
        return response

    rig = await open_rig(timeout_s=0.2)
    rig.game.will(drip)
    loop = asyncio.get_running_loop()
    began_s = loop.time()
    with pytest.raises(GameOutcomeUnknown):
        await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)

    assert loop.time() - began_s < 10.0


@pytest.mark.parametrize("chunked", [False, True])
async def test_a_huge_answer_is_not_read(rig: Rig, *, chunked: bool) -> None:
    sent = 0

    async def flood(request: web.Request) -> web.StreamResponse:
        nonlocal sent
        response = web.StreamResponse()
        if not chunked:
            response.content_length = 1 << 30
        await response.prepare(request)
        while sent < 1 << 26:
            await response.write(b" " * 65536)
            sent += 65536
        return response

    rig.game.will(flood)

    with pytest.raises(GameProtocolError, match="larger than"):
        await rig.client.state()
    with pytest.raises(GameOutcomeUnknown):
        await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)

    assert sent < 1 << 25


async def test_a_compressed_answer_is_refused_unread(rig: Rig) -> None:
    async def bomb(_: web.Request) -> web.StreamResponse:
        return web.Response(body=gzip.compress(b"{}"), headers={"Content-Encoding": "gzip"})

    rig.game.will(bomb)

    with pytest.raises(GameProtocolError, match="gzip"):
        await rig.client.state()

    assert rig.game.seen[0].headers["Accept-Encoding"] == "identity"


async def test_one_connection_serves_many_calls(open_rig: OpenRig) -> None:
    rig = await open_rig(connections=1)
    ports: set[Any] = set()

    async def answer(request: web.Request) -> web.StreamResponse:
        assert request.transport is not None
        ports.add(request.transport.get_extra_info("peername")[1])
        return web.json_response(rig.game.state())

    rig.game.will(answer)

    await asyncio.gather(*(rig.client.state() for _ in range(20)))

    assert len(rig.game.seen) == 20
    assert len(ports) == 1


@pytest.mark.parametrize(
    "url",
    [
        "http://game.example",
        "http://192.0.2.1:8080",
        "http://127.0.0.1.example",
        "ftp://game.example",
        "game.example",
        "",
        "https://",
        "https://me:pw@game.example",
        "https://game.example/?key=x",
        "https://game.example/#x",
    ],
)
def test_a_url_that_would_expose_the_key_or_is_none_is_refused(url: str) -> None:
    with pytest.raises(GameSettingsInvalid):
        GameClient(url, KEY, SECRET)


@pytest.mark.parametrize(
    "url", ["https://game.example/", "http://localhost:1", "http://127.9.9.9", "http://[::1]:8080"]
)
def test_tls_or_loopback_is_accepted(url: str) -> None:
    assert "game" in repr(GameClient(url, KEY, SECRET)).lower()


@pytest.mark.parametrize(
    ("key", "secret"), [("", SECRET), (KEY, ""), ("a\nb", SECRET), ("clé", SECRET), (KEY, "a b")]
)
def test_keys_that_cannot_travel_are_refused_without_showing_them(key: str, secret: str) -> None:
    with pytest.raises(GameSettingsInvalid) as caught:
        GameClient("https://game.example", key, secret)

    assert not key or key not in str(caught.value)


async def test_a_certificate_that_nobody_vouches_for_is_for_people_and_sees_no_key(
    open_rig: OpenRig, tmp_path: Path
) -> None:
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += bool(await reader.read(1))
        writer.close()

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=self_signed(tmp_path))
    async with server:
        rig = await open_rig(base_url=f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        with pytest.raises(GameMisconfigured) as caught:
            await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)

    assert caught.value.reason == "untrusted_server"
    assert requests == 0
    assert len(rig.attempts) == 1


@pytest.mark.filterwarnings("ignore:ssl.TLSVersion:DeprecationWarning")
async def test_tls_below_1_2_is_not_spoken(open_rig: OpenRig, tmp_path: Path) -> None:
    context = self_signed(tmp_path)
    context.set_ciphers("ALL:@SECLEVEL=0")
    context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    careless = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    careless.check_hostname, careless.verify_mode = False, ssl.CERT_NONE
    careless.set_ciphers("ALL:@SECLEVEL=0")
    careless.minimum_version = ssl.TLSVersion.TLSv1_1
    requests = 0

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        nonlocal requests
        requests += bool(await reader.read(1))
        writer.close()

    async with await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context) as server:
        port = server.sockets[0].getsockname()[1]
        _, writer = await asyncio.open_connection("127.0.0.1", port, ssl=careless)
        spoken = writer.get_extra_info("ssl_object").version()
        writer.close()
        await writer.wait_closed()
        rig = await open_rig(base_url=f"https://127.0.0.1:{port}", retry=RetryPolicy(attempts=1))
        with pytest.raises(GameUnavailable):  # not GameMisconfigured: no certificate was looked at
            await rig.client.hold("u_1001", idempotency_key="k1", body=BODY)

    assert spoken == "TLSv1.1"
    assert requests == 0


def self_signed(folder: Path) -> ssl.SSLContext:
    """A server's context with a certificate for 127.0.0.1 that it signed itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now() - timedelta(days=1))
        .not_valid_after(now() + timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    pem = folder / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(pem)
    return context


def test_a_timeout_of_nothing_is_refused() -> None:
    with pytest.raises(GameSettingsInvalid):
        GameClient("https://game.example", KEY, SECRET, timeout_s=0)


async def test_a_client_is_opened_once(rig: Rig) -> None:
    with pytest.raises(RuntimeError, match="open already"):
        await rig.client.__aenter__()


async def test_a_client_that_is_not_open_sends_nothing() -> None:
    client = GameClient("https://game.example", KEY, SECRET)

    with pytest.raises(RuntimeError, match="async with"):
        await client.state()


async def test_keys_and_secrets_show_nowhere(
    open_rig: OpenRig, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    texts: list[str] = []

    def observer(attempt: object) -> None:
        texts.append(repr(attempt))
        raise RuntimeError(repr(attempt))

    with structlog.testing.capture_logs() as logs:
        for answer in BROKEN:
            async with RawServer(answer).running() as server:
                rig = await open_rig(base_url=server.url, on_attempt=observer)
                texts.append(repr(rig.client))
                for call in (
                    rig.client.state(),
                    rig.client.hold("u_1001", idempotency_key="k1", body=BODY),
                ):
                    with pytest.raises((GameUnavailable, GameOutcomeUnknown)) as caught:
                        await call
                    error: BaseException | None = caught.value
                    texts += traceback.format_exception(error)
                    while error is not None:
                        texts += [repr(error), str(error), str(vars(error))]
                        error = error.__cause__

    texts += [str(logs), caplog.text, repr(SigningMiddleware(SECRET))]
    assert len(logs) == 4 * (4 + 1)  # the observer's fault is told, and changes nothing
    for text in texts:
        assert "topsecretkey" not in text
        assert "4f1d9c" not in text
