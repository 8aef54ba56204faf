"""The budget of made-up inputs: the same ones in every run; ``RECON_FUZZ=50`` tries others.

The number is by how much the usual budget is multiplied, and any above 1 draws anew each time.
"""

from __future__ import annotations

import os
from typing import Final

from hypothesis import HealthCheck, settings

__all__ = ["FACTOR", "fuzz"]

FACTOR: Final = int(os.environ.get("RECON_FUZZ", "1"))


def fuzz(examples: int) -> settings:
    """Settings for a test of so many examples usually."""
    return settings(
        max_examples=examples * FACTOR,
        derandomize=FACTOR == 1,
        database=None,
        deadline=None,
        suppress_health_check=list(HealthCheck),
    )
