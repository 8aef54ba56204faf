"""The rules that tests go by; light, for a process that lives shortly."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, time, timedelta
from typing import Any, Final

from recon.alerts import AlertType, Policy

__all__ = ["EVERYTHING", "SECRET", "policy"]

SECRET: Final = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
EVERYTHING: Final = frozenset(AlertType)


def policy(**changes: Any) -> Policy:  # noqa: ANN401 - its own fields
    """What is told at once, and without a digest."""
    plain = Policy(
        environment="sandbox",
        sustained=timedelta(minutes=15),
        least={},
        severities=["low", "medium", "high", "critical"],
        at_most_every=timedelta(minutes=15),
        digest_every=None,
        digest_at=time(7, tzinfo=UTC),
        give_up_after=timedelta(days=3),
        keep=timedelta(days=400),
        lanes={},
        public_url="https://recon.example",
    )
    return replace(plain, **changes)
