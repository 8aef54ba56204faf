"""Files like those that PSPs send, and payments booked beside them."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from recon.clock import new_id, now
from recon.db import POOL
from recon.http.keys import Scope, create_key
from recon.http.problems import problem_middleware
from recon.http.rate_limits import FAILURES, LIMITER, RateLimiter
from recon.http.request_ids import request_id_middleware
from recon.http.uploads import UPLOADS, Uploads
from recon.ledger import verify_books
from recon.money import Money
from recon.payments import Direction, ExpectedPayment
from recon.settlements import (
    Account,
    Batch,
    Finding,
    FindingState,
    Imported,
    ImportOptions,
    SettlementFact,
    SettlementFile,
    find_settlement_facts,
    import_settlement,
    list_files,
    list_findings,
    read_batches,
)
from recon.settlements.handlers import IMPORTS, Imports, routes
from recon.webhooks import Delivery, Event, Kind, receive, register_payment
from recon.webhooks.inbox import CaseRow, list_cases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping, Sequence

    from recon.db import Pool

T0 = datetime(2025, 3, 1, 12, tzinfo=UTC)
ACCOUNTS = {
    "adyen": Account(endpoint="adyen", provider="adyen", merchant_account="TestMerchant"),
    "stripe": Account(endpoint="stripe", provider="stripe"),
    "standard": Account(endpoint="standard", provider="standard-webhooks"),
}

ADYEN_COLUMNS = [
    "Company Account",
    "Merchant Account",
    "Psp Reference",
    "Merchant Reference",
    "Payment Method",
    "Creation Date",
    "TimeZone",
    "Type",
    "Modification Reference",
    "Gross Currency",
    "Gross Debit (GC)",
    "Gross Credit (GC)",
    "Exchange Rate",
    "Net Currency",
    "Net Debit (NC)",
    "Net Credit (NC)",
    "Commission (NC)",
    "Markup (NC)",
    "Scheme Fees (NC)",
    "Interchange (NC)",
    "Payment Method Variant",
    "Modification Merchant Reference",
    "Batch Number",
    "Reserved4",
    "Reserved5",
    "Reserved6",
    "Reserved7",
    "Reserved8",
    "Reserved9",
    "Reserved10",
]
STRIPE_COLUMNS = [
    "automatic_payout_id",
    "automatic_payout_effective_at_utc",
    "balance_transaction_id",
    "created_utc",
    "available_on_utc",
    "currency",
    "gross",
    "fee",
    "net",
    "reporting_category",
    "source_id",
    "description",
    "customer_facing_amount",
    "customer_facing_currency",
    "charge_id",
    "payment_intent_id",
    "payment_metadata[reference]",
    "payment_metadata[user_id]",
]


def table(columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> bytes:
    """A CSV file; a row names what is not empty."""
    out = io.StringIO()
    writer = csv.DictWriter(out, columns, restval="", lineterminator="\n")
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue().encode()


def adyen_line(
    kind: str = "Settled",
    payment: str = "",
    *,
    gross: str = "20.00",
    net: str = "19.50",
    at: datetime = T0,
    **more: str,
) -> dict[str, str]:
    """A line of Adyen's report; more of it by the names of the columns in snake case."""
    credit = kind in {"Settled", "ChargebackReversed", "RefundedReversed"}
    line = {
        "Company Account": "Test",
        "Merchant Account": "TestMerchant",
        "Psp Reference": payment,
        "Merchant Reference": f"order-{payment}" if payment else "",
        "Creation Date": f"{at.astimezone(UTC):%Y-%m-%d %H:%M:%S}",
        "TimeZone": "UTC",
        "Type": kind,
        "Modification Reference": f"mod-{payment}" if payment else "",
        "Gross Currency": "GBP",
        "Net Currency": "GBP",
        "Gross Credit (GC)" if credit else "Gross Debit (GC)": gross,
        "Net Credit (NC)" if credit else "Net Debit (NC)": net,
        "Commission (NC)": "0.50" if kind == "Settled" else "",
        "Batch Number": "7",
    }
    names = {name.lower().replace(" ", "_"): name for name in ADYEN_COLUMNS}
    return line | {names[name]: value for name, value in more.items()}


def adyen_payout(amount: str, *, at: datetime = T0, batch: str = "7") -> dict[str, str]:
    """The line that closes a batch; its reference is words to people, with a comma in it."""
    words = f"TX1XT batch {batch}, TestMerchant batch {batch}, TestMerchant"
    more = {"modification_reference": words, "batch_number": batch}
    return adyen_line("MerchantPayout", gross="", net=amount, at=at, **more)


def adyen_file(*lines: Mapping[str, str], columns: list[str] | None = None) -> bytes:
    """Adyen's report, as wide as the samples of 2016 or with other columns."""
    chosen = columns or ADYEN_COLUMNS
    return table(chosen, [{name: line.get(name, "") for name in chosen} for line in lines])


