"""Chance that repeats: every draw has a generator of its own, named by what is drawn."""

from __future__ import annotations

from hashlib import sha256
from random import Random
from typing import Final

__all__ = ["ALPHANUMERIC", "BASE62", "identifier", "seeded"]

ALPHANUMERIC: Final = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ"
BASE62: Final = ALPHANUMERIC + "abcdefghijklmnopqrstuvwxyz"


def seeded(seed: int, *label: object) -> Random:
    """A generator of its own for a label, so that no order of calls changes what it draws."""
    text = "\n".join([str(seed), *map(str, label)])
    return Random(sha256(text.encode()).digest())  # noqa: S311 - repeatable, which no secret is


def identifier(random: Random, length: int, alphabet: str) -> str:
    """``length`` characters of an alphabet."""
    return "".join(random.choices(alphabet, k=length))
