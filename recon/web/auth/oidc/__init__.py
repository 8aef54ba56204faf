"""Sign-in by OpenID Connect: authorization code with PKCE, at one provider.

`begin` sends a browser to the provider, `finish` lets in whoever comes back: the answer must be to
a question of this very browser, asked once; the ID token is checked in full (`verify`); its subject
is, or becomes, somebody on the staff (`admit`). `leaves_by` is where one signs out there, too.
`Provider` reads and keeps what the provider says of itself. Nothing of a provider's answer is shown
to people but the name that it gives.

Source: OpenID Connect Core 1.0, sections 3.1.2 and 3.1.3; RFC 7636; RFC 9207; RFC 9700.
"""

from recon.web.auth.oidc.begin import Begun, begin
from recon.web.auth.oidc.errors import ProviderUnusable, SignInRefused
from recon.web.auth.oidc.finish import Callback, finish
from recon.web.auth.oidc.leave import leaves_by, may_leave
from recon.web.auth.oidc.model import Client
from recon.web.auth.oidc.provider import Provider
from recon.web.auth.oidc.unlink import unlink_staff

__all__ = [
    "Begun",
    "Callback",
    "Client",
    "Provider",
    "ProviderUnusable",
    "SignInRefused",
    "begin",
    "finish",
    "leaves_by",
    "may_leave",
    "unlink_staff",
]
