"""By which ways staff may come in, besides one-time links, which are always one."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final

from aiohttp import web

from recon.errors import Forbidden, NotFound
from recon.http.flood import FloodGate
from recon.web.auth.oidc import Provider

if TYPE_CHECKING:
    from recon.web.auth.oidc import Client

__all__ = ["DOORS", "Doors", "provider_of", "require_passwords"]


def _begun() -> FloodGate:
    # A whole office arrives at nine from one address. Each start is a row for ten minutes.
    return FloodGate(burst=200, per_s=2.0)


@dataclass(frozen=True, slots=True)
class Doors:
    """What the sign-in page offers.

    Args:
        passwords: whether name and password are taken.
        provider: the OIDC provider, where there is one.
        begun: counts who is sent to the provider, which proves nothing yet.
    """

    passwords: bool = True
    provider: Provider | None = None
    begun: FloodGate = field(default_factory=_begun)

    @classmethod
    def of(cls, client: Client | None, *, passwords: bool) -> Doors:
        """The ways in, with a provider that nothing was asked of yet."""
        return cls(passwords, None if client is None else Provider(client))


DOORS: Final[web.AppKey[Doors]] = web.AppKey("doors", Doors)


def provider_of(request: web.Request) -> Provider:
    """The OIDC provider.

    Raises:
        NotFound: none is set up.
    """
    provider = request.config_dict[DOORS].provider
    if provider is None:
        raise NotFound("no sign-in provider is set up here", code="oidc_not_set_up")
    return provider


def require_passwords(request: web.Request) -> None:
    """Refuse a password where none is taken.

    Raises:
        Forbidden: ``password_sign_in_off``.
    """
    if not request.config_dict[DOORS].passwords:
        raise Forbidden(
            "Passwords are not taken here: sign in by the provider, or by a one-time link.",
            code="password_sign_in_off",
        )
