"""Write what was concluded about bets: rows, postings, attempts and answers, many in one commit."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import asyncpg
import structlog

from recon.bets import queries, rules
from recon.bets.errors import BetNotFoundError, TicketTakenError
from recon.bets.model import BY_HAND, BetState, Case
from recon.db import load
from recon.db.sharing import take_each
from recon.ledger import HoldResolvedError, KeyConflictError, Outcome, entry_rows, post_one

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from uuid import UUID

    from recon.bets.calls import Means
    from recon.bets.model import Bet, BetAttempt
    from recon.bets.rules import Step
    from recon.db import Pool
    from recon.http.idempotency import Receipt
    from recon.http.stored_requests import Answer

__all__ = ["Conclusion", "conclude_each"]

_log = structlog.get_logger(__name__)

_REFUSED = "RC002"
"""As ``bets_conclude`` raises it."""
_BY_TICKET: Final = "bets_ticket_idx"


class Conclusion(NamedTuple):
    """A step to be written, if the claim under which it was concluded still stands.

    Attributes:
        step: what was concluded.
        attempts: what was tried meanwhile; kept either way.
        means: the clock and the ids, for a case that may have to be opened.
        receipt: of the caller who waits for it.
        come_to: what the caller's verb comes to by a bet: the bet, or an error of ours.
    """

    step: Step
    attempts: Sequence[BetAttempt]
    means: Means
    receipt: Receipt | None
    come_to: Callable[[Bet], Bet]

    @property
    def concerns_people(self) -> bool:
        """A case is opened with it, or may be closed."""
        return self.step.case is not None or self.step.is_late

    def answer(self, bet: Bet) -> Answer | None:
        """The row of what the caller is answered by a bet; none where nobody waits."""
        if self.receipt is None:
            return None
        return self.receipt.prepare(lambda: self.come_to(bet))


async def conclude_each(pool: Pool, conclusions: Sequence[Conclusion]) -> list[Bet | Exception]:
    """Write conclusions, each if its claim still stands.

    Returns:
        Each bet as it is now: by the step, or by whoever has claimed it since.
    """
    together = [one for one in conclusions if not one.concerns_people]
    told = await take_each(pool, together, _conclude, name=_name)
    written = iter(None if isinstance(one, TicketTakenError) else one for one in told)
    results = [None if one.concerns_people else next(written) for one in conclusions]
    # What people are shown, and what somebody else has concluded, is looked at one by one.
    odd = [one for one, result in zip(conclusions, results, strict=True) if result is None]
    looked_at = iter(await asyncio.gather(*(_look_at(pool, one) for one in odd)))
    return [next(looked_at) if result is None else result for result in results]


async def _look_at(pool: Pool, conclusion: Conclusion) -> Bet | Exception:
    (result,) = await take_each(pool, [conclusion], _conclude_alone)
    if isinstance(result, TicketTakenError):
        step = rules.ticket_taken(conclusion.step.bet)
        (result,) = await take_each(pool, [conclusion._replace(step=step)], _conclude_alone)
    return result


def _name(conclusion: Conclusion) -> tuple[str, UUID]:
    bet = conclusion.step.bet
    return (bet.user_id, bet.bet_id)


async def _conclude(
    connection: asyncpg.Connection[Any], conclusions: Sequence[Conclusion]
) -> list[Bet | None]:
    """The bets of which the claim stood; nothing is written of the others."""
    entries = [one.step.entry for one in conclusions]
    rows = iter(entry_rows([entry for entry in entries if entry is not None]))
    try:
        stood = await connection.fetchval(
            load("recon.bets", "conclude"),
            [_row(one.step.bet) for one in conclusions],
            [None if entry is None else next(rows) for entry in entries],
            [
                (one.step.bet.user_id, one.step.bet.bet_id, *queries.attempt_row(attempt))
                for one in conclusions
                for attempt in one.attempts
            ],
            [one.answer(one.step.bet) for one in conclusions],
        )
    except asyncpg.UniqueViolationError as error:
        _raise_if_taken(error)
        raise
    except asyncpg.PostgresError as error:
        if error.sqlstate == _REFUSED and len(conclusions) == 1:
            raise _refused(conclusions[0], str(error.detail)) from error
        raise
    for one, stands in zip(conclusions, stood, strict=True):
        if stands and one.receipt is not None:
            one.receipt.stored()
    return [
        one.step.bet if stands else None for one, stands in zip(conclusions, stood, strict=True)
    ]


def _raise_if_taken(error: asyncpg.UniqueViolationError) -> None:
    if error.constraint_name == _BY_TICKET:
        raise TicketTakenError("the ticket stands for another bet of this player") from error


def _refused(conclusion: Conclusion, outcome: str) -> Exception:
    """As `post_one` says it; it cannot happen under a claim."""
    bet = conclusion.step.bet
    if outcome == Outcome.CONFLICT:
        return KeyConflictError(f"the outcome of bet {bet.bet_id} already stands otherwise")
    return HoldResolvedError(f"the hold of bet {bet.bet_id} does not become {bet.state}: {outcome}")


async def _conclude_alone(
    connection: asyncpg.Connection[Any], conclusions: Sequence[Conclusion]
) -> list[Bet]:
    (one,) = conclusions
    try:
        async with connection.transaction():
            await connection.execute(load("recon.bets", "begin"))
            bet, case = await _write(connection, one)
    except asyncpg.UniqueViolationError as error:
        _raise_if_taken(error)
        raise
    if one.receipt is not None:
        one.receipt.stored()
    if case is not None:
        _log.error("bet_case_opened", bet_id=str(bet.bet_id), kind=case.kind, reason=case.reason)
    return [bet]


async def _write(
    connection: asyncpg.Connection[Any], conclusion: Conclusion
) -> tuple[Bet, Case | None]:
    """The bet as it is now, and the case that was opened with it."""
    step = conclusion.step
    bet, case = step.bet, step.case
    stands = await queries.advance(connection, bet)
    await queries.record_attempts(connection, bet, conclusion.attempts)
    if not stands:
        bet = await _current(connection, bet)
        case = _contradiction(step, bet)
    elif step.entry is not None:
        await post_one(connection, step.entry)
    at = conclusion.means.now()
    if stands and step.is_late:
        await queries.close_case(connection, bet, at=at)
    if case is not None:
        case_id = conclusion.means.new_id()
        if not await queries.open_case(connection, bet, case, case_id=case_id, at=at):
            case = None
    answer = conclusion.answer(bet)
    if answer is not None:
        await connection.execute(load("recon.http", "finish_requests"), [answer])
    return bet, case


async def _current(connection: asyncpg.Connection[Any], bet: Bet) -> Bet:
    current = await queries.bet_by_id(connection, bet.bet_id)
    if current is None:
        raise BetNotFoundError(f"there is no bet {bet.bet_id}")
    return current


def _contradiction(step: Step, current: Bet) -> Case | None:
    """A bet that the game has although we gave its stake back.

    The rules leave no way to it: the stake goes back only once the game can have no such bet any
    more. Should a game break its word, the money is not booked twice; people see it. The same where
    people have ruled while it was being asked, and it says something else.
    """
    has_ticket = step.bet.ticket_id is not None
    if current.state is BetState.REJECTED and has_ticket:
        return Case(
            "late_bet",
            f"the game has ticket {step.bet.ticket_id} for a bet whose stake was given back",
        )
    outcome = (step.bet.state, step.bet.payout)
    is_ruled = current.reason == BY_HAND and step.bet.settled_at is not None
    if is_ruled and outcome != (current.state, current.payout):
        return Case(
            "late_bet", f"the game says {step.bet.state}, and people have ruled {current.state}"
        )
    return None


def _row(bet: Bet) -> tuple[object, ...]:
    """A ``bet_conclusion``."""
    return (
        bet.user_id,
        bet.bet_id,
        bet.fence,
        bet.state,
        bet.cashout_key,
        bet.game_hold_id,
        bet.ticket_id,
        bet.payout_transaction_id,
        None if bet.payout is None else str(bet.payout.minor),
        None if bet.cashout_multiplier is None else str(bet.cashout_multiplier),
        bet.reason,
        bet.placed_at,
        bet.settled_at,
        bet.updated_at,
        bet.due_at,
        bet.looks,
    )
