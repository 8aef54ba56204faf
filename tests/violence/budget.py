"""How long it goes on, and from which seed.

``RECON_VIOLENCE_S=600`` gives every scenario ten minutes instead of a few seconds;
``RECON_VIOLENCE_SEED`` repeats a run as far as the moments of the kernel allow.
"""

from __future__ import annotations

import os
import random
import secrets

import pytest

__all__ = ["ALLOWED", "IS_LARGE", "PATIENCE_S", "SEED", "random_of", "seconds"]

_GIVEN_S = os.environ.get("RECON_VIOLENCE_S")

SEED = os.environ.get("RECON_VIOLENCE_SEED") or str(secrets.randbelow(1_000_000))

PATIENCE_S = 60.0
"""How long anything may take to come back before the test gives up on it."""

IS_LARGE = _GIVEN_S is not None
"""Whether there is time for what takes minutes."""

ALLOWED = pytest.mark.timeout(600 + 2 * float(_GIVEN_S or 0))
"""How long a scenario may take with everything around it, before it counts as hung."""


def seconds(usual: float) -> float:
    """How long a scenario lasts: what was asked for, else the few seconds that CI has."""
    return float(_GIVEN_S) if _GIVEN_S else usual


def random_of(name: str) -> random.Random:
    """Chance, the same for the same seed and name."""
    return random.Random(f"{SEED} {name}")  # noqa: S311 - moments and amounts, no secret
