"""What a correction was proposed on, and what is so now, as the API tells it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from recon.http import Problem
from recon.money import format_minor

if TYPE_CHECKING:
    from recon.reconciliation.adjustments import Balances

__all__ = ["BalancesView", "Outdated", "OutdatedProblem", "balances_view"]


class BalancesView(msgspec.Struct, frozen=True):
    """Ledger and game's available money; ``difference`` is null where nobody has compared them."""

    ledger: str
    game: str
    difference: str | None


class Outdated(msgspec.Struct, frozen=True):
    """What was proposed on, and what is so now; null once ledger and game agree."""

    currency: str
    proposed_on: BalancesView
    now: BalancesView | None


class OutdatedProblem(Problem, frozen=True, omit_defaults=True):
    """What went wrong; ``outdated`` is there where a proposal cannot be booked as it stands now."""

    outdated: Outdated | None = None


def balances_view(balances: Balances, currency: str) -> BalancesView:
    """Balances as decimal strings."""
    return BalancesView(
        ledger=format_minor(balances.ledger, currency),
        game=format_minor(balances.game, currency),
        difference=(
            None if balances.difference is None else format_minor(balances.difference, currency)
        ),
    )
