"""Numbers of alerts, for Prometheus; labelled by channel."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from prometheus_client import Counter, Gauge

if TYPE_CHECKING:
    from recon.alerts.model import ChannelState

__all__ = ["CHANNEL_GAUGES", "FAILED", "GIVEN_UP", "SENT", "show_channel"]

SENT: Final = Counter("recon_alerts_sent", "Messages that arrived.", ["channel"])
FAILED: Final = Counter("recon_alerts_failed", "Tries that did not arrive.", ["channel"])
GIVEN_UP: Final = Counter(
    "recon_alerts_given_up", "Messages that were given up: nobody was told.", ["channel"]
)

_pending = Gauge("recon_alerts_pending", "Messages on their way.", ["channel"])
_oldest = Gauge(
    "recon_alerts_oldest_pending_seconds", "How long the oldest of them has been.", ["channel"]
)
_disabled = Gauge(
    "recon_alerts_channel_disabled",
    "Whether nothing is sent through a channel because its receiver said so.",
    ["channel"],
)

CHANNEL_GAUGES: Final = (_pending, _oldest, _disabled)
"""By the database."""


def show_channel(state: ChannelState) -> None:
    """Show how a channel stands."""
    _pending.labels(state.channel).set(state.pending)
    _oldest.labels(state.channel).set(state.oldest_s or 0)
    _disabled.labels(state.channel).set(state.disabled_at is not None)
    # There from the start: of a number that begins with its first message nobody sees it grow.
    GIVEN_UP.labels(state.channel)
