"""Why a sign-in by the provider came to nothing."""

from __future__ import annotations

from recon.errors import Unauthentic, Unavailable

__all__ = ["ProviderUnusable", "SignInRefused"]


class SignInRefused(Unauthentic):
    """Nobody is let in.

    Args:
        message: what people are told; nothing that the provider sent, but a name.
        code: what it is called in the audit.
        detail: for the log.
    """

    def __init__(self, message: str, *, code: str, detail: str = "") -> None:
        super().__init__(message, code=code)
        self.detail = detail


class ProviderUnusable(Unavailable):
    """The provider is out of reach, or what it answers cannot be used.

    Args:
        detail: why, for the log and `recon doctor`; holds no secret.
    """

    code = "sign_in_provider_unusable"

    def __init__(self, detail: str) -> None:
        super().__init__("The sign-in provider is out of reach: nobody can say who you are.")
        self.detail = detail
