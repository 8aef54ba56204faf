"""The configured PSP accounts and what is counted of them in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from aiohttp import web

from recon.errors import Invalid
from recon.http.flood import FloodGate
from recon.webhooks.errors import EndpointNotFoundError, MisconfiguredError
from recon.webhooks.model import Endpoint
from recon.webhooks.psp import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

__all__ = ["INTAKE", "Intake", "build_endpoints", "build_intake"]


class _Secret(Protocol):
    """A secret that does not show itself, such as pydantic's."""

    def get_secret_value(self) -> str:
        """What it is."""


class Account(Protocol):
    """One PSP account as the settings have it (``recon.settings.Psp``)."""

    @property
    def provider(self) -> str:
        """A name in `recon.webhooks.psp.PROVIDERS`."""

    @property
    def secrets(self) -> Sequence[_Secret]:
        """Newest first."""

    @property
    def merchant_account(self) -> str | None:
        """Adyen's, to be pinned."""

    @property
    def capture(self) -> str:
        """``auto`` or ``manual``: whether an authorisation or its capture moves money (Adyen)."""


@dataclass(frozen=True, slots=True)
class Intake:
    """What the webhook handler needs besides the database."""

    endpoints: Mapping[str, Endpoint]
    gate: FloodGate = field(default_factory=FloodGate)

    def endpoint(self, name: str) -> Endpoint:
        """The endpoint of that name.

        Raises:
            EndpointNotFoundError: none is configured.
        """
        try:
            return self.endpoints[name]
        except KeyError:
            raise EndpointNotFoundError("no PSP account is configured under this name") from None


INTAKE: web.AppKey[Intake] = web.AppKey("intake", Intake)


def build_endpoints(psp: Mapping[str, Account]) -> dict[str, Endpoint]:
    """The endpoints by name, from the settings.

    Raises:
        MisconfiguredError: secrets that their provider could not have issued; all are named, none
            is shown.
    """
    faults = []
    endpoints = {}
    for name, account in psp.items():
        secrets = tuple(secret.get_secret_value() for secret in account.secrets)
        for place, secret in enumerate(secrets):
            try:
                PROVIDERS[account.provider].check_secret(secret)
            except Invalid as error:
                faults.append(f"psp.{name}.secrets[{place}]: {error.message}")
        endpoints[name] = Endpoint(
            name=name,
            provider=account.provider,
            secrets=secrets,
            merchant_account=account.merchant_account,
            manual_capture=account.capture == "manual",
        )
    if faults:
        raise MisconfiguredError("\n".join(faults))
    return endpoints


def build_intake(psp: Mapping[str, Account]) -> Intake:
    """What the application puts under `INTAKE`; errors as in `build_endpoints`."""
    return Intake(build_endpoints(psp))
