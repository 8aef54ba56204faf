"""Write what was concluded about a bet: its row, its posting and its attempts in one commit."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recon.bets.concluding import Conclusion, conclude_each

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from recon.bets.calls import Means
    from recon.bets.model import Bet, BetAttempt
    from recon.bets.rules import Step
    from recon.http.idempotency import Receipt

__all__ = ["commit"]


async def commit(
    means: Means,
    step: Step,
    attempts: Sequence[BetAttempt],
    *,
    receipt: Receipt | None = None,
    come_to: Callable[[Bet], Bet] = lambda bet: bet,
) -> Bet:
    """Write a step if the claim under which it was concluded still stands.

    Args:
        means: the database, and the desk where commits are shared.
        step: what was concluded.
        attempts: what was tried; kept either way.
        receipt: of the caller's request, which is answered in the same commit.
        come_to: what the caller's verb makes of the bet: itself, or an error of ours.

    Returns:
        The bet as it is now: by this step, or by whoever has claimed it since.
    """
    conclusion = Conclusion(step, attempts, means, receipt, come_to)
    if means.desk is not None:
        return await means.desk.conclude(conclusion)
    (result,) = await conclude_each(means.pool, [conclusion])
    if isinstance(result, Exception):
        raise result
    return result
