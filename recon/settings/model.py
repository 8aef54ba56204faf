"""Everything that can be set."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Final, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from recon.http.proxies import LOOPBACK, ProxyHeader
from recon.money import parse_minor
from recon.settings.alerts import AlertSettings
from recon.settings.oidc import OidcSettings
from recon.settings.values import (
    Amounts,
    Draining,
    Duration,
    Networks,
    Notice,
    PostgresUrl,
    PrivateUrl,
    Retention,
    Schedule,
    SealKeySet,
    Secret,
    WebUrl,
)

__all__ = ["Psp", "Settings"]

_ENDS: Final = timedelta(seconds=10)
"""For what ends once the calls have: commits under way, jobs, connections."""

_ENDPOINT: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


def _endpoints(value: dict[str, Psp]) -> dict[str, Psp]:
    odd = [name for name in value if not _ENDPOINT.fullmatch(name)]
    if odd:
        raise ValueError(f"{odd} must be lower-case letters, digits, - and _")
    return value


class Psp(BaseModel):
    """One configured PSP account: ``RECON_PSP__<ENDPOINT>__…``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["stripe", "adyen", "standard-webhooks"]
    secrets: tuple[Secret, ...] = Field(min_length=1)
    merchant_account: str | None = None
    capture: Literal["auto", "manual"] = "auto"
    api_url: PrivateUrl | None = None
    api_key: Secret | None = None
    api_events: tuple[str, ...] | None = Field(default=None, min_length=1)


class Settings(BaseSettings):
    """Everything that can be set, as `load_settings` reads it."""

    model_config = SettingsConfigDict(
        env_prefix="RECON_", env_nested_delimiter="__", frozen=True, extra="ignore"
    )

    database_url: PostgresUrl | None = None
    migration_database_url: PostgresUrl | None = None
    replica_database_url: PostgresUrl | None = None
    replica_max_lag: Duration = timedelta(seconds=30)
    data_dir: Path = Path(".recon")
    environment: Literal["sandbox", "live"] = "sandbox"
    game_url: PrivateUrl | None = None
    game_api_key: Secret | None = None
    game_signing_secret: Secret | None = None
    game_stream: bool = True
    game_signing_secret_previous: Secret | None = None
    psp: Annotated[dict[str, Psp], AfterValidator(_endpoints)] = Field(default_factory=dict)
    reconcile_every: Schedule = timedelta(minutes=5)
    reconcile_all_every: Schedule = timedelta(days=1)
    grace_period: Duration = timedelta(minutes=2)
    backfill_every: Schedule = timedelta(minutes=5)
    backfill_after: Duration = timedelta(minutes=5)
    payment_overdue_after: Schedule = timedelta(minutes=30)
    withdrawal_overdue_after: Schedule = timedelta(days=3)
    deposit_abandoned_after: Schedule = timedelta(days=7)
    waiting_after: Schedule = timedelta(hours=1)
    settlement_grace: Duration = timedelta(days=5)
    settlement_upload_mb: int = Field(default=2048, ge=1, le=100_000)
    tolerance: Amounts = Field(default_factory=dict)
    seal_keys: SealKeySet = ()
    seal_anchor: Path | None = None
    verify_every: Schedule = timedelta(days=1)
    payload_retention: Retention = timedelta(days=400)
    payload_retention_unsettled: Retention = None
    run_retention: Retention = timedelta(days=400)
    public_url: WebUrl | None = None
    trusted_proxies: Networks = LOOPBACK
    proxy_header: ProxyHeader = "x-forwarded"
    alerts: AlertSettings = AlertSettings()
    oidc: OidcSettings | None = None
    password_sign_in: bool = True
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    tracing: bool = False
    api_quota: int = Field(default=6_000, ge=1)
    api_quota_bets: int = Field(default=60_000, ge=1)
    drain_notice: Notice = timedelta(milliseconds=200)
    drain_timeout: Draining = timedelta(seconds=20)
    pool_size: int = Field(default=16, ge=2, le=500)
    sweep_concurrency: int = Field(default=32, ge=1, le=1000)

    @property
    def ends_within(self) -> timedelta:
        """From being told to end to the end of a process, at most; whoever runs it waits longer."""
        return self.drain_notice + self.drain_timeout + _ENDS

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Only what `load_settings` hands in: it has read every source, and knows their faults."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

    def tolerance_minor(self, currency: str) -> int:
        """The difference in minor units up to which two balances count as equal."""
        for code, text in self.tolerance.items():
            if code.upper() == currency:
                return parse_minor(text, currency)
        return 0
