"""The PSP accounts whose own API can be asked for events."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Final, Protocol

from recon.webhooks.errors import MisconfiguredError
from recon.webhooks.model import BACKFILLED
from recon.webhooks.psp.stripe import EVENT_TYPES

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from recon.webhooks.model import Endpoint

__all__ = ["STRIPE_URL", "ApiAccount", "build_api_accounts"]

STRIPE_URL: Final = "https://api.stripe.com"


class _Secret(Protocol):
    def get_secret_value(self) -> str:
        """What it is."""


class Account(Protocol):
    """One PSP account as the settings have it (``recon.settings.Psp``)."""

    @property
    def api_url(self) -> str | None:
        """Where its API is, if not at the provider's own place."""

    @property
    def api_key(self) -> _Secret | None:
        """What opens it."""

    @property
    def api_events(self) -> Sequence[str] | None:
        """The types that its webhooks bring, if not all that are of use here."""


@dataclass(frozen=True, slots=True)
class ApiAccount:
    """An endpoint with the API that knows its events.

    Args:
        endpoint: as it takes webhooks.
        url: without a slash at its end.
        key: a secret key (``sk_…``), or better a restricted one (``rk_…``) that may read events.
        livemode: which of Stripe's two worlds the events must be of.
        types: what is asked for: no more than the account's webhooks would bring.
    """

    endpoint: Endpoint
    url: str
    key: str = field(repr=False)
    livemode: bool
    types: tuple[str, ...] = EVENT_TYPES

    @property
    def verified_by(self) -> str:
        """What the inbox says of an event from here: the key, without telling it."""
        return f"{BACKFILLED}{hashlib.sha256(self.key.encode()).hexdigest()[:8]}"


def build_api_accounts(
    endpoints: Mapping[str, Endpoint], psp: Mapping[str, Account], *, livemode: bool
) -> list[ApiAccount]:
    """The accounts that have a key for an API which lists events: Stripe's alone.

    Args:
        endpoints: by name, see `recon.webhooks.build_endpoints`.
        psp: the settings of the same endpoints.
        livemode: whether this installation deals in real money.

    Raises:
        MisconfiguredError: ``api_events`` names types of which nothing can be made here.
    """
    for name, account in psp.items():
        odd = sorted(set(account.api_events or ()) - set(EVENT_TYPES))
        if odd:
            raise MisconfiguredError(
                f"psp.{name}.api_events: {', '.join(odd)}: there are {', '.join(EVENT_TYPES)}"
            )
    return [
        ApiAccount(
            endpoint=endpoints[name],
            url=(account.api_url or STRIPE_URL).rstrip("/"),
            key=account.api_key.get_secret_value(),
            livemode=livemode,
            types=tuple(account.api_events or EVENT_TYPES),
        )
        for name, account in psp.items()
        if account.api_key is not None and endpoints[name].provider == "stripe"
    ]
