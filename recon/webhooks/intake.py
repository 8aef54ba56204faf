"""The configured PSP accounts and what is counted of them in this process."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from aiohttp import web

from recon.errors import Invalid
from recon.settings import ConfigurationError
from recon.webhooks.errors import EndpointNotFoundError
from recon.webhooks.flood import FloodGate
from recon.webhooks.model import Endpoint
from recon.webhooks.psp import PROVIDERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from recon.settings import Psp

__all__ = ["INTAKE", "Intake", "build_endpoints", "build_intake"]


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


def build_endpoints(psp: Mapping[str, Psp]) -> dict[str, Endpoint]:
    """The endpoints by name, from the settings.

    Raises:
        ConfigurationError: secrets that their provider could not have issued; all are named, none
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
        )
    if faults:
        raise ConfigurationError("\n".join(faults))
    return endpoints


def build_intake(psp: Mapping[str, Psp]) -> Intake:
    """What the application puts under `INTAKE`; errors as in `build_endpoints`."""
    return Intake(build_endpoints(psp))
