"""Send what is due: one process at a time through a channel, each message at least once.

A try is counted before it is made and its end written after it, both under the fence of whoever
holds the channel. A process that dies in between leaves the message due once its lease has ended,
and it is sent again under the same id, by which receivers know it.
"""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, Final
from uuid import UUID

import structlog

from recon.alerts.attachment import open_discrepancies
from recon.alerts.metrics import FAILED, GIVEN_UP, SENT
from recon.alerts.model import AlertType, Message, Outcome
from recon.alerts.rules import retry_in
from recon.db import load

if TYPE_CHECKING:
    from recon.alerts.model import Alerting, Channel
    from recon.db import Pool

__all__ = ["send_due"]

log = structlog.get_logger(__name__)

_FIRST: Final = UUID(int=0)
_LONGEST_TRY_S: Final = 45.0
"""Less than the lease, so that nobody else sends what we still do."""


async def send_due(pool: Pool, alerting: Alerting) -> None:
    """Try every message that is due once, through all channels at the same time."""
    await asyncio.gather(*(_send_all(pool, alerting, channel) for channel in alerting.channels))


async def _send_all(pool: Pool, alerting: Alerting, channel: Channel) -> None:
    try:
        await _send_through(pool, alerting, channel)
    except Exception:
        # The other channels have their own; this one is tried again.
        log.exception("alerts_not_sent", channel=channel.name)


async def _send_through(pool: Pool, alerting: Alerting, channel: Channel) -> None:
    async with pool.acquire() as connection:
        fence = await connection.fetchval(
            load("recon.alerts", "take_channel"), channel.name, alerting.lease
        )
    if fence is None:
        return
    after = _FIRST
    while (begun := await _begin(pool, alerting, channel, fence, after)) is not None:
        message, attempts = begun
        after = message.alert_id
        outcome = await _try(pool, alerting, channel, message)
        kept = await _end(pool, channel, fence, message, attempts, outcome)
        if not kept or outcome.gone or not outcome.reached:
            break
    async with pool.acquire() as connection:
        await connection.execute(load("recon.alerts", "leave_channel"), channel.name, fence)


async def _try(pool: Pool, alerting: Alerting, channel: Channel, message: Message) -> Outcome:
    """Try once; what we stumble over ourselves is an end of this try like any other.

    A message of which nothing can be made must neither be tried without end nor hold up the others.
    """
    try:
        async with asyncio.timeout(_LONGEST_TRY_S):
            attachment = None
            if message.type is AlertType.DIGEST and channel.attaches:
                attachment = await open_discrepancies(pool, base_url=alerting.policy.public_url)
            return await channel.deliver(message, attachment)
    except TimeoutError:
        return Outcome(delivered=False, reached=False, detail=f"no end within {_LONGEST_TRY_S:g} s")
    except Exception as error:
        log.exception("alert_not_tried", channel=channel.name, alert_id=str(message.alert_id))
        name = type(error).__name__
        return Outcome(delivered=False, detail=f"an unforeseen error of ours: {name}")


async def _begin(
    pool: Pool, alerting: Alerting, channel: Channel, fence: int, after: UUID
) -> tuple[Message, int] | None:
    async with pool.acquire() as connection:
        row = await connection.fetchrow(
            load("recon.alerts", "begin_delivery"), channel.name, fence, alerting.lease, after
        )
    if row is None:
        return None
    return Message(row["alert_id"], AlertType(row["type"]), row["payload"]), row["attempts"]


async def _end(
    pool: Pool, channel: Channel, fence: int, message: Message, attempts: int, outcome: Outcome
) -> bool:
    """Write down how a try ended; whether the channel is still ours."""
    wait = retry_in(
        attempts,
        retry_after_s=outcome.retry_after_s,
        draw=random.random(),  # noqa: S311 - spreads retries
    )
    async with pool.acquire() as connection, connection.transaction():
        state = await connection.fetchval(
            load("recon.alerts", "end_delivery"),
            *(message.alert_id, channel.name, fence, outcome.delivered, wait, outcome.detail),
        )
        given_up = 0
        if state is not None and outcome.gone:
            given_up = await connection.fetchval(
                load("recon.alerts", "disable_channel"), channel.name, fence, outcome.detail
            )
    GIVEN_UP.labels(channel.name).inc(given_up)
    _tell(channel, message, attempts, outcome)
    return state is not None


def _tell(channel: Channel, message: Message, attempts: int, outcome: Outcome) -> None:
    said = {
        "alert_id": str(message.alert_id),
        "channel": channel.name,
        "type": message.type,
        "attempts": attempts,
        "detail": outcome.detail,
    }
    if outcome.delivered:
        SENT.labels(channel.name).inc()
        log.info("alert_sent", **said)
        return
    FAILED.labels(channel.name).inc()
    if outcome.gone:
        log.error("alert_channel_disabled", **said)
    else:
        log.warning("alert_not_sent", **said)
