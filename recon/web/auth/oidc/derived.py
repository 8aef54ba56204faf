"""What one sign-in needs to be known by, all of it from the token that only the browser holds.

The database keeps a digest of the token, so that neither state, nonce nor verifier is written down.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
from dataclasses import dataclass, field

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
        return cls(*(_derive(token, label) for label in ("state", "nonce", "verifier")))

    @property
    def challenge(self) -> str:
        """The verifier's S256 challenge (RFC 7636, section 4.2)."""
        return _text(hashlib.sha256(self.verifier.encode()).digest())


def _derive(token: str, label: str) -> str:
    key = token.encode(errors="surrogateescape")
    return _text(hmac.digest(key, f"recon oidc {label}".encode(), "sha256"))


def _text(digest: bytes) -> str:
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
