"""Receivers of alerts as they are out there: a webhook on a socket and an SMTP server; a ledger."""

from __future__ import annotations

import asyncio
import json
import ssl
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from email import message_from_bytes
from email.policy import default
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Literal

import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from aiosmtpd.smtp import SMTP, AuthResult
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from recon.alerts import Alerting, Mailbox, Receiver, find_alerts, send_due
from recon.clock import now
from recon.webhooks.psp.standard_webhooks import verify
from tests.alerts.plain import EVERYTHING, SECRET
from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable
    from email.message import EmailMessage
    from pathlib import Path
    from uuid import UUID

    from aiosmtpd.smtp import Envelope, LoginPassword, Session

    from recon.db import Pool


def ago(**span: float) -> datetime:
    return now() - timedelta(**span)


@dataclass
class Hook:
    """A receiver: what came, each proven by its signature, and what it answers."""

    url: str = ""
    secret: str = SECRET
    answers: list[int] = field(default_factory=list)
    headers: dict[str, str] = field(default_factory=dict)
    calls: list[tuple[str, dict[str, Any]]] = field(default_factory=list)
    signatures: list[str] = field(default_factory=list)
    # What happens once a message is there, before it is answered.
    meanwhile: Callable[[], Awaitable[None]] | None = None

    async def take(self, request: web.Request) -> web.Response:
        body = await request.read()
        verify(request.headers, body, [self.secret], now())
        self.calls.append((request.headers["webhook-id"], json.loads(body)))
        self.signatures.append(request.headers["webhook-signature"])
        if self.meanwhile is not None:
            happens, self.meanwhile = self.meanwhile, None
            await happens()
        status = self.answers.pop(0) if self.answers else 204
        return web.Response(status=status, headers=self.headers, text="x" * 100)

    @property
    def ids(self) -> list[str]:
        return [message_id for message_id, _ in self.calls]

    @property
    def said(self) -> list[dict[str, Any]]:
        return [body for _, body in self.calls]

    def receiver(self, label: str = "ops", **changes: Any) -> Receiver:  # noqa: ANN401 - its own
        plain = Receiver(label=label, url=self.url, secrets=[SECRET], wants=EVERYTHING)
        return replace(plain, **changes)


@pytest.fixture
async def hook() -> AsyncIterator[Hook]:
    taken = Hook()
    app = web.Application()
    app.router.add_post("/hook", taken.take)
    async with TestServer(app) as server:
        taken.url = str(server.make_url("/hook"))
        yield taken


@dataclass
class Post:
    """An SMTP server and what it has taken."""

    port: int = 0
    letters: list[EmailMessage] = field(default_factory=list)
    to: list[list[str]] = field(default_factory=list)
    refused: dict[str, str] = field(default_factory=dict)
    failures: list[str] = field(default_factory=list)
    was_encrypted: list[bool] = field(default_factory=list)
    signed_in: list[tuple[str, str]] = field(default_factory=list)
    at_quit: Literal["goes", "dies", "hangs"] = "goes"
    left: asyncio.Event = field(default_factory=asyncio.Event)

    async def handle_QUIT(  # noqa: N802 - aiosmtpd calls it by this name
        self, server: SMTP, _session: Session, _envelope: Envelope
    ) -> str:
        if self.at_quit == "dies" and server.transport is not None:
            server.transport.close()
        elif self.at_quit == "hangs":
            await self.left.wait()
        return "221 Bye"

    async def handle_RCPT(  # noqa: N802 - aiosmtpd calls it by this name
        self,
        _server: SMTP,
        _session: Session,
        envelope: Envelope,
        address: str,
        _options: list[str],
    ) -> str:
        if address in self.refused:
            return self.refused[address]
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(  # noqa: N802 - the same
        self, server: SMTP, session: Session, envelope: Envelope
    ) -> str:
        if self.failures:
            return self.failures.pop(0)
        assert isinstance(envelope.content, bytes)
        self.letters.append(message_from_bytes(envelope.content, policy=default))
        self.to.append(envelope.rcpt_tos)
        from_the_start = server.transport and server.transport.get_extra_info("sslcontext")
        self.was_encrypted.append(bool(session.ssl or from_the_start))
        return "250 taken"

    def sign_in(self, *asked: object) -> AuthResult:
        login: LoginPassword = asked[-1]  # type: ignore[assignment]  # aiosmtpd's own
        self.signed_in.append((login.login.decode(), login.password.decode()))
        return AuthResult(success=True)

    def mailbox(self, **changes: Any) -> Mailbox:  # noqa: ANN401 - its own fields
        plain = Mailbox(
            host="localhost",
            port=self.port,
            security="none",
            username=None,
            password=None,
            sender="recon@example.com",
            recipients=["finance@example.com", "risk@example.com"],
            wants=EVERYTHING,
        )
        return replace(plain, **changes)


