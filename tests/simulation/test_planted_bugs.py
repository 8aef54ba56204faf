"""A simulation that finds nothing proves nothing: each bug that is planted here, it finds.

The first three are those that the field knows: a retry with a new key, a stake given back on a
time-out, a payout booked while it is pending. The others do less harm than one would think, because
something else stands behind what they take away; the judge sees them because it looks at every
moment, and not at the end alone:

- Where the fence is not checked, who lost the claim writes an older conclusion over a newer one: a
  bet that was lost is in play again, and a player sees it. The next look puts it right, and no
  money moves twice: each step's posting has its own key, once for ever; a hold is resolved once;
  the game repeats its answer under the same key; nobody sends once the claim's time is over.
- Where our hold is freed before the game's, the player may spend here what the game still holds. It
  does not last: whatever the release comes to, the game gives a hold back at its own expiry, and
  nobody is left who would confirm it.
- The same is all that comes of asking about the key before the round is known to be over. And the
  swap alone does not even lead there: a tick asks for the game's state before it takes any bet, so
  that the round of a bet is either the present one, seen before, or long past. It takes a tick that
  has seen nothing, and calls that arrive on the turn of the round.
"""

from __future__ import annotations

import asyncio
import re
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import pytest

from recon import clock
from recon.bets import calls, confirming, finish_placing, resolve, rules
from recon.bets.model import BetState
from recon.db import load
from recon.game import GameRefused, PayoutStatus
from recon.simulation import Databases, simulate_seed
from recon.simulation.weather import Weather

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from datetime import datetime

    from recon.bets.model import Bet
    from recon.bets.rounds import Rounds
    from recon.bets.rules import Step
    from recon.db.embedded import EmbeddedPostgres
    from recon.game import Hold, KeyOutcome, Payout

STEPS = 40
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


def the_fence_is_not_checked(patch: pytest.MonkeyPatch) -> None:
    """Who has lost the claim writes what they concluded all the same; see `UNFENCED` too."""

    def unchecked(room: str, name: str) -> str:
        statement = str(load(room, name))
        return statement.replace(" AND fence = $3\nRETURNING", " AND $3::int > 0\nRETURNING")

    patch.setattr("recon.bets.queries.load", unchecked)


UNFENCED: Final = """
DO $$
DECLARE
    checked text := pg_get_functiondef('bets_conclude'::regproc);
    unchecked text := replace(checked, ' AND b.fence = n.fence', '');
BEGIN
    IF unchecked = checked THEN
        RAISE EXCEPTION 'there is no check of the fence';
    END IF;
    EXECUTE unchecked;
END
$$
"""


def the_key_is_asked_before_the_round(patch: pytest.MonkeyPatch) -> None:
    """The key led to nothing, then the round was seen closed: in between it may have led on."""
    _ask_the_key_first(patch, seen=False)


def _ask_the_key_first(patch: pytest.MonkeyPatch, *, seen: bool) -> None:
    """Swap the two questions, with or without what the tick has seen of the rounds."""
    real = finish_placing.finish_placing

    async def finish(line: calls.Line, bet: Bet, rounds: Rounds) -> Step:
        try:
            said: KeyOutcome | GameRefused = await line.ask_by_key()
        except GameRefused as refusal:
            said = refusal

        async def what_was_said() -> KeyOutcome:
            patched.undo()
            if isinstance(said, GameRefused):
                raise said
            return said

        known = copy(rounds)
        with pytest.MonkeyPatch.context() as patched:
            patched.setattr(line, "ask_by_key", what_was_said)
            if not seen:
                patched.setattr(known, "_phases", {})
            return await real(line, bet, known)

    patch.setattr(resolve, "finish_placing", finish)


def our_hold_is_freed_before_the_games(patch: pytest.MonkeyPatch) -> None:
    """The stake is given back here, and the game asked to do so while nobody waits for it."""
    real = confirming.give_back
    released: set[asyncio.Task[Step]] = set()

    async def give_back(line: calls.Line, bet: Bet, hold: Hold, reason: str) -> Step:
        released.add(asyncio.create_task(real(line, bet, hold, reason)))
        return rules.rejected(bet, reason, at=line.now())

    patch.setattr(confirming, "give_back", give_back)
    patch.setattr(finish_placing, "give_back", give_back)


Bug: TypeAlias = "Callable[[pytest.MonkeyPatch], None]"

BUGS: list[Bug] = [
    a_new_key_on_retry,
    release_on_timeout,
    payout_booked_while_pending,
    the_fence_is_not_checked,
    the_key_is_asked_before_the_round,
    our_hold_is_freed_before_the_games,
]
ON_THE_TURN: Final = Weather(on_the_turn=1.0)
WEATHER: Final[dict[Bug, Weather]] = {
    the_fence_is_not_checked: Weather(stall=0.03, answer_lost=0.2, slow=0.2, request_lost=0.1),
    the_key_is_asked_before_the_round: ON_THE_TURN,
}
"""Instead of the seed's own, so that few seeds are enough."""
DOES_NO_LASTING_HARM: Final[dict[Bug, str]] = {
    the_fence_is_not_checked: " went from ",
    our_hold_is_freed_before_the_games: " got its stake back at ",
}
"""With the words for what is seen of it while it lasts."""
LASTING: Final = re.compile("took a stake|still ha|here and|knows|paid out|verify")
"""The judge's words for money that is not where it should be in the end."""


BEGIN: Final[dict[Bug, int]] = {
    the_key_is_asked_before_the_round: 2,
    our_hold_is_freed_before_the_games: 4,
}
"""The seed to begin with, of the `WITHIN` that each has: the first that showed it, when written."""


@pytest.mark.parametrize("bug", BUGS, ids=lambda bug: bug.__name__)
def test_a_planted_bug_is_caught(
    server: EmbeddedPostgres,
    databases: Databases,
    bug: Bug,
) -> None:
    with _planted(server, databases, bug) as planted:
        first = BEGIN.get(bug, 1)
        for seed in range(first, first + WITHIN):
            with pytest.MonkeyPatch.context() as patch:
                bug(patch)
                report = simulate_seed(planted, seed, STEPS, weather=WEATHER.get(bug))
            if not report.ok:
                print(f"{bug.__name__}: seed {seed}: {report.failures[0]}")  # noqa: T201 - by -s
                if bug in DOES_NO_LASTING_HARM:
                    assert any(DOES_NO_LASTING_HARM[bug] in one for one in report.failures)
                    assert [one for one in report.failures if LASTING.search(one)] == []
                return
    pytest.fail(f"{bug.__name__} went unnoticed in {WITHIN} seeds")


@pytest.mark.parametrize("seed", [2, 3])
def test_what_a_tick_has_seen_of_rounds_stands_behind_the_order_of_questions(
    databases: Databases, seed: int
) -> None:
    """Swapped, and nothing comes of it, where without what was seen the same seeds break."""
    with pytest.MonkeyPatch.context() as patch:
        _ask_the_key_first(patch, seen=True)
        swapped = simulate_seed(databases, seed, STEPS, weather=ON_THE_TURN)

    assert swapped.failures == []


@contextmanager
def _planted(server: EmbeddedPostgres, databases: Databases, bug: Bug) -> Iterator[Databases]:
    if bug is not the_fence_is_not_checked:
        yield databases
        return
    with Databases(server, name="recon_simulation_unfenced", changes=[UNFENCED]) as unfenced:
        yield unfenced
