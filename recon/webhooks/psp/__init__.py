"""The PSPs: one file per provider, all with the same five functions.

``verify`` proves the bytes before anything in them is believed, ``read`` makes our events of them,
``reread`` does so from a kept delivery, ``signed_at`` tells when it was signed, ``check_secret``
refuses a secret that cannot be one.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, Protocol

from recon.webhooks.psp import adyen, standard_webhooks, stripe

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from recon.webhooks.model import Endpoint, Reading

__all__ = ["PROVIDERS", "Provider"]


class Provider(Protocol):
    """What one provider's file offers."""

    @property
    def KEPT_HEADERS(self) -> tuple[str, ...]:  # noqa: N802 - a constant of the module
        """The headers that the inbox keeps."""

    def check_secret(self, secret: str) -> None:
        """Raise `Invalid` for a secret that this provider could not have issued."""

    def verify(
        self, headers: Mapping[str, str], body: bytes, secrets: Sequence[str], now: datetime
    ) -> str:
        """The key that signed these bytes; `Invalid` or `Unauthentic` where there is none."""

    def signed_at(self, headers: Mapping[str, str]) -> int | None:
        """The Unix second at which a verified call was signed; ``None`` where none is signed."""

    def read(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> list[Reading]:
        """The events of a verified call; `NotJsonError` where the body is none."""

    def reread(self, endpoint: Endpoint, headers: Mapping[str, str], body: bytes) -> Reading:
        """The event of a kept delivery."""


PROVIDERS: Final[dict[str, Provider]] = {
    "stripe": stripe,
    "adyen": adyen,
    "standard-webhooks": standard_webhooks,
}
"""By the names that ``RECON_PSP__<ENDPOINT>__PROVIDER`` takes."""
