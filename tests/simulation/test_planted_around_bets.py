"""Bugs planted in the comparison, the intake and the stream; each is found by a check of its own.

As in `test_planted_bugs`; each check of the judge's is proven by a bug of which it speaks. Much
stands behind what is taken away here, and without one of two nothing would come of it:

- A difference that is shown too early has to get past the ladder, and then past the question
  whether what explains it has only just happened.
- A refund that came before its deposit is decided again when its payment is registered, if it is.
- What the stream did not tell is asked for by the jobs, a minute later at most: no money is lost by
  it, and the judge has to look at what each process heard and did.
"""

from __future__ import annotations

import asyncio
import re
from dataclasses import dataclass, replace
from importlib import import_module
from typing import TYPE_CHECKING, Any, Final

import msgspec
import pytest

from recon.bets.calls import Line
from recon.db import load
from recon.game import PayoutStatus
from recon.game.stream.conversation import Conversation
from recon.game.stream.news import NOTHING
from recon.reconciliation.compare import Snapshot
from recon.reconciliation.look import LookState
from recon.schedule import settle_by_news
from recon.simulation import member, simulate_seed
from recon.simulation.weather import Weather
from recon.webhooks.batch import Batch
from recon.webhooks.drain import Drain
from recon.webhooks.rules.known import Known

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Sequence

    from recon.db import Pool
    from recon.game import GameClient, Payout
    from recon.game.stream import News
    from recon.game.stream.conversation import Hearing
    from recon.game.stream.ordering import Taken
    from recon.reconciliation import Reconciler
    from recon.reconciliation.climb import _Suspect
    from recon.reconciliation.look import Look
    from recon.simulation import Databases
    from recon.webhooks.model import Delivery, Movement, Outcome

# Each has a verb of its own name in it, which the package shows instead.
CLIMB: Final = import_module("recon.reconciliation.climb")
LOOK: Final = import_module("recon.reconciliation.look")
RECORD: Final = import_module("recon.reconciliation.record")

WITHIN: Final = 16


def the_grace_period_is_not_waited_for(patch: pytest.MonkeyPatch) -> None:
    """What differs at the second look is shown, however young it is."""
    patch.setattr(CLIMB, "has_stood", lambda now, since, _: now >= since)

    async def is_under_way(*_: object, **__: object) -> bool:
        return False

    patch.setattr(CLIMB, "is_under_way", is_under_way)


def what_the_ledger_said_once_is_kept(patch: pytest.MonkeyPatch) -> None:
    """Reads are saved: a wallet that has moved is compared as it was."""
    real = LOOK._read  # noqa: SLF001 - the ledger's side of a look
    kept: dict[tuple[str, str], Any] = {}

    async def read(reconciler: Reconciler, wallets: Sequence[tuple[str, str]]) -> list[Any]:
        missing = [wallet for wallet in wallets if wallet not in kept]
        if missing:
            kept.update(zip(missing, await real(reconciler, missing), strict=True))
        return [kept[wallet] for wallet in wallets]

    patch.setattr(LOOK, "_read", read)


def what_is_reserved_is_gone(patch: pytest.MonkeyPatch) -> None:
    """That the game still shows what is reserved for a withdrawal is taken for a difference."""
    patch.setattr(Snapshot, "expected_available", property(lambda one: one.available))


def every_look_begins_anew(patch: pytest.MonkeyPatch) -> None:
    """A difference that stands is counted from the last look, and never grows old."""

    def with_difference(suspect: _Suspect, seen: Look, at: Any) -> _Suspect:  # noqa: ANN401 - an instant
        found = seen.comparison
        if found is None or seen.state is LookState.MOVING:
            return suspect
        return replace(
            suspect,
            available_difference=found.available_difference,
            held_difference=found.held_difference,
            since=at,
        )

    patch.setattr(CLIMB, "_with_difference", with_difference)


def only_what_has_not_moved_clears(patch: pytest.MonkeyPatch) -> None:
    """A discrepancy is closed where the wallet is still the one that was shown."""

    def narrowed(room: str, name: str) -> str:
        statement = load(room, name)
        if name != "clear_discrepancies":
            return statement
        return statement.replace(
            "d.user_id = a.user_id", "d.user_id = a.user_id AND d.ledger_version = a.version"
        )

    patch.setattr(RECORD, "load", narrowed)


def a_delivery_is_acknowledged_before_it_is_kept(patch: pytest.MonkeyPatch) -> None:
    """The PSP is answered at once, and the commit follows if the process lives."""
    real = Drain.take
    following: set[asyncio.Task[list[Outcome]]] = set()

    async def take(self: Drain, deliveries: Sequence[Delivery]) -> list[Outcome]:
        commit = asyncio.create_task(real(self, deliveries))
        following.add(commit)
        commit.add_done_callback(lambda done: done.cancelled() or done.exception())
        return []

    patch.setattr(Drain, "take", take)


def what_waits_is_not_woken(patch: pytest.MonkeyPatch) -> None:
    """A refund that came before its deposit is left where it is."""
    patch.setattr(Batch, "_wake", lambda *_: None)


def a_movement_is_named_by_its_delivery(patch: pytest.MonkeyPatch) -> None:
    """Two events about one movement are two, in our rules and under the database's keys."""
    real = Known.movement

    def movement(self: Known, *args: Any, **kwargs: Any) -> Movement:  # noqa: ANN401 - as they are
        made = real(self, *args, **kwargs)
        return msgspec.structs.replace(made, effect=f"{made.effect}:{self.delivery_id.hex}")

    patch.setattr(Known, "movement", movement)


