"""The internal API's payments."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import msgspec
from aiohttp import web

from recon.db import POOL, load
from recon.http import Problem, Scope, decode, json_response, operation
from recon.money import format_minor
from recon.payments.model import (
    Direction,
    ExpectedPayment,
    Payment,
    PaymentState,
    UnknownEndpointError,
)
from recon.payments.overdue import OverdueCase, open_overdue_case
from recon.payments.read import read_payment
from recon.payments.register import REGISTER

__all__ = ["ENDPOINTS", "routes"]

routes = web.RouteTableDef()

ENDPOINTS: web.AppKey[frozenset[str]] = web.AppKey("psp_endpoints", frozenset)


class PaymentDelivery(msgspec.Struct, frozen=True):
    """A delivery that speaks of a payment."""

    delivery_id: UUID
    event_type: str
    state: str
    reason: str | None
    received_at: datetime


class OverdueView(msgspec.Struct, frozen=True):
    """The open case that says a payment is overdue."""

    case_id: UUID
    kind: str
    opened_at: datetime


class PaymentView(msgspec.Struct, frozen=True):
    """A registered payment, with what the PSP has sent about it."""

    reference: str
    endpoint: str
    direction: Direction
    user_id: str
    amount: str
    currency: str
    state: PaymentState
    payment_id: str | None
    registered_at: datetime
    reported_at: datetime | None
    updated_at: datetime
    deliveries: list[PaymentDelivery]
    overdue: OverdueView | None = None


@routes.post("/api/v1/payments")
@operation(
    scope=Scope.WRITE_PAYMENT,
    body=ExpectedPayment,
    answers={201: PaymentView, 400: Problem, 409: Problem, 422: Problem},
)
async def register(request: web.Request) -> web.Response:
    """Register what a PSP is about to report; a withdrawal reserves its money."""
    expected = decode(await request.read(), ExpectedPayment)
    if expected.endpoint not in request.config_dict[ENDPOINTS]:
        raise UnknownEndpointError(f"no PSP account is configured as {expected.endpoint!r}")
    payment = await request.config_dict[REGISTER](request.config_dict[POOL], expected)
    location = {"Location": f"/api/v1/payments/{payment.reference}"}
    return json_response(_view(payment, []), status=201, headers=location)


@routes.get("/api/v1/payments/{reference:.+}")
@operation(scope=Scope.READ_PAYMENT, answers={200: PaymentView, 404: Problem})
async def show(request: web.Request) -> web.Response:
    """A registered payment: its state and the deliveries that speak of it."""
    async with request.config_dict[POOL].acquire() as connection:
        payment = await read_payment(connection, request.match_info["reference"])
        rows = await connection.fetch(
            load("recon.payments", "deliveries"),
            *(payment.endpoint, payment.reference, payment.payment_id),
        )
        case = await open_overdue_case(connection, payment.reference)
    deliveries = [PaymentDelivery(**dict(row)) for row in rows]
    return json_response(_view(payment, deliveries, case))


def _view(
    payment: Payment, deliveries: list[PaymentDelivery], case: OverdueCase | None = None
) -> PaymentView:
    return PaymentView(
        reference=payment.reference,
        endpoint=payment.endpoint,
        direction=payment.direction,
        user_id=payment.user_id,
        amount=format_minor(payment.amount.minor, payment.amount.currency),
        currency=payment.amount.currency,
        state=payment.state,
        payment_id=payment.payment_id,
        registered_at=payment.registered_at,
        reported_at=payment.reported_at,
        updated_at=payment.updated_at,
        deliveries=deliveries,
        overdue=None if case is None else OverdueView(case.case_id, case.kind, case.opened_at),
    )
