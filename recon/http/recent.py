"""What is remembered of callers: of so many at most, whoever they say they are."""

from __future__ import annotations

from typing import Generic, TypeVar

__all__ = ["MOST_NAMES", "Recent"]

_Name = TypeVar("_Name")
_Value = TypeVar("_Value")

MOST_NAMES = 10_000
"""Callers that one count remembers: a few megabytes, whatever an attacker's addresses."""


class Recent(Generic[_Name, _Value]):
    """A value a name, in bounded memory and constant time.

    Args:
        most: names kept; past it, the one that was put in longest ago is forgotten.
    """

    def __init__(self, most: int = MOST_NAMES) -> None:
        self._most = most
        # A dictionary keeps the order in which names were put in.
        self._values: dict[_Name, _Value] = {}

    def __len__(self) -> int:
        return len(self._values)

    def take(self, name: _Name) -> _Value | None:
        """The value, which is to be put in again; ``None`` where the name is not known."""
        return self._values.pop(name, None)

    def put(self, name: _Name, value: _Value) -> None:
        """Remember a name as the latest."""
        self._values.pop(name, None)
        self._values[name] = value
        if len(self._values) > self._most:
            del self._values[next(iter(self._values))]
