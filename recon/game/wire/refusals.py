"""The body of every error."""

from __future__ import annotations

from typing import Final

import msgspec

from recon.game.wire.scalars import Decoder, Id, read_id

__all__ = ["ErrorBody", "read_error"]


class ErrorBody(msgspec.Struct, frozen=True):
    """Every error of the game API."""

    code: Id
    message: str
    request_id: str


_error: Final = Decoder(ErrorBody, what="error")


def read_error(body: bytes) -> ErrorBody:
    """An error's code and message; the message is the game's and is for people."""
    error = _error(body)
    read_id(error.code, "code")
    if error.message.isprintable():
        return error
    # It may be kept, and Postgres has no text with a NUL in it.
    legible = "".join(sign if sign.isprintable() else " " for sign in error.message)
    return msgspec.structs.replace(error, message=legible)
