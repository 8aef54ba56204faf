"""Secrets and people's data are planted at every door; then every byte that came out is searched.

Where a planted thing may stand is named in `EVIDENCE`, and nowhere else.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import re
import signal
import socket
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import quote, urlsplit

import aiohttp
import asyncpg
from yarl import URL

from recon.db.embedded.binaries import packaged_binaries
from recon.db.embedded.child import die_with_parent
from recon.http.keys import Scope, create_key
from recon.web import Role, add_staff
from recon.webhooks.psp import adyen, standard_webhooks, stripe
from tests.journeys.hostile import hostile_companies, hostile_mail

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from pathlib import Path

    from recon.db import Pool

SECRETS: Final = {
    "game key": "ck_sandbox_Top5ecretGame",
    "game signing secret": "sk_sandbox_Top5ecretSigning",
    "game signing secret before": "sk_sandbox_Top5ecretFormer",
    "stripe signing secret": "whsec_Top5ecretStripe",
    "stripe api key": "rk_test_Top5ecretApi",
    "adyen key": "c0ffee" * 10 + "5ec7",
    "bank secret": "whsec_" + base64.b64encode(b"Top5ecretBank of 32 bytes.......").decode(),
    "seal key": "Top5ecretSeal" * 3,
    "oidc secret": "Top5ecretOidc",
    "alert secret": "whsec_" + base64.b64encode(b"Top5ecretAlert of 32 bytes......").decode(),
    "mail password": "Top5ecretMail",
    "password": "Top5ecretPassword",
    "wrong password": "Top5ecretGuess",
    "wrong api key": "rk_Top5ecretGuessed",
    "authorization code": "Top5ecretCode",
    "lost password": "Top5ecretLost",
}
PERSON: Final = {
    "e-mail": "zaphod.b@betelgeuse.example",
    "name": "Zaphod B",
    "card": "4242424242424242",
}
EVIDENCE: Final = {
    # The bytes that the PSP has signed, kept to be proven again until they are redacted by age.
    ("dump", "deliveries.body"): PERSON,
    ("dump", "delivery_repeats.body"): PERSON,
    # What staff and callers with admin:webhook ask for by its id.
    ("webhooks show", "stdout"): PERSON,
}
PAGES: Final = (
    *("/", "/discrepancies", "/approvals", "/wallets", "/wallets/u_7", "/runs", "/webhooks"),
    *("/settlements", "/cases", "/audit", "/settings", "/docs", "/openapi.json", "/nowhere"),
    *("/discrepancies/export?format=csv", "/webhooks/export", "/cases/export", "/audit/export"),
)
DETAILS: Final = {"email": PERSON["e-mail"], "name": PERSON["name"], "card": PERSON["card"]}


_ONE_BY_ONE: Final = """
import json, os, sys, traceback
from recon.cli import main

before = dict(os.environ)
for words, more in json.load(sys.stdin):
    for stream in (sys.stdout, sys.stderr):
        print("\\x1e", end="", file=stream, flush=True)
    os.environ.update(more)
    sys.argv = ["recon", "--log-level", "debug", *words]
    try:
        main()
    except SystemExit:
        pass
    except BaseException:
        traceback.print_exc()
    for name in more:
        os.environ.pop(name)
    os.environ.update(before)
