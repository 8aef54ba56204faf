"""Where each setting came from, for people; secrets show only that they are set."""

from __future__ import annotations

import os
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Final

from pydantic import BaseModel, SecretStr

from recon.settings.sources import read_sources

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recon.settings.model import Settings

__all__ = ["Explained", "explain"]

_MAY_BE_OFF: Final = frozenset(
    {
        "alerts.digest_every",
        "reconcile_every",
        "reconcile_all_every",
        "backfill_every",
        "payload_retention",
        "payload_retention_unsettled",
        "payment_overdue_after",
        "withdrawal_overdue_after",
        "deposit_abandoned_after",
        "waiting_after",
    }
)


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
    for name in type(settings).model_fields:
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
            Explained(key, value, source) for key, value in _flatten(name, getattr(settings, name))
        ]
    return rows


def _flatten(name: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, BaseModel):
        fields = ((key, getattr(value, key)) for key in type(value).model_fields)
        return [pair for key, item in fields for pair in _flatten(f"{name}.{key}", item)]
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flatten(f"{name}.{key}", item)]
    return [(name, _shown(name, value))]


def _shown(name: str, value: object) -> str:
    match value:
        case None | ():
            return "off" if name in _MAY_BE_OFF else "-"
        case SecretStr():
            return "********"
        case tuple() if all(isinstance(item, SecretStr) for item in value):
            return f"{len(value)} x ********"
        case tuple():
            return ", ".join(value)
        case timedelta():
            return f"{value.total_seconds():g}s"
        case _:
            return str(value)
