"""Whatever a seed brings, it comes to rest and both books agree.

``RECON_SIMULATION_SEEDS`` and ``RECON_SIMULATION_STEPS`` ask for more than fits into every run.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from recon.simulation import simulate_seed

if TYPE_CHECKING:
    from recon.simulation import Databases

SEEDS = int(os.environ.get("RECON_SIMULATION_SEEDS", "20"))
STEPS = int(os.environ.get("RECON_SIMULATION_STEPS", "40"))


@pytest.mark.parametrize("seed", range(1, SEEDS + 1))
def test_no_money_goes_astray(databases: Databases, seed: int) -> None:
    report = simulate_seed(databases, seed, STEPS)

    assert report.failures == [], f"recon simulate --seed {seed} --steps {STEPS}"
    assert report.counts["call"] > STEPS
