"""What takes long to look for is looked for less often, and nothing else is."""

from __future__ import annotations

from recon.alerts import Sparing
from recon.alerts.model import AlertType


def test_looking_takes_a_twentieth_of_the_time_at_most_of_each_kind_by_itself() -> None:
    now_s = [100.0]
    sparing = Sparing(lambda: now_s[0])

    def look(kind: AlertType, took_s: float) -> bool:
        begun = sparing.begin(kind)
        if begun:
            now_s[0] += took_s
            sparing.end(kind)
        return begun

    assert look(AlertType.UNEXPLAINED, took_s=0.75)
    assert look(AlertType.INCIDENTS, took_s=0.01)
    now_s[0] = 110.0
    assert not look(AlertType.UNEXPLAINED, took_s=0.75)
    assert look(AlertType.INCIDENTS, took_s=0.01)
    now_s[0] = 115.0
    assert look(AlertType.UNEXPLAINED, took_s=0.75)
