"""Where each setting came from, for people; secrets show only that they are set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from pydantic import BaseModel, SecretStr

from recon.settings.sources import read_sources
from recon.settings.values import may_be_off

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

    from recon.settings.model import Settings

__all__ = ["Explained", "explain"]


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting: its value with secrets masked, and where it came from."""

    name: str
    value: str
    source: str


def explain(settings: Settings, flags: Mapping[str, object]) -> list[Explained]:
    """Every setting with where it came from; secrets show only that they are set."""
    sources = read_sources(os.environ)
    rows = []
    for name, field in type(settings).model_fields.items():
        source = (
            "flag"
            if flags.get(name) is not None
            else "environment"
            if name in sources.environment
            else "file"
            if name in sources.file
            else "default"
        )
        rows += [
            Explained(key, value, source)
            for key, value in _flatten(name, getattr(settings, name), none=_word_for_none(field))
        ]
    return rows


def _word_for_none(field: FieldInfo) -> str:
    return "off" if may_be_off(field) else "-"


def _flatten(name: str, value: object, *, none: str = "-") -> list[tuple[str, str]]:
    if isinstance(value, BaseModel):
        return [
            pair
            for key, field in type(value).model_fields.items()
            for pair in _flatten(f"{name}.{key}", getattr(value, key), none=_word_for_none(field))
        ]
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flatten(f"{name}.{key}", item)]
    return [(name, _shown(value, none))]


def _shown(value: object, none: str) -> str:
    match value:
        case None | ():
            return none
        case SecretStr():
            return "********"
        case bool():
            return "on" if value else "off"
        case tuple():
            secret = all(isinstance(item, SecretStr) for item in value)
            return f"{len(value)} x ********" if secret else ", ".join(value)
        case timedelta():
            return f"{value.total_seconds():g}s"
        case _:
            return str(value)
