"""Send a test message, now and past the outbox, and say what came back."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from recon.alerts.errors import ChannelNotFoundError
from recon.alerts.model import AlertType, Message
from recon.alerts.outbox import compose
from recon.clock import new_id

if TYPE_CHECKING:
    from recon.alerts.model import Alerting, Outcome

__all__ = ["send_trial"]


async def send_trial(alerting: Alerting, channel: str | None = None) -> dict[str, Outcome]:
    """Try channels with a message that says it is a test.

    Args:
        alerting: the rules and the ways.
        channel: one of them by its name; ``None``: all.

    Returns:
        How it ended, by the channel's name.

    Raises:
        ChannelNotFoundError: there is none of this name in the settings.
    """
    tried = [one for one in alerting.channels if channel in {None, one.name}]
    if not tried:
        known = ", ".join(one.name for one in alerting.channels) or "none"
        raise ChannelNotFoundError(f"there is no channel {channel!r}; there are: {known}")
    message = Message(new_id(), AlertType.TRIAL, compose(alerting, AlertType.TRIAL, {}))
    outcomes = await asyncio.gather(*(one.deliver(message, None) for one in tried))
    return {one.name: outcome for one, outcome in zip(tried, outcomes, strict=True)}
