"""What settings say together that cannot be."""

from __future__ import annotations

from typing import TYPE_CHECKING

from yarl import URL

from recon.settings.values import is_loopback

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pydantic import SecretStr

    from recon.settings.model import Settings

__all__ = ["faults_together"]


def faults_together(settings: Settings) -> Iterator[tuple[set[str], str]]:
    """What settings say together that cannot be, with the names of those involved."""
    key = settings.game_api_key.get_secret_value() if settings.game_api_key else None
    if settings.game_url is not None and key is None:
        yield {"game_url", "game_api_key"}, "game_url is set and game_api_key is not"
    if settings.game_signing_secret is None and settings.game_signing_secret_previous is not None:
        yield (
            {"game_signing_secret", "game_signing_secret_previous"},
            "game_signing_secret_previous is set and game_signing_secret is not",
        )
    yield from _sign_in_faults(settings)
    wrong = "sk_sandbox_" if settings.environment == "live" else "sk_live_"
    for name in ("game_signing_secret", "game_signing_secret_previous"):
        secret: SecretStr | None = getattr(settings, name)
        if secret is not None and secret.get_secret_value().startswith(wrong):
            fault = f"environment is {settings.environment} and {name} is a {wrong[3:-1]} secret"
            yield {"environment", name}, fault
    if settings.replica_database_url is not None and settings.database_url is None:
        yield (
            {"database_url", "replica_database_url"},
            "replica_database_url is set and database_url is not",
        )
    if settings.environment == "live":
        yield from _live_faults(settings, key or "")
        return
    if (key or "").startswith("ck_live_"):
        yield (
            {"environment", "game_api_key"},
            "environment is sandbox and game_api_key is a live key",
        )
    for name in _psps_with_key(settings, "_live_"):
        yield {"environment", "psp"}, f"environment is sandbox and psp {name!r} has a live api_key"


def _sign_in_faults(settings: Settings) -> Iterator[tuple[set[str], str]]:
    if settings.oidc is None:
        if not settings.password_sign_in:
            yield (
                {"oidc", "password_sign_in"},
                "password_sign_in is off and oidc is not set: no way in but one-time links",
            )
        return
    if settings.public_url is None:
        yield (
            {"oidc", "public_url"},
            "oidc is set and public_url is not: the provider sends people back to it",
        )
    elif (url := URL(settings.public_url)).scheme == "http" and not is_loopback(url.host or ""):
        yield {"oidc", "public_url"}, "oidc is set and public_url is http:// to another machine"


def _live_faults(settings: Settings, key: str) -> Iterator[tuple[set[str], str]]:
    if settings.database_url is None:
        yield (
            {"environment", "database_url"},
            "live needs database_url; the embedded Postgres is for one machine",
        )
    if not settings.seal_keys:
        yield (
            {"environment", "seal_keys"},
            "live needs seal_keys: without one, whoever owns the database can rewrite the past",
        )
    if key.startswith("ck_sandbox_"):
        yield (
            {"environment", "game_api_key"},
            "environment is live and game_api_key is a sandbox key",
        )
    if settings.game_url is not None:
        url, names = URL(settings.game_url), {"environment", "game_url"}
        if url.scheme != "https":
            yield names, "environment is live and game_url is not https"
        if "sandbox" in (url.host or ""):
            yield names, "environment is live and game_url is a sandbox host"
    yield from _faults_in_the_clear(settings)
    for name, psp in settings.psp.items():
        if psp.api_url is not None and "sandbox" in (URL(psp.api_url).host or ""):
            yield (
                {"environment", "psp"},
                f"environment is live and psp {name!r} has a sandbox api_url",
            )
    for name in _psps_with_key(settings, "_test_"):
        yield {"environment", "psp"}, f"environment is live and psp {name!r} has a test api_key"


def _faults_in_the_clear(settings: Settings) -> Iterator[tuple[set[str], str]]:
    """What is sent without TLS, be it to this machine alone."""
    for name, psp in settings.psp.items():
        if psp.api_url is not None and not psp.api_url.startswith("https://"):
            yield (
                {"environment", "psp"},
                f"environment is live and psp {name!r} has an http:// api_url",
            )
    if settings.public_url is not None and URL(settings.public_url).scheme != "https":
        yield {"environment", "public_url"}, "environment is live and public_url is not https"
    if settings.oidc is not None and not settings.oidc.issuer.startswith("https://"):
        yield {"environment", "oidc"}, "environment is live and oidc.issuer is not https"
    for name in settings.alerts.in_the_clear:
        yield (
            {"environment", "alerts"},
            f"environment is live and alerts.webhooks {name!r} has an http:// url",
        )


def _psps_with_key(settings: Settings, mode: str) -> list[str]:
    """PSPs whose API key says which mode it is of (Stripe: ``sk_test_…``, ``rk_live_…``)."""
    return [
        name
        for name, psp in settings.psp.items()
        if psp.api_key is not None and psp.api_key.get_secret_value()[2:].startswith(mode)
    ]
