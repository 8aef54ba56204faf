"""What the providers' signatures have in common: the key's name, the time window, decoding."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from recon.webhooks.errors import SignatureMalformedError, SignatureStaleError

if TYPE_CHECKING:
    from datetime import datetime

__all__ = ["TOLERANCE_S", "check_time", "decode_base64", "key_id", "seconds_of"]

TOLERANCE_S = 300
"""How far a signed time may be from ours, in the past and in the future alike."""

_SECONDS = re.compile(r"\d{1,18}", re.ASCII)


@lru_cache(maxsize=256)
def key_id(index: int, secret: str) -> str:
    """Which secret verified, without telling it: its place in the settings and a short digest."""
    return f"key:{index}:{hashlib.sha256(secret.encode()).hexdigest()[:8]}"


def seconds_of(text: str) -> int:
    """A signed Unix time.

    Raises:
        SignatureMalformedError: not whole seconds.
    """
    if not _SECONDS.fullmatch(text):
        raise SignatureMalformedError("the signed timestamp is not whole Unix seconds")
    return int(text)


def check_time(signed_at: int, now: datetime) -> None:
    """Only for what is authentic, so that nobody else can make a clock look wrong.

    Raises:
        SignatureStaleError: more than `TOLERANCE_S` from ``now``, either way.
    """
    skew_s = int(now.timestamp()) - signed_at
    if abs(skew_s) > TOLERANCE_S:
        raise SignatureStaleError(f"the signed time is {-skew_s:+d} s from ours", skew_s=skew_s)


def decode_base64(text: str) -> bytes | None:
    """Base64 with or without its padding; ``None`` where it is none."""
    try:
        return base64.b64decode(text + "=" * (-len(text) % 4), validate=True)
    except (binascii.Error, ValueError):
        return None
