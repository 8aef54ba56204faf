"""What we are to the provider, what it says of itself, and who it says somebody is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

if TYPE_CHECKING:
    from recon.web.roles import Role

__all__ = ["Claims", "Client", "Metadata", "Tokens"]

Claims = Mapping[str, Any]
"""What a provider says of somebody, as JSON has it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """What we are to one provider.

    Args:
        issuer: the provider, letter for letter as it calls itself.
        client_id: what it calls us.
        client_secret: how it knows us; ``None``: by PKCE alone.
        redirect_uri: our callback, as it is registered there.
        label: what the button says.
        scopes: what is asked for.
        name_claim: which claim is a name on the staff.
        roles_claim: which claim says what somebody may do.
        roles: what each of its values means here, the first that fits counts; empty: the staff's
            roles are kept here.
    """

    issuer: str
    client_id: str
    client_secret: str | None = field(repr=False)
    redirect_uri: str
    label: str = "single sign-on"
    scopes: tuple[str, ...] = ("openid", "email", "profile")
    name_claim: str = "email"
    roles_claim: str = "groups"
    roles: Mapping[str, Role] = field(default_factory=dict)


class Metadata(msgspec.Struct, frozen=True):
    """What we use of the discovery document.

    Source: OpenID Connect Discovery 1.0, section 3, its defaults; RP-Initiated Logout 1.0, section
    2.1.
    """

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    userinfo_endpoint: str | None = None
    end_session_endpoint: str | None = None
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    id_token_signing_alg_values_supported: tuple[str, ...] = ("RS256",)
    code_challenge_methods_supported: tuple[str, ...] | None = None
    authorization_response_iss_parameter_supported: bool = False


class Tokens(msgspec.Struct, frozen=True):
    """What a code was exchanged for."""

    id_token: str
    access_token: str
    token_type: str

    def __repr__(self) -> str:
        return "Tokens(***)"
