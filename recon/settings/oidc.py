"""Settings of sign-in by OpenID Connect: ``RECON_OIDC__…``."""

from __future__ import annotations

from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from yarl import URL

from recon.settings.values import PrivateUrl, Secret

__all__ = ["OidcSettings"]

_LONGEST: Final = 256
_LONGEST_LABEL: Final = 40

_Role = Literal["viewer", "analyst", "approver", "admin"]


def _issuer(value: str) -> str:
    url = URL(value)
    # Source: OpenID Connect Discovery 1.0, section 3, "issuer".
    if url.query_string or url.fragment:
        raise ValueError("has a query or a fragment; an issuer has neither")
    return value


def _word(value: str) -> str:
    if not 1 <= len(value) <= _LONGEST or not value.isprintable() or value != value.strip():
        raise ValueError(f"is not 1 to {_LONGEST} printable characters without space at the ends")
    return value


def _label(value: str) -> str:
    if len(_word(value)) > _LONGEST_LABEL:
        raise ValueError(f"is longer than {_LONGEST_LABEL} characters, which no button is")
    return value


def _scopes(value: tuple[str, ...]) -> tuple[str, ...]:
    if "openid" not in value:
        raise ValueError("does not have openid, without which nobody says who it is")
    if any(scope != "".join(scope.split()) for scope in value):
        raise ValueError("has a scope with a space in it")
    return value


_Word = Annotated[str, AfterValidator(_word)]


class OidcSettings(BaseModel):
    """The provider by which staff may sign in."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    issuer: Annotated[PrivateUrl, AfterValidator(_issuer)]
    client_id: _Word
    client_secret: Secret | None = None
    label: Annotated[str, AfterValidator(_label)] = "single sign-on"
    scopes: Annotated[tuple[_Word, ...], AfterValidator(_scopes)] = ("openid", "email", "profile")
    name_claim: _Word = "email"
    roles_claim: _Word = "groups"
    roles: dict[_Word, _Role] = Field(default_factory=dict)
