"""The internal API's wallets."""

from __future__ import annotations

import re
from datetime import datetime
from typing import TYPE_CHECKING, Final

import msgspec
from aiohttp import web

from recon.clock import parse_time
from recon.db import POOL
from recon.errors import Invalid
from recon.http import Cursor, Problem, Scope, json_response, operation, page_of
from recon.ledger.read import read_entries, read_wallet
from recon.money import exponent_of, format_minor

if TYPE_CHECKING:
    from recon.ledger.model import Posting, Wallet

__all__ = ["EntryView", "WalletView", "entry_view", "routes", "wallet_view"]

routes = web.RouteTableDef()

_VERSION: Final = re.compile(r"[0-9]{1,18}")
"""Of a posting; a bigint."""


class WalletView(msgspec.Struct, frozen=True):
    """A wallet at ``as_of``; ``version`` counts its postings."""

    user_id: str
    currency: str
    available: str
    held: str
    reserved: str
    version: int
    as_of: datetime


class EntryView(msgspec.Struct, frozen=True):
    """A posting with the balances after it and its cause (``source`` and ``key``)."""

    version: int
    kind: str
    debit: str
    credit: str
    amount: str
    currency: str
    source: str
    key: str
    event_at: datetime
    recorded_at: datetime
    available_after: str
    held_after: str
    reserved_after: str


class EntryPage(msgspec.Struct, frozen=True):
    """A page of entries, newest first."""

    items: list[EntryView]
    next_cursor: str | None


@routes.get("/api/v1/wallets/{user_id}")
@operation(
    scope=Scope.READ_WALLET,
    answers={200: WalletView, 400: Problem, 404: Problem},
    query={"currency": "required, e.g. GBP", "at": "an ISO 8601 instant; the default is now"},
)
async def wallet(request: web.Request) -> web.Response:
    """A wallet's balances, now or as of any instant."""
    at = request.query.get("at")
    async with request.config_dict[POOL].acquire() as connection:
        found = await read_wallet(
            connection,
            request.match_info["user_id"],
            _currency(request),
            at=None if at is None else parse_time(at),
        )
    return json_response(wallet_view(found))


@routes.get("/api/v1/wallets/{user_id}/entries")
@operation(
    scope=Scope.READ_WALLET,
    answers={200: EntryPage, 400: Problem, 404: Problem},
    query={"currency": "required, e.g. GBP", "at": "only what was recorded until then"},
)
async def entries(request: web.Request) -> web.Response:
    """Every posting of a wallet with the balance after it and its cause, newest first."""
    cursor = Cursor.of(request)
    if cursor.after is not None and not _VERSION.fullmatch(cursor.after):
        raise Invalid("the cursor is none of ours", code="invalid_cursor")
    at = request.query.get("at")
    user_id, currency = request.match_info["user_id"], _currency(request)
    async with request.config_dict[POOL].acquire() as connection:
        await read_wallet(connection, user_id, currency)
        found = await read_entries(
            connection,
            user_id,
            currency,
            before_version=None if cursor.after is None else int(cursor.after),
            limit=cursor.one_more,
            at=None if at is None else parse_time(at),
        )
    return page_of(request, cursor, found, entry_view, lambda one: one.version)


def wallet_view(found: Wallet) -> WalletView:
    """A wallet with decimal strings."""
    return WalletView(
        user_id=found.user_id,
        currency=found.currency,
        available=format_minor(found.available, found.currency),
        held=format_minor(found.held, found.currency),
        reserved=format_minor(found.reserved, found.currency),
        version=found.version,
        as_of=found.as_of,
    )


def entry_view(posting: Posting) -> EntryView:
    """A posting with decimal strings."""

    def money(minor: int) -> str:
        return format_minor(minor, posting.currency)

    return EntryView(
        version=posting.version,
        kind=posting.kind,
        debit=posting.debit,
        credit=posting.credit,
        amount=money(posting.amount),
        currency=posting.currency,
        source=posting.source,
        key=posting.key,
        event_at=posting.event_at,
        recorded_at=posting.recorded_at,
        available_after=money(posting.available_after),
        held_after=money(posting.held_after),
        reserved_after=money(posting.reserved_after),
    )


def _currency(request: web.Request) -> str:
    currency = request.query.get("currency")
    if not currency:
        raise Invalid("name the currency: ?currency=GBP", code="currency_missing")
    exponent_of(currency)
    return currency
