"""What one sign-in needs to be known by, all of it from the token that only the browser holds.

The database keeps a digest of the token, so that neither state, nonce nor verifier is written down.
"""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass, field

from recon.web.auth.tokens import derived

__all__ = ["Derived"]


@dataclass(frozen=True, slots=True)
class Derived:
    """State, nonce and PKCE verifier of one sign-in, each 256 bits."""

    state: str = field(repr=False)
    nonce: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def of(cls, token: str) -> Derived:
        """What follows from the browser's token."""
        return cls(*(derived(token, f"oidc {use}") for use in ("state", "nonce", "verifier")))

    @property
    def challenge(self) -> str:
        """The verifier's S256 challenge (RFC 7636, section 4.2)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
