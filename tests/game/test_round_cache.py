"""What of the rounds may be kept, and for how long."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import TYPE_CHECKING

import pytest

from recon.game import GameRound, RoundAnswer, RoundStatus
from recon.game.round_cache import RoundCache

if TYPE_CHECKING:
    from tests.game.conftest import Rig

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def finished(name: str = "r_1", *, ago_s: float = 600, status: str = "payout") -> GameRound:
    at = NOON - timedelta(seconds=ago_s)
    return GameRound(name, RoundStatus(status), Decimal("2.5"), at, at, 4)


def told(found: GameRound, control: str | None = None) -> RoundAnswer:
    return RoundAnswer(found, '"e"', "Thu, 01 Jan 2026 11:50:00 GMT", control)


class Kept:
    """A cache at noon."""

    def __init__(self, most: int = 1024) -> None:
        self.now = NOON
        self.cache = RoundCache(lambda: self.now, most)

    def after(self, found: GameRound, control: str | None = None) -> float | None:
        """For how many seconds the copy is fresh; None where there is none."""
        self.cache.learned(found, told(found, control))
        kept = self.cache.kept(found.round_id)
        return None if kept is None else (kept.fresh_until - NOON).total_seconds()


@pytest.mark.parametrize(
    ("control", "fresh_s"),
    [
        (None, 3600),
        ("private, max-age=86400", 3600),
        ("max-age=60", 60),
        ("s-maxage=5, private", 3600),
        ("no-cache", 0),
        ("no-store", None),
        ("private, No-Store, max-age=60", None),
    ],
)
def test_a_copy_is_fresh_as_long_as_the_game_says_and_an_hour_at_most(
    control: str | None, fresh_s: float | None
) -> None:
    assert Kept().after(finished(), control) == fresh_s


@pytest.mark.parametrize(
    "found",
    [
        finished(ago_s=299),
        finished(status="active"),
        finished(status="betting"),
        GameRound("r_1", RoundStatus.CRASHED, None, NOON, None, 4),
    ],
)
def test_what_is_young_or_not_finished_is_never_kept(found: GameRound) -> None:
    assert Kept().after(found, "max-age=60") is None


def test_the_rounds_used_least_recently_make_room() -> None:
    kept = Kept(most=3)
    for name in ("r_1", "r_2", "r_3"):
        kept.after(finished(name))
    kept.cache.kept("r_1")
    kept.after(finished("r_4"))

    assert len(kept.cache) == 3
    assert kept.cache.kept("r_2") is None
    assert kept.cache.kept("r_1") is not None


def test_a_304_that_forbids_keeping_ends_the_copy() -> None:
    kept = Kept()
    kept.after(finished())
    copy = kept.cache.kept("r_1")
    assert copy is not None

    kept.now += timedelta(hours=2)
    assert not kept.cache.is_fresh(copy)
    kept.cache.renewed(copy, RoundAnswer(None, '"e"', None, "no-store"))

    assert kept.cache.kept("r_1") is None


def test_a_304_that_says_nothing_of_keeping_leaves_what_was_said_before() -> None:
    kept = Kept()
    kept.after(finished(), "max-age=60")
    copy = kept.cache.kept("r_1")
    assert copy is not None

    kept.now += timedelta(minutes=5)
    kept.cache.renewed(copy, RoundAnswer(None, '"e"', None))

    renewed = kept.cache.kept("r_1")
    assert renewed is not None
    assert renewed.fresh_until == kept.now + timedelta(minutes=1)


@pytest.mark.parametrize("etag", ["", '"' + "x" * 300 + '"'])
async def test_a_validator_that_cannot_be_sent_back_is_none(rig: Rig, etag: str) -> None:
    at = "2026-01-01T11:50:00Z"
    round_ = {
        "round_id": "r_76",
        "status": "payout",
        "crash_multiplier": 4.2,
        "started_at": at,
        "crashed_at": at,
        "participants": 9,
    }
    rig.game.will(rig.game.says(200, round_, ETag=etag, Cache_Control="no-cache"))

    told = [await rig.client.round("r_76") for _ in range(2)]

    assert told[0] == told[1]
    assert "If-None-Match" not in rig.game.seen[1].headers
