"""The endpoints that exist, and the settings with which the service takes their events."""

from __future__ import annotations

import base64
import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Final

import msgspec

from recon.errors import Conflict, Invalid, NotFound
from recon.sandbox.psp.adyen import Adyen
from recon.sandbox.psp.model import Endpoint
from recon.sandbox.psp.standard_webhooks import StandardWebhooks, public_key
from recon.sandbox.psp.stripe import Stripe

if TYPE_CHECKING:
    from collections.abc import Iterator

    from recon.sandbox.psp.model import Provider

__all__ = ["PROVIDERS", "Configuration", "Endpoints", "settings_lines"]

PROVIDERS: Final[dict[str, Provider]] = {
    "stripe": Stripe(),
    "adyen": Adyen(),
    "standard-webhooks": StandardWebhooks(),
}


class Configuration(msgspec.Struct, forbid_unknown_fields=True):
    """The body of ``PUT /sandbox/psp/{endpoint}``; what is absent stays as it is."""

    provider: str | None = None
    secret: str | None = None
    secrets: list[str] | None = None
    webhook_url: str | msgspec.UnsetType | None = msgspec.UNSET
    merchant_account: str | None = None
    api_key: str | None = None
    auto_capture: bool | None = None
    list_lost: bool | None = None


class Endpoints:
    """The configured endpoints by name; ``stripe``, ``adyen`` and ``standard`` from the start.

    Args:
        seed: the secrets are derived from it.
        service_url: where the service listens; None: nothing is sent until an URL is set.
    """

    def __init__(self, seed: int, service_url: str | None) -> None:
        self._by_name = {
            name: replace(
                endpoint,
                webhook_url=None if service_url is None else _webhook_url(service_url, name),
            )
            for name, endpoint in _defaults(seed).items()
        }

    def __iter__(self) -> Iterator[Endpoint]:
        return iter(self._by_name.values())

    def get(self, name: str) -> Endpoint:
        """The endpoint of that name.

        Raises:
            NotFound: there is none.
        """
        try:
            return self._by_name[name]
        except KeyError:
            raise NotFound(f"no endpoint is called {name[:64]!r}") from None

    def provider(self, name: str) -> Provider:
        """How the provider of that endpoint does things.

        Raises:
            NotFound: there is no such endpoint.
        """
        return PROVIDERS[self.get(name).provider]

    def configure(self, name: str, wanted: Configuration) -> Endpoint:
        """Create an endpoint or change one; attempts from now on use what it says.

        Raises:
            Invalid: something is missing or malformed.
            Conflict: an endpoint cannot change its provider.
        """
        before = self._by_name.get(name)
        provider = wanted.provider or (before.provider if before else None)
        if provider not in PROVIDERS:
            raise Invalid(f"provider is one of {', '.join(PROVIDERS)}", code="unknown_provider")
        if before is not None and before.provider != provider:
            raise Conflict(f"{name} is an endpoint of {before.provider}")
        secrets = [wanted.secret] if wanted.secret is not None else wanted.secrets
        endpoint = before or Endpoint(name, provider, (), webhook_url=None)
        endpoint = replace(
            endpoint,
            secrets=endpoint.secrets if secrets is None else tuple(secrets),
            webhook_url=endpoint.webhook_url
            if wanted.webhook_url is msgspec.UNSET
            else wanted.webhook_url,
            merchant_account=wanted.merchant_account or endpoint.merchant_account,
            api_key=wanted.api_key or endpoint.api_key,
            auto_capture=endpoint.auto_capture
            if wanted.auto_capture is None
            else wanted.auto_capture,
            list_lost=endpoint.list_lost if wanted.list_lost is None else wanted.list_lost,
        )
        if not endpoint.secrets:
            raise Invalid("an endpoint needs at least one secret", code="invalid_secret")
        PROVIDERS[provider].check_endpoint(endpoint)
        self._by_name[name] = endpoint
        return endpoint


def settings_lines(seed: int, *, base_url: str | None = None) -> dict[str, str]:
    """The service's settings for the default endpoints, e.g. ``RECON_PSP__STRIPE__PROVIDER``.

    Args:
        seed: the sandbox's.
        base_url: where the sandbox listens; adds Stripe's API for missed events.
    """
    lines: dict[str, str] = {}
    for name, endpoint in _defaults(seed).items():
        prefix = f"RECON_PSP__{name.upper()}__"
        lines[prefix + "PROVIDER"] = endpoint.provider
        lines[prefix + "SECRETS"] = json.dumps(
            [public_key(s) if s.startswith("whsk_") else s for s in endpoint.secrets]
        )
        if endpoint.merchant_account is not None:
            lines[prefix + "MERCHANT_ACCOUNT"] = endpoint.merchant_account
        if endpoint.api_key is not None and base_url is not None:
            lines[prefix + "API_URL"] = f"{base_url.rstrip('/')}/sandbox/psp/{name}"
            lines[prefix + "API_KEY"] = endpoint.api_key
    return lines


def _defaults(seed: int) -> dict[str, Endpoint]:
    def derived(label: str) -> bytes:
        return sha256(f"{seed}\nendpoint\n{label}".encode()).digest()

    def base64_of(label: str) -> str:
        return base64.b64encode(derived(label)).decode()

    endpoints = [
        Endpoint(
            "stripe",
            "stripe",
            ("whsec_" + derived("stripe").hex()[:32],),
            webhook_url=None,
            api_key="sk_test_" + derived("stripe api").hex()[:24],
        ),
        Endpoint(
            "adyen",
            "adyen",
            (derived("adyen").hex().upper(),),
            webhook_url=None,
            merchant_account="ReconSandboxECOM",
        ),
        Endpoint(
            "standard",
            "standard-webhooks",
            ("whsec_" + base64_of("standard"), "whsk_" + base64_of("standard v1a")),
            webhook_url=None,
        ),
    ]
    return {endpoint.name: endpoint for endpoint in endpoints}


def _webhook_url(service_url: str, name: str) -> str:
    return f"{service_url.rstrip('/')}/webhooks/{name}"
