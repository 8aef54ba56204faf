"""A simulation that finds nothing proves nothing: each bug that is planted here, it finds.

The bugs are those that the field knows: a retry with a new key, a stake given back on a time-out,
a payout booked while it is pending.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from recon import clock
from recon.bets import calls, rules
from recon.bets.model import BetState
from recon.game import PayoutStatus
from recon.simulation import simulate_seed

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import datetime

    from recon.bets.model import Bet
    from recon.bets.rules import Step
    from recon.game import Payout
    from recon.simulation import Databases

STEPS = 60
WITHIN = 10


def a_new_key_on_retry(patch: pytest.MonkeyPatch) -> None:
    """Whoever sends the hold again makes a key of their own for it."""
    real = calls.Line.hold

    async def hold(self: calls.Line) -> Any:  # noqa: ANN401 - a hold
        if self._bet.fence > 1:
            self._bet = replace(self._bet, hold_key=clock.new_id())
        return await real(self)

    patch.setattr(calls.Line, "hold", hold)


def release_on_timeout(patch: pytest.MonkeyPatch) -> None:
    """No answer is taken for a no."""
    real = rules.waiting

    def waiting(bet: Bet, *, at: datetime) -> Step:
        if bet.state is BetState.PLACING:
            return rules.rejected(bet, "timed_out", at=at)
        return real(bet, at=at)

    patch.setattr(rules, "waiting", waiting)


def payout_booked_while_pending(patch: pytest.MonkeyPatch) -> None:
    """The game's promise is taken for money."""
    real = calls.Line.ask_payout

    async def ask_payout(self: calls.Line, transaction_id: str) -> Payout:
        payout = await real(self, transaction_id)
        if payout.status is PayoutStatus.PENDING:
            return replace(payout, status=PayoutStatus.COMPLETED)
        return payout

    patch.setattr(calls.Line, "ask_payout", ask_payout)


BUGS: list[Callable[[pytest.MonkeyPatch], None]] = [
    a_new_key_on_retry,
    release_on_timeout,
    payout_booked_while_pending,
]


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_caught(
    databases: Databases, bug: Callable[[pytest.MonkeyPatch], None]
) -> None:
    for seed in range(1, WITHIN + 1):
        with pytest.MonkeyPatch.context() as patch:
            bug(patch)
            report = simulate_seed(databases, seed, STEPS)
        if not report.ok:
            print(f"{bug.__name__}: seed {seed}: {report.failures[0]}")  # noqa: T201 - shown by -s
            return
    pytest.fail(f"{bug.__name__} went unnoticed in {WITHIN} seeds")
