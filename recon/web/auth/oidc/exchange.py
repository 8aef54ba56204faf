"""Exchange a code for tokens, and ask who they are of."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING, Final
from urllib.parse import quote

import msgspec

from recon.web.auth.oidc.errors import ProviderUnusable, SignInRefused
from recon.web.auth.oidc.fetching import ask
from recon.web.auth.oidc.model import Tokens

if TYPE_CHECKING:
    from recon.web.auth.oidc.model import Claims, Client, Metadata

__all__ = ["exchange", "read_userinfo"]

_OK: Final = 200
_CLIENT_ERRORS: Final = range(400, 500)


async def exchange(client: Client, metadata: Metadata, *, code: str, verifier: str) -> Tokens:
    """Use a code up.

    Raises:
        SignInRefused: ``code_refused``: used, too old, or not ours.
        ProviderUnusable: no answer that makes sense.
    """
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": client.redirect_uri,
        "code_verifier": verifier,
    }
    authorization = None
    if client.client_secret is None:
        form["client_id"] = client.client_id
    elif "client_secret_basic" in metadata.token_endpoint_auth_methods_supported:
        authorization = _basic(client.client_id, client.client_secret)
    else:
        form |= {"client_id": client.client_id, "client_secret": client.client_secret}
    answer = await ask(metadata.token_endpoint, form=form, authorization=authorization)
    if answer.document.get("error") == "invalid_client":
        raise ProviderUnusable("it does not know us by this client_id and client_secret")
    if answer.status in _CLIENT_ERRORS:
        raise SignInRefused(
            "This sign-in was used already or took too long. Sign in once more.",
            code="code_refused",
            detail=f"the token endpoint answered {answer.status}",
        )
    if answer.status != _OK:
        raise ProviderUnusable(f"its token endpoint answered {answer.status}")
    try:
        tokens = msgspec.convert(answer.document, Tokens)
    except msgspec.ValidationError as error:
        raise ProviderUnusable(f"its token endpoint: {error}") from None
    if tokens.token_type.lower() != "bearer":
        raise ProviderUnusable("its access token is not a bearer token")
    return tokens


async def read_userinfo(metadata: Metadata, access_token: str, *, subject: str) -> Claims:
    """What else the provider says of whom the ID token is of; nothing where it has no such place.

    Raises:
        SignInRefused: ``userinfo_of_another``.
        ProviderUnusable: no answer that makes sense.
    """
    if metadata.userinfo_endpoint is None:
        return {}
    answer = await ask(metadata.userinfo_endpoint, authorization=f"Bearer {access_token}")
    if answer.status != _OK:
        raise ProviderUnusable(f"its userinfo endpoint answered {answer.status}")
    # Source: OpenID Connect Core 1.0, section 5.3.2: else it may be of somebody else.
    if answer.document.get("sub") != subject:
        raise SignInRefused(
            "The provider's answers do not fit together. Sign in once more.",
            code="userinfo_of_another",
        )
    return answer.document


def _basic(client_id: str, secret: str) -> str:
    """Source: RFC 6749, section 2.3.1: each part is encoded as in a form before it is joined.

    A space is ``%20``, which those who decode a form and those who decode a URL read alike.
    """
    joined = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return f"Basic {base64.b64encode(joined.encode()).decode()}"
