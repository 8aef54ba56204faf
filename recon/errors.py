"""The families of errors, without HTTP.

A room's own error is one of these and carries data; one table in ``recon.http.problems`` maps a
family to a status, for JSON and for pages alike.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "Conflict",
    "Forbidden",
    "Invalid",
    "NotFound",
    "ReconError",
    "TooLarge",
    "TooManyRequests",
    "TooSlow",
    "Unauthentic",
    "Unavailable",
    "Unprocessable",
    "UnsupportedContent",
]


class ReconError(Exception):
    """An error with a stable ``code`` for machines and a ``message`` for people.

    Args:
        message: what went wrong and, where it can be said, what to do about it.
        code: overrides the class's code where one class serves several.
    """

    code = "internal_error"

    def __init__(self, message: str, *, code: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        if code is not None:
            self.code = code

    @property
    def extensions(self) -> Mapping[str, object]:
        """What a problem tells besides: members of a room's own (RFC 9457, section 3.2)."""
        return {}


class Invalid(ReconError):
    """The request cannot be understood: malformed, missing or out of bounds."""

    code = "invalid_request"


class Unauthentic(ReconError):
    """Nobody we know sent this: a signature, key or session is missing, wrong, stale or revoked."""

    code = "unauthenticated"


class Forbidden(ReconError):
    """The caller is known and may not do this."""

    code = "forbidden"


class NotFound(ReconError):
    """There is no such thing."""

    code = "not_found"


class Conflict(ReconError):
    """True at another moment: the state of the thing does not allow it now."""

    code = "conflict"


class Unprocessable(ReconError):
    """Understood and refused: a rule of the business says no."""

    code = "unprocessable"


class TooLarge(ReconError):
    """More bytes than we take."""

    code = "too_large"


class TooSlow(ReconError):
    """What was to come did not come in the time that we wait."""

    code = "too_slow"


class UnsupportedContent(ReconError):
    """A content type or encoding we do not read."""

    code = "unsupported_content"


class TooManyRequests(ReconError):
    """The caller must slow down.

    Args:
        message: what was exceeded.
        retry_after_s: whole seconds to wait before the next try.
    """

    code = "rate_limited"

    def __init__(self, message: str, *, retry_after_s: int, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s


class Unavailable(ReconError):
    """Something that we need is out of reach; the same request may succeed later.

    Args:
        message: what is out of reach.
        retry_after_s: whole seconds to wait before the next try.
    """

    code = "unavailable"

    def __init__(self, message: str, *, retry_after_s: int = 5, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_s = retry_after_s
