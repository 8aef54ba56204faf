"""The control routes under ``/sandbox/psp``. They ask for no key: they belong on loopback."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Final, TypeVar

import msgspec
from aiohttp import web

from recon.clock import new_id
from recon.errors import Conflict, Invalid, NotFound, ReconError, Unprocessable
from recon.sandbox.psp.endpoints import Configuration
from recon.sandbox.psp.pay import NewPayment, deposit, withdraw
from recon.sandbox.psp.simulation import PSP
from recon.sandbox.psp.take_back import NewChargeback, NewRefund, charge_back, refund

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from recon.sandbox.psp.model import Endpoint
    from recon.sandbox.psp.payments import Made, Payments
    from recon.sandbox.psp.simulation import Simulation

    Handler = Callable[[web.Request], Awaitable[web.Response]]

__all__ = ["routes"]

STATUSES: Final = ((NotFound, 404), (Conflict, 409), (Unprocessable, 422), (Invalid, 400))
MOST_LISTED: Final = 1000
ENDPOINT: Final = "/sandbox/psp/{endpoint:[a-z][a-z0-9_]*}"

Body = TypeVar("Body", bound=msgspec.Struct)


def answering(handler: Handler) -> Handler:
    """Answer this project's errors as the sandbox's game API does: code, message, request id."""

    @wraps(handler)
    async def answered(request: web.Request) -> web.Response:
        try:
            return await handler(request)
        except ReconError as error:
            status = next((code for family, code in STATUSES if isinstance(error, family)), 500)
            request_id = request.headers.get("X-Request-Id", str(new_id()))
            return web.json_response(
                {"code": error.code, "message": error.message, "request_id": request_id},
                status=status,
            )

    return answered


def routes() -> list[web.RouteDef]:
    """Every control route."""
    return [
        web.get("/sandbox/psp", answering(show_endpoints)),
        web.get("/sandbox/psp/deliveries", answering(show_deliveries)),
        web.post("/sandbox/psp/settle", answering(settle)),
        web.put(ENDPOINT, answering(configure)),
        web.post(f"{ENDPOINT}/deposits", answering(make_deposit)),
        web.post(f"{ENDPOINT}/withdrawals", answering(make_withdrawal)),
        web.post(f"{ENDPOINT}/refunds", answering(make_refund)),
        web.post(f"{ENDPOINT}/chargebacks", answering(make_chargeback)),
    ]


async def show_endpoints(request: web.Request) -> web.Response:
    """The endpoints, without their secrets, with what was done at each."""
    psp = request.config_dict[PSP]
    return web.json_response({"endpoints": [_shown(psp, endpoint) for endpoint in psp.endpoints]})


async def show_deliveries(request: web.Request) -> web.Response:
    """The newest 1000 attempts, oldest first, by ``endpoint``, ``event_id`` or ``payment_id``."""
    rows = [attempt.as_json() for attempt in request.config_dict[PSP].courier.attempts]
    for name in ("endpoint", "event_id", "payment_id"):
        wanted = request.query.get(name)
        if wanted is not None:
            rows = [row for row in rows if row[name] == wanted]
    return web.json_response({"deliveries": rows[-MOST_LISTED:], "total": len(rows)})


async def settle(request: web.Request) -> web.Response:
    """Wait until nothing is on its way any more, then say what was done."""
    psp = request.config_dict[PSP]
    await psp.courier.settled()
    return web.json_response(psp.counts())


async def configure(request: web.Request) -> web.Response:
    """Create an endpoint, or change one: its secrets, newest first, its address, its account."""
    psp = request.config_dict[PSP]
    wanted = await _body(request, Configuration)
    endpoint = psp.endpoints.configure(request.match_info["endpoint"], wanted)
    return web.json_response(_shown(psp, endpoint))


async def make_deposit(request: web.Request) -> web.Response:
    """A player pays in; 202 while the service and the game are being told."""
    wanted = await _body(request, NewPayment)
    return _accepted(deposit(*_where(request), wanted))


async def make_withdrawal(request: web.Request) -> web.Response:
    """A player takes money out; 202 as above."""
    wanted = await _body(request, NewPayment)
    return _accepted(withdraw(*_where(request), wanted))


async def make_refund(request: web.Request) -> web.Response:
    """Give a deposit back, whole or in part; 202 as above."""
    wanted = await _body(request, NewRefund)
    return _accepted(refund(*_where(request), wanted))


async def make_chargeback(request: web.Request) -> web.Response:
    """Let a player's bank take a deposit back; 202 as above."""
    wanted = await _body(request, NewChargeback)
    return _accepted(charge_back(*_where(request), wanted))


def _where(request: web.Request) -> tuple[Payments, str]:
    return request.config_dict[PSP].payments, request.match_info["endpoint"]


async def _body(request: web.Request, shape: type[Body]) -> Body:
    try:
        return msgspec.json.decode(await request.read(), type=shape)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise Invalid(str(error), code="invalid_body") from None


def _accepted(made: Made) -> web.Response:
    answer = {
        "payment_id": made.payment.payment_id,
        "effect_id": made.effect_id,
        "reference": made.payment.reference,
        "faults": list(made.struck),
    }
    return web.json_response(answer, status=202)


def _shown(psp: Simulation, endpoint: Endpoint) -> dict[str, object]:
    return {
        "endpoint": endpoint.name,
        "provider": endpoint.provider,
        "webhook_url": endpoint.webhook_url,
        "merchant_account": endpoint.merchant_account,
        "auto_capture": endpoint.auto_capture,
        "secrets": len(endpoint.secrets),
        "counts": psp.counts(endpoint.name),
    }
