"""Secrets that we hand out and know again: 256 random bits, of which only a digest is stored."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from base64 import urlsafe_b64decode, urlsafe_b64encode

__all__ = ["derived", "digest_of", "is_masked", "masked", "new_token"]


def new_token() -> str:
    """A token, safe in a URL and in a cookie."""
    return secrets.token_urlsafe(32)


def digest_of(token: str) -> bytes:
    """What is stored of it. The token is random, so a plain digest cannot be searched.

    A cookie may hold any bytes; they are digested as they came, and match nothing.
    """
    return hashlib.sha256(token.encode(errors="surrogateescape")).digest()


def derived(token: str, use: str) -> str:
    """Another secret, which follows from the token and tells nothing of it: nobody has to keep it.

    Args:
        token: what somebody holds.
        use: what the other is for; one for each use.
    """
    key = token.encode(errors="surrogateescape")
    digest = hmac.digest(key, f"recon {use}".encode(), "sha256")
    return urlsafe_b64encode(digest).rstrip(b"=").decode()


def masked(token: str) -> str:
    """The token as a page may carry it: another text each time, which `is_masked` knows.

    Pages are packed, and a text that is always the same beside one that a stranger chooses could
    be guessed by how well both pack together (BREACH, CVE-2013-3587). This one is a one-time pad
    and the token under it.
    """
    plain = token.encode()
    pad = secrets.token_bytes(len(plain))
    return urlsafe_b64encode(pad + _under(pad, plain)).decode()


def is_masked(given: str, token: str) -> bool:
    """Whether a text is the token under some mask."""
    plain = token.encode()
    try:
        both = urlsafe_b64decode(given.encode("ascii"))
    except ValueError:
        return False
    pad, under = both[: len(plain)], both[len(plain) :]
    return len(both) == 2 * len(plain) and hmac.compare_digest(_under(pad, under), plain)


def _under(pad: bytes, text: bytes) -> bytes:
    return bytes(one ^ other for one, other in zip(pad, text, strict=True))
