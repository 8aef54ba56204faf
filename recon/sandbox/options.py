"""What can be set about a sandbox; read once, frozen."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING

from recon.errors import Invalid

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

__all__ = ["SandboxOptions"]

_LEAST_CAP = Decimal("1.01")


@dataclass(frozen=True, slots=True, kw_only=True)
class SandboxOptions:
    """The switches of a sandbox.

    Attributes:
        seed: crash points, the first key and every fault's draw follow from it.
        betting_s: how long a round takes bets.
        max_active_s: when the multiplier would reach ``cap_multiplier``; no round flies longer.
        cap_multiplier: no crash point lies above it.
        crashed_s: between the crash and the paying out.
        payout_s: how long a round pays out before the next one opens.
        payout_delay_s: how far into the paying out a payout becomes ``completed``.
        tick_s: between two messages on ``live_multiplier``.
        hold_ttl_s: how long a hold waits for its confirmation.
        rate_limit: calls that one API key may make in a window.
        rate_window_s: the window's length.
        signed_window_s: how far a signed call's timestamp may be off, either way.
        nonce_ttl_s: how long a nonce is remembered.
        idempotency_ttl_s: how long an idempotency key is remembered.
        heartbeat_s: between two heartbeats on the stream.
        auth_timeout_s: how long a new stream may take to authenticate.
        stream_queue: messages that may wait for one stream before it counts as slow.
        slow_answer_s: the delay of the fault ``answer_slow``.
        latency_s: how long each answer of the API is on its way, as over a network.
        fault_rates: kind → probability 0..1; the PSPs' kinds and the game's in one table.
        service_url: where the PSPs send webhooks; None: nowhere until it is set.
        api_version: what ``X-API-Version`` says.
        deprecated_at: sets ``Deprecation`` on every answer of the API.
        sunset_at: sets ``Sunset``.

    Raises:
        Invalid: ``invalid_option``.
    """

    seed: int = 1
    betting_s: float = 2.0
    max_active_s: float = 6.0
    cap_multiplier: Decimal = Decimal("10.00")
    crashed_s: float = 0.3
    payout_s: float = 0.5
    payout_delay_s: float = 0.2
    tick_s: float = 0.05
    hold_ttl_s: float = 5.0
    rate_limit: int = 5000
    rate_window_s: float = 1.0
    signed_window_s: float = 60.0
    nonce_ttl_s: float = 120.0
    idempotency_ttl_s: float = 86_400.0
    heartbeat_s: float = 5.0
    auth_timeout_s: float = 5.0
    stream_queue: int = 1024
    slow_answer_s: float = 0.5
    latency_s: float = 0.0
    fault_rates: Mapping[str, float] = field(default_factory=dict)
    service_url: str | None = None
    api_version: str = "1.4"
    deprecated_at: datetime | None = None
    sunset_at: datetime | None = None

    def __post_init__(self) -> None:
        """Refuse what no round could run with."""
        for name in (
            "betting_s",
            "max_active_s",
            "crashed_s",
            "payout_s",
            "tick_s",
            "hold_ttl_s",
            "rate_limit",
            "rate_window_s",
            "signed_window_s",
            "nonce_ttl_s",
            "idempotency_ttl_s",
            "heartbeat_s",
            "auth_timeout_s",
            "stream_queue",
        ):
            if not getattr(self, name) > 0:
                raise Invalid(f"{name} must be above zero", code="invalid_option")
        if not 0 <= self.payout_delay_s <= self.payout_s:
            raise Invalid("payout_delay_s must lie within payout_s", code="invalid_option")
        for name in ("slow_answer_s", "latency_s"):
            if getattr(self, name) < 0:
                raise Invalid(f"{name} must not be below zero", code="invalid_option")
        if self.cap_multiplier < _LEAST_CAP:
            raise Invalid(f"cap_multiplier must be {_LEAST_CAP} or more", code="invalid_option")