def stripe_line(
    category: str = "charge",
    number: int = 1,
    *,
    gross: str = "20.00",
    fee: str = "0.50",
    net: str = "19.50",
    at: datetime = T0,
    **more: str,
) -> dict[str, str]:
    """A line of Stripe's itemised report."""
    return {
        "automatic_payout_id": "po_auto",
        "balance_transaction_id": f"txn_{category}_{number}",
        "created_utc": f"{at:%Y-%m-%d %H:%M:%S}",
        "currency": "gbp",
        "gross": gross,
        "fee": fee,
        "net": net,
        "reporting_category": category,
        "source_id": f"ch_{number}",
        "payment_intent_id": f"pi_{number}",
        **more,
    }


def stripe_file(*lines: Mapping[str, str]) -> bytes:
    return table(STRIPE_COLUMNS, [*lines])


@dataclass
class Office:
    """Payments booked as a PSP reports them, and files of what it settled."""

    pool: Pool

    async def report(
        self,
        kind: Kind,
        payment: str,
        *,
        endpoint: str = "adyen",
        amount: str = "20.00",
        currency: str = "GBP",
        at: datetime = T0,
        **more: Any,  # noqa: ANN401 - fields of an event
    ) -> str:
        """Let the PSP say something of a payment; the state of what it said."""
        event = Event(
            **{
                "endpoint": endpoint,
                "provider": ACCOUNTS[endpoint].provider,
                "event_id": f"evt_{new_id().hex}",
                "event_type": str(kind),
                "kind": kind,
                "payment_id": payment,
                "reference": f"order-{payment}",
                "user_id": "u_7",
                "amount": Money.parse(amount, currency),
                "event_at": at,
                **more,
            }
        )
        delivery = Delivery(
            delivery_id=new_id(),
            endpoint=event.endpoint,
            provider=event.provider,
            received_at=now(),
            body=b"{}",
            content_sha256=bytes(32),
            headers={},
            verified_by="key:0:00000000",
            event=event,
        )
        (outcome,) = await receive(self.pool, [delivery])
        return str(outcome.state)

    async def deposit(self, payment: str, amount: str = "20.00", **more: Any) -> None:  # noqa: ANN401 - as above
        assert await self.report(Kind.DEPOSIT_SUCCEEDED, payment, amount=amount, **more) == "booked"

    async def register(
        self,
        reference: str,
        *,
        endpoint: str = "adyen",
        direction: str = "deposit",
        user: str = "u_7",
        amount: str = "20.00",
    ) -> None:
        expected = ExpectedPayment(reference, endpoint, Direction(direction), user, amount, "GBP")
        await register_payment(self.pool, expected)

    async def take(
        self,
        content: bytes,
        endpoint: str = "adyen",
        *,
        name: str = "report.csv",
        columns: Mapping[str, str] | None = None,
        grace: timedelta = timedelta(days=2),
        **more: Any,  # noqa: ANN401 - options
    ) -> Imported:
        """Import a file of one of the `ACCOUNTS`."""
        return await import_settlement(
            self.pool,
            io.BytesIO(content),
            name=name,
            account=ACCOUNTS[endpoint],
            options=ImportOptions(columns=columns or {}, grace=grace, **more),
            actor="ada",
        )

    async def file(self, content: bytes, endpoint: str = "adyen", **more: Any) -> SettlementFile:  # noqa: ANN401 - as above
        return (await self.take(content, endpoint, **more)).file

    async def findings(
        self, file: SettlementFile, state: FindingState | None = None
    ) -> list[Finding]:
        async with self.pool.acquire() as connection:
            return await list_findings(connection, file.file_id, state=state, limit=500)

    async def batches(self, file: SettlementFile) -> list[Batch]:
        async with self.pool.acquire() as connection:
            return await read_batches(connection, file.file_id)

    async def files(self) -> list[SettlementFile]:
        async with self.pool.acquire() as connection:
            return await list_files(connection)

    async def facts(self, user: str = "u_7", currency: str = "GBP") -> list[SettlementFact]:
        async with self.pool.acquire() as connection:
            return await find_settlement_facts(connection, user, currency, T0 - timedelta(days=365))

    async def cases(self, state: str = "open") -> list[CaseRow]:
        async with self.pool.acquire() as connection:
            return await list_cases(connection, state=state, limit=500)


@pytest.fixture
async def api(pool: Pool) -> AsyncIterator[TestClient[web.Request, web.Application]]:
    """The calls, by a key that may import files and read what was found."""
    scopes = [Scope.READ_DISCREPANCY, Scope.WRITE_SETTLEMENT]
    created = await create_key(pool, name="t", scopes=scopes, lifetime=None)
    app = web.Application(middlewares=[request_id_middleware, problem_middleware])
    app[POOL] = pool
    app[LIMITER] = RateLimiter(10_000, 60)
    app[FAILURES] = RateLimiter(10_000, 60)
    app[UPLOADS] = Uploads(2**20)
    app[IMPORTS] = Imports(ACCOUNTS, grace=timedelta(days=2))
    app.add_routes(routes)
    headers = {"Authorization": f"Bearer {created.key}"}
    server = TestServer(app)
    await server.start_server(auto_decompress=False)
    async with TestClient(server, headers=headers) as client:
        yield client


@pytest.fixture
async def office(pool: Pool) -> AsyncIterator[Office]:
    """The office; whatever is imported, the books still verify."""
    yield Office(pool)
    assert (await verify_books(pool)).faults == []
