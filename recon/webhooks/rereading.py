"""Read a kept delivery's bytes again."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from recon.webhooks.model import Endpoint, Event, StoredDelivery
from recon.webhooks.psp import PROVIDERS

if TYPE_CHECKING:
    from recon.webhooks.model import Unusable

__all__ = ["event_of"]


def event_of(stored: StoredDelivery, endpoint: Endpoint | None = None) -> Event | Unusable | None:
    """What a kept delivery says; ``None`` once its body is redacted.

    Args:
        stored: the delivery with its body.
        endpoint: as configured; without it nothing is pinned, which is right for what passed the
            pin when it came.
    """
    if stored.body is None:
        return None
    if endpoint is None:
        endpoint = Endpoint(name=stored.endpoint, provider=stored.provider, secrets=())
    reading = PROVIDERS[stored.provider].reread(endpoint, stored.headers, stored.body)
    return replace(reading.event, event_id=stored.event_id)
