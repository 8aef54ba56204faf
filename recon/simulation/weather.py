"""How bad it is: the rates of every fault, drawn anew for each seed.

As TigerBeetle's simulator does, the rates themselves are drawn ("swarm testing"): a run with one
kind of fault finds what is hidden by the others in a run with all of them.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    import random

__all__ = ["CALM", "FAULTS", "Weather", "drawn"]

_HIGHEST: Final = {
    "refused": 0.10,
    "request_lost": 0.20,
    "answer_lost": 0.25,
    "cut": 0.15,
    "doubled": 0.20,
    "slow": 0.20,
    "late": 0.12,
    "answered_for": 0.08,
    "on_the_turn": 1.0,
    "death": 0.008,
    "stall": 0.008,
    "database_cut": 0.006,
    "caller_gone": 0.25,
    "stream_cut": 0.02,
    "stream_late": 0.2,
    "stream_gap": 0.2,
    "stream_duplicate": 0.2,
    "stream_reorder": 0.2,
    "webhook_lost": 0.3,
    "webhook_late": 0.4,
    "webhook_doubled": 0.3,
    "webhook_never": 0.15,
    "webhook_again": 0.2,
    "registered_late": 0.5,
    "registered_never": 0.3,
    "restart": 0.05,
    "cancelled_round": 0.06,
}
_PRESENT: Final = 0.7
_ALONE: Final = 0.15


@dataclass(frozen=True, slots=True, kw_only=True)
class Weather:
    """Probabilities, 0 to 1.

    Attributes:
        refused: of a call, that no connection comes about.
        request_lost: of a call, that it never arrives; its sender waits in vain.
        answer_lost: of a call, that it takes effect and its answer never arrives.
        cut: of a call, that its connection breaks at once while it arrives a little later.
        doubled: of a call, that it arrives twice.
        slow: of a call, that it takes seconds, often more than its sender waits.
        late: of a call, that it arrives long after its sender has given up.
        answered_for: of a call, that somebody between answers 429 or 5xx, in half of the cases
            after it has taken effect.
        on_the_turn: of a round, that most calls about its bets conspire: a POST arrives in the
            last or first instant of a phase of it, however long that takes; the answer of a GET
            as well.
        death: of a process, each time that it waits for Postgres or the game.
        stall: of a task, each time that it waits so, that it goes on only a minute or so later.
        database_cut: of a statement, that its connection breaks before or after its effect.
        caller_gone: of a caller's call, that it is cancelled while it is under way.
        stream_cut: of a message of the stream, that its connection breaks, half of the times
            without a word to us.
        stream_late: of a message of the stream, that it arrives seconds later, out of its order.
        stream_gap: of an event, that the game never sends it; ``stream_duplicate``: that it sends
            it twice; ``stream_reorder``: that it does so behind the next.
        webhook_lost: of an attempt to tell us something, that it never arrives, or its answer.
        webhook_late: of an event, that it is first told up to a minute later.
        webhook_doubled: of an attempt, that it is made twice at once.
        webhook_never: of a deposit, that we are never told of it.
        webhook_again: of an event that was told, that another one tells the same a while later.
        registered_late: of a deposit, that it is registered after it was made, and maybe told;
            ``registered_never``: that nobody ever does.
        restart: of a step, that the game restarts.
        cancelled_round: of a step, that the game cancels its round.
    """

    refused: float = 0.0
    request_lost: float = 0.0
    answer_lost: float = 0.0
    cut: float = 0.0
    doubled: float = 0.0
    slow: float = 0.0
    late: float = 0.0
    answered_for: float = 0.0
    on_the_turn: float = 0.0
    death: float = 0.0
    stall: float = 0.0
    database_cut: float = 0.0
    caller_gone: float = 0.0
    stream_cut: float = 0.0
    stream_late: float = 0.0
    stream_gap: float = 0.0
    stream_duplicate: float = 0.0
    stream_reorder: float = 0.0
    webhook_lost: float = 0.0
    webhook_late: float = 0.0
    webhook_doubled: float = 0.0
    webhook_never: float = 0.0
    webhook_again: float = 0.0
    registered_late: float = 0.0
    registered_never: float = 0.0
    restart: float = 0.0
    cancelled_round: float = 0.0

    def shown(self) -> str:
        """The faults that can strike, with their rates."""
        return " ".join(f"{name}={rate:.4f}" for name, rate in asdict(self).items() if rate)


FAULTS: Final = tuple(_HIGHEST)
"""Every kind of fault; the trace counts them by these names."""

CALM: Final = Weather()
"""No fault at all."""


def drawn(dice: random.Random) -> Weather:
    """The weather of a seed: about two thirds of the faults, each at a rate of its own, or one."""
    rates = {
        name: highest * (0.2 + 0.8 * dice.random())
        for name, highest in _HIGHEST.items()
        if dice.random() < _PRESENT
    }
    if dice.random() < _ALONE:
        alone = dice.choice([*_HIGHEST])
        rates = {alone: _HIGHEST[alone]}
    return replace(CALM, **rates)
