"""A call, and an attempt at it from its making to its end."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Final, Generic, TypeVar

import msgspec

from recon.game.pace import Priority
from recon.game.verdicts import Answer, Asked

__all__ = ["Attempt", "Call", "Exchange"]

_T = TypeVar("_T")

_NONE: Final[Mapping[str, str]] = MappingProxyType({})
_PRIORITY: Final = {"POST /api/v1/bets/{ticket_id}/cashout": Priority.CASH_OUT}
"""Other POSTs place bets; GETs settle them, unless they say what they are for."""


class Attempt(msgspec.Struct, frozen=True):
    """One attempt, as `on_attempt` sees it when it is over.

    Args:
        operation: the call's name without ids, fit for a metric's label.
        method: ``GET`` or ``POST``.
        path: the path and query as sent.
        number: 1 for the first attempt of a call.
        request_id: its ``X-Request-Id``.
        idempotency_key: of a signed POST.
        started_at: when it began.
        latency_s: until its end, whatever that was.
        status: the HTTP status, None without an answer.
        error: None for a success, else the error's code or class.
        replayed: the game repeated a stored answer.
        wait_s: how long the game asked us to wait.
    """

    operation: str
    method: str
    path: str
    number: int
    request_id: str
    idempotency_key: str | None
    started_at: datetime
    latency_s: float
    status: int | None
    error: str | None
    replayed: bool
    wait_s: float | None


class Call(msgspec.Struct, Generic[_T], frozen=True):
    """What to ask and how to read the answer.

    Args:
        operation: the call's name without ids, such as ``POST /api/v1/bets/{ticket_id}/cashout``.
        target: the quoted path and query.
        read: makes the result of a success; raises `GameProtocolError`.
        user_id: the user context, where the call has one.
        idempotency_key: of a signed POST.
        body: the bytes of a signed POST; None makes it a GET.
        validators: ``If-None-Match`` and the like; with any, 304 is a success.
        wanted_as: which calls it goes before, where that is not as of all calls like it.
    """

    operation: str
    target: str
    read: Callable[[Answer], _T]
    user_id: str | None = None
    idempotency_key: str | None = None
    body: bytes | None = None
    validators: Mapping[str, str] = _NONE
    wanted_as: Priority | None = None

    @property
    def priority(self) -> Priority:
        """Which calls this one goes before."""
        if self.wanted_as is not None:
            return self.wanted_as
        usual = Priority.SETTLEMENT if self.body is None else Priority.BET
        return _PRIORITY.get(self.operation, usual)

    def headers(self, request_id: str) -> dict[str, str]:
        """The headers of an attempt, without key and signature."""
        headers = {"X-Request-Id": request_id, **self.validators}
        if self.user_id is not None:
            headers["X-User-Id"] = self.user_id
        if self.idempotency_key is not None:
            headers["Idempotency-Key"] = self.idempotency_key
        if self.body is not None:
            headers["Content-Type"] = "application/json"
        return headers


class Exchange(Generic[_T]):
    """One attempt in the making."""

    def __init__(self, call: Call[_T], request_id: str, secret: int) -> None:
        self.call = call
        self.secret = secret
        self.asked = Asked(
            operation=call.operation,
            moves_money=call.body is not None,
            conditional=bool(call.validators),
            request_id=request_id,
        )
        self.answer: Answer | None = None
        self.wait_s: float | None = None

    @property
    def status(self) -> int | None:
        """Of the answer, None without one."""
        return None if self.answer is None else self.answer.status

    def over(
        self,
        *,
        number: int,
        started_at: datetime,
        latency_s: float,
        error: BaseException | None,
    ) -> Attempt:
        """The attempt as its observer sees it."""
        answer = self.answer
        return Attempt(
            operation=self.call.operation,
            method="GET" if self.call.body is None else "POST",
            path=self.call.target,
            number=number,
            request_id=self.asked.request_id,
            idempotency_key=self.call.idempotency_key,
            started_at=started_at,
            latency_s=latency_s,
            status=self.status,
            error=None if error is None else _name(error),
            replayed=answer is not None
            and answer.headers.get("Idempotency-Replayed", "").lower() == "true",
            wait_s=self.wait_s,
        )


def _name(error: BaseException) -> str:
    reason = getattr(error, "reason", None) or getattr(error, "code", None)
    return str(reason) if reason is not None else type(error).__name__