@asynccontextmanager
async def open_post(
    *, tls: ssl.SSLContext | None = None, starttls: ssl.SSLContext | None = None
) -> AsyncIterator[Post]:
    post = Post()
    loop = asyncio.get_running_loop()

    def begin() -> SMTP:
        return SMTP(
            post,
            hostname="mail.localhost",
            loop=loop,
            tls_context=starttls,
            authenticator=post.sign_in,
            auth_require_tls=tls is None,  # it does not see that of the socket itself
        )

    server = await loop.create_server(begin, "localhost", 0, ssl=tls)
    post.port = server.sockets[0].getsockname()[1]
    for other in server.sockets[1:]:
        assert other.getsockname()[1]
    try:
        yield post
    finally:
        post.left.set()
        server.close()
        await server.wait_closed()


@pytest.fixture
async def post() -> AsyncIterator[Post]:
    async with open_post() as opened:
        yield opened


@pytest.fixture
def certificate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext:
    """A server's certificate for this machine, which clients of this process trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    addresses = x509.SubjectAlternativeName(
        [x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))]
    )
    signed = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(ago(hours=1))
        .not_valid_after(ago(hours=-1))
        .add_extension(addresses, critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    pem = tmp_path / "server.pem"
    pem.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + signed.public_bytes(serialization.Encoding.PEM)
    )
    monkeypatch.setenv("SSL_CERT_FILE", str(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    return context


@dataclass
class Books:
    """What is wrong, as runs would have found it; and time, which passes at our word."""

    pool: Pool
    owner: Pool
    cases: Cases

    async def differs(
        self, user: str, game: str, *, currency: str = "GBP", stood: timedelta = timedelta(hours=1)
    ) -> UUID:
        """The game shows money that the ledger has not, and nothing explains it."""
        return await self.cases.seen(user, game, currency=currency, since=now() - stood)

    async def many(self, count: int) -> None:
        """As many discrepancies as that, like the only one that there is, each a penny larger."""
        rows = await self.pool.fetch(
            "SELECT column_name AS name FROM information_schema.columns"
            " WHERE table_schema = 'public' AND table_name = 'discrepancies'"
        )
        other = {
            "user_id": "'player_' || n",
            "discrepancy_id": "gen_random_uuid()",
            "available_difference": "1000 + n",
            "difference": "1000 + n",
            "unexplained": "1000 + n",
        }
        names = [row["name"] for row in rows]
        values = [other.get(name, f"d.{name}") for name in names]
        await self.pool.execute(
            f"INSERT INTO discrepancies ({', '.join(names)}) SELECT {', '.join(values)}"  # noqa: S608 - its own columns
            " FROM discrepancies AS d, generate_series(2, $1) AS n",
            count,
        )

    async def ran(
        self,
        state: str,
        *,
        started: datetime,
        took: timedelta | None = timedelta(seconds=10),
        scope: str = "changed",
        trigger: str = "schedule",
        dry: bool = False,
    ) -> str:
        """A run that began then; one that runs has not ended."""
        ended = None if state == "running" or took is None else started + took
        run_id: UUID = await self.pool.fetchval(
            "INSERT INTO runs (run_id, scope, trigger, state, dry_run, started_at, finished_at,"
            " total, compared, not_compared, reason)"
            " VALUES (gen_random_uuid(), $1, $2, $3, $4, $5, $6, 10, 7, 3, 'the game was gone')"
            " RETURNING run_id",
            *(scope, trigger, state, dry, started, ended),
        )
        return str(run_id)

    async def watched_for(self, span: timedelta) -> None:
        """As if alerts had been switched on so long ago."""
        await self.owner.execute("UPDATE alert_subjects SET at = at - $1::interval", span)
        await self.owner.execute("UPDATE alert_lanes SET since = since - $1::interval", span)

    async def pass_by(self, span: timedelta) -> None:
        """As if what was told and tried had been so much earlier."""
        await self.owner.execute("UPDATE alerts SET created_at = created_at - $1::interval", span)
        await self.owner.execute(
            "UPDATE alert_subjects SET at = at - $1::interval WHERE kind <> 'watch'", span
        )
        await self.owner.execute(
            "UPDATE alert_deliveries SET next_at = next_at - $1::interval", span
        )
        await self.owner.execute(
            "UPDATE alert_channels SET held_until = held_until - $1::interval", span
        )

    async def ways(self) -> list[tuple[str, str, int]]:
        """Deliveries: channel, state, attempts; in the order of their messages."""
        rows = await self.pool.fetch(
            "SELECT channel, state, attempts FROM alert_deliveries ORDER BY alert_id, channel"
        )
        return [(row["channel"], row["state"], row["attempts"]) for row in rows]

    async def look(self, alerting: Alerting) -> int:
        """Look for what is to be told and send it; how many messages that made."""
        found = await find_alerts(self.pool, alerting)
        await send_due(self.pool, alerting)
        return len(found)


@pytest.fixture
def books(pool: Pool, owner: Pool) -> Books:
    return Books(pool, owner, Cases(pool))