"""


@dataclass
class Told:
    """Everything that came out, by where it did."""

    parts: list[tuple[str, str, bytes]] = field(default_factory=list)

    def add(self, door: str, part: str, content: bytes | str) -> None:
        raw = content if isinstance(content, bytes) else content.encode()
        self.parts.append((door, part, raw))

    def traced(self, spans: bytes) -> None:
        """What a collector of traces is sent, in protobuf, whose texts are as they are."""
        self.add("traces", "spans", spans)

    def found(self, planted: Mapping[str, str]) -> Iterator[str]:
        """Where a planted thing stands that should not, however it is written."""
        for door, part, content in self.parts:
            allowed = EVIDENCE.get((door, part), {})
            for what, text in planted.items():
                if what not in allowed and any(way in content for way in _ways(text)):
                    at = next(content.index(way) for way in _ways(text) if way in content)
                    yield f"{what} in {door}, {part}: {content[max(0, at - 200) : at + 60]!r}"


def _ways(text: str) -> list[bytes]:
    raw = text.encode()
    ways = [raw, raw.hex().encode(), quote(text, safe="").encode()]
    ways += [base64.b64encode(raw).rstrip(b"="), base64.b64encode(raw[1:])[4:-4]]
    ways += [base64.b64encode(b" " + raw)[4:-4]]
    if text.startswith("whsec_"):  # what stands in it as base64
        ways += [way for way in (_decoded(text),) if way]
    return [way for way in ways if len(way) > 7]


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except ValueError:
        return b""


@dataclass
class Commands:
    """``recon …`` with everything planted in its settings."""

    home: Path
    environment: dict[str, str]
    told: Told

    async def each(self, commands: list[tuple[tuple[str, ...], dict[str, str]]]) -> None:
        """Run many in one process, each with more in its environment: starting is what costs."""
        child = await self._start("-c", _ONE_BY_ONE)
        out, err = await asyncio.wait_for(child.communicate(json.dumps(commands).encode()), 500)
        for part, said in (("stdout", out), ("stderr", err)):
            outputs = said.split(b"\x1e")[1:]
            assert len(outputs) == len(commands), err[-2000:]
            for (words, _), output in zip(commands, outputs, strict=True):
                self.told.add(" ".join(words[:2]), part, output)

    async def serve(self) -> tuple[asyncio.subprocess.Process, str]:
        serve = ("--log-level", "debug", "serve", "--port", "0", "--json")
        child = await self._start("-m", "recon", *serve)
        assert child.stdout is not None
        line = await asyncio.wait_for(child.stdout.readline(), 300)
        if not line:
            raise AssertionError((await child.communicate())[1].decode())
        return child, json.loads(line)["url"]

    async def _start(self, *arguments: str) -> asyncio.subprocess.Process:
        pipe = asyncio.subprocess.PIPE
        return await asyncio.create_subprocess_exec(
            *(sys.executable, *arguments),
            stdin=pipe,
            stdout=pipe,
            stderr=pipe,
            cwd=self.home,
            limit=1 << 24,
            preexec_fn=die_with_parent(),
            env={"PATH": os.environ["PATH"], "HOME": str(self.home), **self.environment},
        )


def planted_settings(database_url: str, companies: str, mail: int) -> dict[str, str]:
    said = {
        "DATABASE_URL": database_url,
        "GAME_URL": f"{companies}/game",
        "GAME_API_KEY": SECRETS["game key"],
        "GAME_SIGNING_SECRET": SECRETS["game signing secret"],
        "GAME_SIGNING_SECRET_PREVIOUS": SECRETS["game signing secret before"],
        "GRACE_PERIOD": "1s",
        "SEAL_KEYS": json.dumps([SECRETS["seal key"]]),
        "PSP__UK__PROVIDER": "stripe",
        "PSP__UK__SECRETS": json.dumps([SECRETS["stripe signing secret"]]),
        "PSP__UK__API_KEY": SECRETS["stripe api key"],
        "PSP__UK__API_URL": f"{companies}/stripe",
        "PSP__CARDS__PROVIDER": "adyen",
        "PSP__CARDS__SECRETS": json.dumps([SECRETS["adyen key"]]),
        "PSP__CARDS__MERCHANT_ACCOUNT": "TestMerchant",
        "PSP__BANK__PROVIDER": "standard-webhooks",
        "PSP__BANK__SECRETS": json.dumps([SECRETS["bank secret"]]),
        "PUBLIC_URL": "http://127.0.0.1:1",
        "OIDC__ISSUER": f"{companies}/oidc",
        "OIDC__CLIENT_ID": "recon",
        "OIDC__CLIENT_SECRET": SECRETS["oidc secret"],
        "ALERTS__WEBHOOKS__OPS__URL": f"{companies}/alerts",
        "ALERTS__WEBHOOKS__OPS__SECRET": SECRETS["alert secret"],
        "ALERTS__EMAIL__URL": f"smtp+plain://me:{SECRETS['mail password']}@127.0.0.1:{mail}",
        "ALERTS__EMAIL__SENDER": "recon@example.com",
        "ALERTS__EMAIL__RECIPIENTS": '["finance@example.com"]',
    }
    collector = {
        "RECON_TRACING": "on",
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"{companies}/otlp",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
    }
    return {f"RECON_{name}": value for name, value in said.items()} | collector


def calls(prefix: str = "e") -> Iterator[tuple[str, bytes, dict[str, str]]]:
    """Webhooks of every provider with somebody's data in them: right, wrong and unreadable."""
    at = str(int(time.time()))
    for number, (event, amount) in enumerate(
        [("deposit.succeeded", "20.00"), ("deposit.succeeded", "2.00001"), ("unheard.of", "1.00")]
    ):
        data = {"payment_id": f"p{number}", "user_id": "u_7", "amount": amount, "currency": "GBP"}
        # First, so that it stands in what Postgres repeats of a row.
        said = {"n": PERSON["name"], "type": event, "timestamp": "2026-11-22T10:00:00Z"}
        body = json.dumps(said | {"data": data | DETAILS}).encode()
        for name, secret in ((f"{prefix}{number}", SECRETS["bank secret"]), ("e9", "whsec_AAAA")):
            signed = {"webhook-id": name, "webhook-timestamp": at}
            signed["webhook-signature"] = standard_webhooks.sign(secret, name, at, body)
            yield "bank", body, signed
    intent: dict[str, Any] = {
        "id": "pi_1",
        "object": "payment_intent",
        "amount_received": 500,
        "currency": "gbp",
    }
    intent |= {"metadata": {"user_id": "u_7"} | DETAILS, "receipt_email": PERSON["e-mail"]}
    for number, kind in enumerate(["payment_intent.succeeded", "refund.created"]):
        sent = {"id": f"evt_{number}", "object": "event", "type": kind, "livemode": False}
        body = json.dumps(sent | {"created": int(at), "data": {"object": intent}}).encode()
        mac = stripe.sign(SECRETS["stripe signing secret"], at, body)
        yield "uk", body, {"Stripe-Signature": f"t={at},v1={mac}"}
    item: dict[str, Any] = {
        "pspReference": "psp1",
        "merchantAccountCode": "TestMerchant",
        "merchantReference": "nobody's",
        "amount": {"value": 900, "currency": "GBP"},
        "eventCode": "AUTHORISATION",
        "eventDate": "2026-11-22T10:00:00+00:00",
        "success": "true",
        "additionalData": {"cardHolderName": PERSON["name"], "shopperEmail": PERSON["e-mail"]},
        "reason": f"1234:{PERSON['card']}",
    }
    item["additionalData"]["hmacSignature"] = adyen.sign(SECRETS["adyen key"], item)
    items = {"live": "false", "notificationItems": [{"NotificationRequestItem": item}]}
    yield "cards", json.dumps(items).encode(), {}
    body = f"{DETAILS} is no JSON".encode()
    signed = {"webhook-id": "e8", "webhook-timestamp": at}
    signed["webhook-signature"] = standard_webhooks.sign(SECRETS["bank secret"], "e8", at, body)
    yield "bank", body, signed