def a_payout_that_is_told_of_is_booked(patch: pytest.MonkeyPatch) -> None:
    """The stream speaks of a bet that was cashed out, and its payout is taken for completed."""
    told: set[str] = set()
    real = Line.ask_payout

    async def ask_payout(self: Line, transaction_id: str) -> Payout:
        payout = await real(self, transaction_id)
        if payout.status is PayoutStatus.PENDING and payout.ticket_id in told:
            return replace(payout, status=PayoutStatus.COMPLETED)
        return payout

    def note(pool: Pool, game: GameClient) -> Callable[[News], Awaitable[None]]:
        look = settle_by_news(pool, game)

        async def noted(news: News) -> None:
            told.update(news.tickets)
            await look(news)

        return noted

    patch.setattr(Line, "ask_payout", ask_payout)
    patch.setattr(member, "settle_by_news", note)


def a_gap_is_passed_over(patch: pytest.MonkeyPatch) -> None:
    """What never came is counted, and nobody asks what it was."""
    real = Conversation._told  # noqa: SLF001 - where gaps become news

    def told(self: Conversation, channel: str, taken: Taken[bytes]) -> Hearing:
        return real(self, channel, replace(taken, gaps=()))

    patch.setattr(Conversation, "_told", told)


def what_was_before_is_not_asked_for(patch: pytest.MonkeyPatch) -> None:
    """A connection tells from its beginning on; what happened before it is nobody's business."""
    real = Conversation._next  # noqa: SLF001 - where a connection is complete

    def following(self: Conversation) -> Hearing:
        return replace(real(self), news=NOTHING)

    patch.setattr(Conversation, "_next", following)


@dataclass(frozen=True, eq=False)
class World:
    """What happens besides the bug: few kinds of steps and faults, so that few seeds do."""

    mix: dict[str, int]
    weather: Weather
    steps: int = 20


LATE_WEBHOOKS: Final = World(
    {"deposit": 20, "withdraw": 5, "reconcile": 12, "pause": 3},
    Weather(webhook_late=0.7, webhook_never=0.1),
)
WITHDRAWALS: Final = World(
    {"withdraw": 20, "reconcile": 12, "pause": 8}, Weather(webhook_late=1.0), steps=30
)
DEATHS: Final = World({"deposit": 30, "nothing": 10}, Weather(death=0.06))
UNREGISTERED: Final = World(
    {"deposit": 30, "nothing": 10}, Weather(webhook_late=0.8, registered_never=1.0)
)
TOLD_AGAIN: Final = World({"deposit": 30, "nothing": 10}, Weather(webhook_again=0.9))
GAPS: Final = World({"wish": 30, "pause": 5}, Weather(stream_gap=0.2))
QUIET: Final = World({"wish": 30, "pause": 5}, Weather())

BEGIN: Final[dict[Callable[[pytest.MonkeyPatch], None], int]] = {
    the_grace_period_is_not_waited_for: 5,
    what_the_ledger_said_once_is_kept: 2,
    every_look_begins_anew: 2,
    a_delivery_is_acknowledged_before_it_is_kept: 3,
}
"""The seed to begin with, of the `WITHIN` that each has: the first that showed it, when written."""

FOUND: Final[dict[Callable[[pytest.MonkeyPatch], None], tuple[World, str]]] = {
    the_grace_period_is_not_waited_for: (LATE_WEBHOOKS, "is younger than the grace period"),
    what_the_ledger_said_once_is_kept: (LATE_WEBHOOKS, "moved while it was looked at"),
    what_is_reserved_is_gone: (WITHDRAWALS, "is none: each bet and payment is alike"),
    every_look_begins_anew: (LATE_WEBHOOKS, r"nobody was shown that u_\d has"),
    only_what_has_not_moved_clears: (LATE_WEBHOOKS, "is still open"),
    a_delivery_is_acknowledged_before_it_is_kept: (DEATHS, "is booked 0 times"),
    what_waits_is_not_woken: (UNREGISTERED, r"deposit\.refunded of .* is booked 0 times"),
    a_movement_is_named_by_its_delivery: (TOLD_AGAIN, "is booked 2 times"),
    a_payout_that_is_told_of_is_booked: (QUIET, "was paid out before its payout was completed"),
    a_gap_is_passed_over: (GAPS, r"never heard \d+ of .* and did not look into it"),
    what_was_before_is_not_asked_for: (
        QUIET,
        "never heard what was before it listened and did not look into it",
    ),
}
"""With the world in which it shows, and the words of the check that is meant for it."""


@pytest.mark.parametrize("bug", FOUND, ids=lambda bug: bug.__name__)
def test_a_bug_planted_around_bets_is_caught_by_the_check_that_is_meant_for_it(
    databases: Databases, bug: Callable[[pytest.MonkeyPatch], None]
) -> None:
    world, words = FOUND[bug]
    first = BEGIN.get(bug, 1)
    for seed in range(first, first + WITHIN):
        with pytest.MonkeyPatch.context() as patch:
            bug(patch)
            report = simulate_seed(
                databases, seed, world.steps, weather=world.weather, mix=world.mix
            )
        found = [one for one in report.failures if re.search(words, one)]
        if found:
            print(f"{bug.__name__}: seed {seed}: {found[0]}")  # noqa: T201 - by -s
            return
    pytest.fail(f"{bug.__name__} went unnoticed in {WITHIN} seeds")


@pytest.mark.parametrize(
    "world",
    dict.fromkeys(world for world, _ in FOUND.values()),
    ids=lambda one: one.weather.shown(),
)
def test_without_a_bug_nothing_is_found_in_the_same_worlds(
    databases: Databases, world: World
) -> None:
    report = simulate_seed(databases, 1, world.steps, weather=world.weather, mix=world.mix)

    assert report.failures == []
