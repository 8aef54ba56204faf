"""Which calls a look goes before: suspects and re-checks, then what changed, then everything."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from recon.game import Priority
from recon.game.admission import Admission
from recon.reconciliation import RunScope

if TYPE_CHECKING:
    from recon.game.admission import Pass
    from tests.reconciliation.conftest import World


@pytest.fixture
def entered(monkeypatch: pytest.MonkeyPatch) -> list[Priority]:
    """The priorities of the calls that were sent."""
    seen: list[Priority] = []
    enter = Admission.enter

    async def enter_and_tell(
        self: Admission, priority: Priority, request_id: str, *, may_probe: bool
    ) -> Pass:
        seen.append(priority)
        return await enter(self, priority, request_id, may_probe=may_probe)

    monkeypatch.setattr(Admission, "enter", enter_and_tell)
    return seen


@pytest.mark.parametrize(
    ("scope", "users", "lane"),
    [
        (RunScope.ALL, [], Priority.SWEEP),
        (RunScope.CHANGED, [], Priority.CHANGED),
        (RunScope.USERS, ["u_1"], Priority.SUSPECT),
    ],
)
async def test_a_run_asks_in_its_own_lane_and_of_its_suspects_before_others(
    world: World, entered: list[Priority], scope: RunScope, users: list[str], lane: Priority
) -> None:
    await world.deposit("u_1", "10.00")
    world.game.set("u_1", "3.00")

    run = await world.run(scope, *users)

    assert run.wallets.discrepant == 1
    # The first look and its second reading; from then on it is a suspect.
    assert entered[:2] == [lane, lane]
    assert set(entered[2:]) == {Priority.SUSPECT}
    assert len(entered) >= 4