@dataclass
class Visitor:
    """Somebody with a browser's cookies, all of whose answers are kept."""

    session: aiohttp.ClientSession
    told: Told
    statuses: set[int] = field(default_factory=set)

    async def ask(self, method: str, path: str, **given: Any) -> aiohttp.ClientResponse:  # noqa: ANN401 - aiohttp's own
        asked = f"{method} {path.partition('?')[0]}"[:60]
        async with self.session.request(method, path, allow_redirects=False, **given) as answer:
            said = str([pair for pair in answer.headers.items() if pair[0] != "Set-Cookie"])
            self.told.add(asked, "headers", said)
            self.told.add(asked, "body", await answer.read())
            self.statuses.add(answer.status)
            return answer


async def call(visitor: Visitor, key: str) -> None:
    """The webhooks' and the API's doors: right, wrong, and with keys where none belong."""
    bearer = {"Authorization": f"Bearer {key}"}
    for endpoint, body, headers in calls():
        typed = headers | {"Content-Type": "application/json"}
        await visitor.ask("POST", f"/webhooks/{endpoint}", data=body, headers=typed)
    for wrong in (
        {"Authorization": f"Bearer {SECRETS['wrong api key']}"},
        {"Authorization": f"Basic {base64.b64encode(key.encode()).decode()}"},
        {"X-Api-Key": key},
        {"Authorization": f"Bearer {key}", "Idempotency-Key": SECRETS["wrong api key"] * 20},
    ):
        await visitor.ask("POST", "/api/v1/bets", json={}, headers=wrong)
    await visitor.ask("GET", f"/api/v1/payments?api_key={key}")
    await visitor.ask("GET", f"/{key}", headers={"Accept": "text/html"})
    await visitor.ask("GET", f"/{key}")
    bet = {"user_id": "u_7", "round_id": "r", "amount": "1.00", "currency": "GBP"}
    await visitor.ask("POST", "/api/v1/bets", json=bet, headers=bearer | {"Idempotency-Key": "1"})
    await visitor.ask("GET", "/api/v1/game/state", headers=bearer)
    run = {"scope": "users", "users": ["u_7"]}
    path = "/api/v1/reconciliation/runs"
    await visitor.ask("POST", path, json=run, headers=bearer | {"Idempotency-Key": "2"})


