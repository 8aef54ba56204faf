"""What all the client's calls share: how ids travel, and that an answer is about what was asked."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

from recon.errors import Invalid
from recon.game.attempts import Call
from recon.game.errors import GameProtocolError
from recon.game.wire.scalars import is_sendable

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon.game.calling import Caller
    from recon.game.pace import Priority

__all__ = ["Asking", "header", "must_match", "quoted", "segment"]

_T = TypeVar("_T")


class Asking:
    """Calls made through one `Caller`."""

    def __init__(self, caller: Caller) -> None:
        self._caller = caller

    async def _get(
        self,
        path: str,
        target: str,
        read: Callable[[bytes], _T],
        user_id: str | None = None,
        wanted_as: Priority | None = None,
    ) -> _T:
        user = None if user_id is None else header(user_id, "user id")
        return await self._caller.make(
            Call(
                f"GET {path}",
                target,
                lambda answer: read(answer.body),
                user,
                wanted_as=wanted_as,
            )
        )

    async def _post(
        self,
        path: str,
        target: str,
        read: Callable[[bytes], _T],
        user_id: str,
        idempotency_key: str,
        body: bytes,
    ) -> _T:
        user = header(user_id, "user id")
        key = header(idempotency_key, "idempotency key")
        return await self._caller.make(
            Call(f"POST {path}", target, lambda answer: read(answer.body), user, key, body)
        )


def header(value: str, what: str) -> str:
    """A value that arrives as it was sent: no control characters, no space at either end.

    Raises:
        Invalid: ``invalid_id``.
    """
    if not is_sendable(value):
        raise Invalid(f"{value[:64]!r} cannot be sent as a {what}", code="invalid_id")
    return value


def quoted(value: str, what: str) -> str:
    """A value for a query, nothing of it read as syntax.

    Raises:
        Invalid: ``invalid_id``.
    """
    return quote(header(value, what), safe="")


def segment(value: str, what: str) -> str:
    """An id as one segment of a path, which dots alone would climb out of.

    Raises:
        Invalid: ``invalid_id``.
    """
    if value in {".", ".."}:
        raise Invalid(f"{value!r} cannot be sent as a {what}", code="invalid_id")
    return quoted(value, what)


def must_match(what: str, asked: object, answered: object) -> None:
    """Refuse an answer that speaks of something else than was asked.

    Raises:
        GameProtocolError: they differ.
    """
    if asked != answered:
        raise GameProtocolError(f"asked about {what} {asked}, the game answered about {answered}")
