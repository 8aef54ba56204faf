"""The body of every error."""

from __future__ import annotations

from typing import Final

import msgspec

from recon.game.wire.scalars import Decoder, Id, read_id
from recon.masking import masked

__all__ = ["ErrorBody", "read_error"]


class ErrorBody(msgspec.Struct, frozen=True):
    """Every error of the game API."""

    code: Id
    message: str
    request_id: str


_error: Final = Decoder(ErrorBody, what="error")
_MAX_MESSAGE_CHARS: Final = 200


def read_error(body: bytes) -> ErrorBody:
    """An error's code and message; the message is the game's and is for people.

    It is shown, logged and kept: shortened, on one line, without the NUL that Postgres refuses, and
    without our keys, should the game say them back to us.
    """
    error = _error(body)
    words = masked(error.message)[:_MAX_MESSAGE_CHARS]
    plain = "".join(sign if sign.isprintable() else " " for sign in words)
    return ErrorBody(read_id(error.code, "code"), plain, error.request_id)