async def look_around(visitor: Visitor) -> None:
    """Sign in, by a wrong and the right password, see every page, and go to the provider."""
    for name in ("wrong password", "password"):
        form = {"name": "ada", "password": SECRETS[name], "next": "/"}
        same = {"Sec-Fetch-Site": "same-origin"}
        await visitor.ask("POST", "/sign-in", data=form, headers=same)
    for page in PAGES:
        await visitor.ask("GET", page, headers={"Accept": "text/html"})
    to_provider = await visitor.ask("GET", "/sign-in/oidc")
    state = re.search(r"state=([^&]+)", to_provider.headers["Location"])
    assert state is not None
    back = f"/sign-in/oidc/callback?code={SECRETS['authorization code']}&state={state.group(1)}"
    await visitor.ask("GET", back, headers={"Accept": "text/html"})


async def break_things(visitor: Visitor, key: str, owner: asyncpg.Connection[Any]) -> None:
    """Let our own code and the database fail, each time with the values at hand."""
    await owner.execute("ALTER TABLE deliveries ADD CHECK (false) NOT VALID")
    for endpoint, body, headers in calls("again"):
        await visitor.ask("POST", f"/webhooks/{endpoint}", data=body, headers=headers)
    await owner.execute("ALTER TABLE payments RENAME TO gone")
    await owner.execute("ALTER TABLE sign_in_links RENAME TO gone_too")
    bearer = {"Authorization": f"Bearer {key}"}
    await visitor.ask("GET", "/api/v1/payments/none", headers=bearer)
    link = f"/sign-in/once/{SECRETS['password']}"
    await visitor.ask("GET", link)
    await visitor.ask("GET", link, headers={"Accept": "text/html"})
    await visitor.ask("POST", link, headers={"Sec-Fetch-Site": "same-origin"})
    await owner.execute("ALTER TABLE gone RENAME TO payments")
    await owner.execute("ALTER TABLE gone_too RENAME TO sign_in_links")
    await visitor.ask("GET", "/metrics")
    url = visitor.session._base_url  # noqa: SLF001 - what it was made with
    assert url is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", url.port)
    writer.write(b"GET / HTTP/1.1\r\nHost: x\r\nAuthorization Bearer " + key.encode() + b"\r\n\r\n")
    visitor.told.add("broken HTTP", "answer", await reader.read())
    writer.close()


async def drive(url: str, key: str, told: Told, owner: asyncpg.Connection[Any]) -> dict[str, str]:
    """Come in by every door, with what is right, what is wrong and what breaks; new secrets."""
    jar = aiohttp.CookieJar(unsafe=True)
    async with aiohttp.ClientSession(url, cookie_jar=jar) as session:
        visitor = Visitor(session, told)
        await call(visitor, key)
        await look_around(visitor)
        cookie = jar.filter_cookies(URL(url))["recon"].value
        await break_things(visitor, key, owner)
    assert {200, 303, 400, 401, 404, 500, 503} <= visitor.statuses, visitor.statuses
    return {"session": cookie}


async def dumped(owner_url: str, told: Told) -> None:
    """All that the database has, as `pg_dump` writes it, column by column."""
    program = packaged_binaries().bin("pg_dump")
    child = await asyncio.create_subprocess_exec(
        str(program), owner_url, stdout=asyncio.subprocess.PIPE, env={"PATH": "/usr/bin"}
    )
    out, _ = await child.communicate()
    assert child.returncode == 0
    table, rows = "", 0
    columns: list[str] = []
    for line in out.split(b"\n"):
        begins = re.match(rb"COPY public\.(\w+) \(([^)]*)\) FROM stdin;", line)
        if begins is not None:
            table, columns = begins[1].decode(), begins[2].decode().split(", ")
        elif line == rb"\.":
            table = ""
        elif table:
            rows += 1
            for column, value in zip(columns, line.split(b"\t"), strict=True):
                told.add("dump", f"{table}.{column}", value)
                if value.startswith(rb"\\x"):
                    told.add("dump", f"{table}.{column}", bytes.fromhex(value[3:].decode()))
        else:
            told.add("dump", "schema", line)
    assert rows > 30


async def test_no_byte_that_comes_out_holds_a_secret_or_somebodys_data(
    database_url: str, owner_url: str, pool: Pool, tmp_path: Path
) -> None:
    told = Told()
    async with hostile_companies(told.traced) as companies, hostile_mail() as mail:
        settings = planted_settings(database_url, companies, mail)
        recon = Commands(tmp_path, settings, told)
        created = await create_key(pool, name="ops", scopes=list(Scope), lifetime=None)
        password = SECRETS["password"]
        await add_staff(pool, name="ada", role=Role.ADMIN, password=password, actor="cli")
        service, url = await recon.serve()
        owner = await asyncpg.connect(owner_url)
        try:
            new = await drive(url, created.key, told, owner)
        finally:
            await owner.close()
            service.send_signal(signal.SIGTERM)
            out, err = await asyncio.wait_for(service.communicate(), 300)
        assert service.returncode == 0
        told.add("serve", "stdout", out)
        told.add("serve", "stderr", err)
        first = await pool.fetchval("SELECT delivery_id FROM deliveries WHERE event_id = 'e0'")
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            port = str(taken.getsockname()[1])
            lost = f"postgresql://me:{SECRETS['lost password']}@127.0.0.1:{port}/x"
            # Side by side: what asks the game or a database that is gone mostly waits.
            await asyncio.gather(
                recon.each([(("doctor", "--json"), {})]),
                recon.each([(("doctor",), {"RECON_DATABASE_URL": lost})]),
                recon.each(
                    [
                        *((words, {}) for words in _WORDS),
                        (("webhooks", "show", str(first)), {}),
                        (("serve", "--port", port, "--json"), {}),
                        (("serve", "--port", "0"), {"RECON_DATABASE_URL": lost}),
                        *((("config", "show"), {name: value}) for name, value in _misplaced()),
                    ]
                ),
            )
    await dumped(owner_url, told)
    planted = SECRETS | PERSON | new | {"api key": created.key, "database": _password(owner_url)}
    planted |= {"service's database password": _password(database_url)}

    assert b'"event":"request_crashed"' in err
    assert b"CheckViolationError" in err
    assert list(told.found(planted)) == []
    spans = b"".join(content for door, _, content in told.parts if door == "traces")
    assert b"GET /sign-in/once/{token}" in spans
    # The search does find what is there.
    evidence = {(door, part) for door, part, content in told.parts if b"Zaphod" in content}
    assert evidence == EVIDENCE.keys()


_WORDS = (
    ("config", "show"),
    ("config", "show", "--json"),
    ("verify", "--json"),
    ("keys", "list", "--json"),
    ("users", "list", "--json"),
    ("cases", "list", "--json"),
    ("webhooks", "list", "--json"),
    ("webhooks", "backfill"),
    ("alerts", "test"),
    ("reconcile", "--user", "u_7"),
)


def _misplaced() -> Iterator[tuple[str, str]]:
    """Secrets where something else belongs, each a fault of the settings."""
    secret = SECRETS["game signing secret"]
    for name in ("GAME_URL", "PUBLIC_URL", "ENVIRONMENT", "OIDC__ISSUER", "POOL_SIZE"):
        yield f"RECON_{name}", secret
    yield "RECON_DATABASE_URL", f"mysql://me:{SECRETS['lost password']}@127.0.0.1/x"
    yield "RECON_GRACE_PERIOD", secret
    yield "RECON_TOLERANCE__GBP", secret
    yield "RECON_GAME_SIGNING_SECRET_FILE", secret
    yield "RECON_PSP__BANK__SECRETS", SECRETS["bank secret"]
    yield "RECON_SEAL_KEYS", json.dumps(["Top5ecretSeal"])
    yield "RECON_ALERTS__EMAIL__URL", SECRETS["mail password"]
    yield "RECON_TRUSTED_PROXIES", json.dumps([secret])


def _password(url: str) -> str:
    password = urlsplit(url).password
    assert password
    return password
