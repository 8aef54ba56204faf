"""Settings: read once, frozen, every fault reported at once.

Flag, then environment, then ``recon.toml`` (``RECON_CONFIG`` names another file), then default. Any
setting can come from a file that ``RECON_<NAME>_FILE`` names, which is meant for secrets.
"""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from datetime import timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, Self

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
    model_validator,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    InitSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from yarl import URL

from recon.clock import parse_duration
from recon.errors import Invalid
from recon.money import parse_minor

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = [
    "ConfigurationError",
    "Explained",
    "Psp",
    "Settings",
    "explain",
    "load_settings",
]

_ENDPOINT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")


class ConfigurationError(Invalid):
    """The settings cannot be used; the message lists every fault."""

    code = "invalid_configuration"


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _schedule(value: object) -> object:
    return None if value == "off" else _duration(value)


Duration = Annotated[timedelta, BeforeValidator(_duration)]
Schedule = Annotated[timedelta | None, BeforeValidator(_schedule)]


class Psp(BaseModel):
    """One configured PSP account: ``RECON_PSP__<ENDPOINT>__…``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["stripe", "adyen", "standard-webhooks"]
    secrets: tuple[SecretStr, ...] = Field(min_length=1)
    merchant_account: str | None = None
    capture: Literal["auto", "manual"] = "auto"
    api_url: str | None = None
    api_key: SecretStr | None = None


class Settings(BaseSettings):
    """Everything that can be set, as `load_settings` reads it."""

    model_config = SettingsConfigDict(
        env_prefix="RECON_", env_nested_delimiter="__", frozen=True, extra="ignore"
    )

    database_url: SecretStr | None = None
    data_dir: Path = Path(".recon")
    environment: Literal["sandbox", "live"] = "sandbox"
    game_url: str | None = None
    game_api_key: SecretStr | None = None
    game_signing_secret: SecretStr | None = None
    psp: dict[str, Psp] = Field(default_factory=dict)
    reconcile_every: Schedule = timedelta(minutes=5)
    reconcile_all_every: Schedule = timedelta(days=1)
    grace_period: Duration = timedelta(minutes=2)
    tolerance: dict[str, str] = Field(default_factory=dict)
    public_url: str | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    pool_size: int = Field(default=16, ge=2, le=500)
    sweep_concurrency: int = Field(default=32, ge=1, le=1000)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """Flags first, then our reading of the environment, then the TOML file."""
        del env_settings, dotenv_settings, file_secret_settings
        file = InitSettingsSource(settings_cls, init_kwargs=_read_file(os.environ))
        return init_settings, _Environment(settings_cls), file

    @model_validator(mode="after")
    def _check(self) -> Self:
        faults = [*self._faults()]
        if self.environment == "live":
            faults += self._live_faults()
        if faults:
            raise ValueError("; ".join(faults))
        return self

    def _faults(self) -> list[str]:
        faults = [
            f"psp endpoint {name!r} must be lower-case letters, digits, - and _"
            for name in self.psp
            if not _ENDPOINT.fullmatch(name)
        ]
        faults += [
            fault
            for currency, text in self.tolerance.items()
            if (fault := _tolerance_fault(currency.upper(), text))
        ]
        shortest = timedelta(seconds=1)
        if self.grace_period < shortest:
            faults.append("grace_period is below 1s")
        if self.reconcile_every is not None and self.reconcile_every < shortest:
            faults.append("reconcile_every is below 1s; `off` turns the schedule off")
        return faults + self._game_faults()

    def _game_faults(self) -> list[str]:
        if self.game_url is None:
            return []
        faults = []
        url = URL(self.game_url)
        if url.scheme not in {"http", "https"} or not url.host:
            faults.append("game_url is not an http(s) URL")
        elif url.scheme == "http" and not _is_loopback(url.host):
            faults.append("game_url is http:// to another machine; TLS is required")
        if self.game_api_key is None:
            faults.append("game_url is set and game_api_key is not")
        elif self.environment == "sandbox" and self.game_api_key.get_secret_value().startswith(
            "ck_live_"
        ):
            faults.append("environment is sandbox and game_api_key is a live key")
        return faults

    def _live_faults(self) -> list[str]:
        faults = []
        if self.database_url is None:
            faults.append("live needs database_url; the embedded Postgres is for one machine")
        key = self.game_api_key.get_secret_value() if self.game_api_key else ""
        if key.startswith("ck_sandbox_"):
            faults.append("environment is live and game_api_key is a sandbox key")
        if self.game_url is not None:
            url = URL(self.game_url)
            if url.scheme != "https":
                faults.append("environment is live and game_url is not https")
            if "sandbox" in (url.host or ""):
                faults.append("environment is live and game_url is a sandbox host")
        faults += [
            f"environment is live and psp {name!r} has an http:// api_url"
            for name, psp in self.psp.items()
            if psp.api_url is not None and not psp.api_url.startswith("https://")
        ]
        return faults

    def tolerance_minor(self, currency: str) -> int:
        """The difference in minor units up to which two balances count as equal."""
        for code, text in self.tolerance.items():
            if code.upper() == currency:
                return parse_minor(text, currency)
        return 0


@dataclass(frozen=True, slots=True)
class Explained:
    """One setting: its value with secrets masked, and where it came from."""

    name: str
    value: str
    source: str


def load_settings(**flags: object) -> Settings:
    """Read every source once.

    Args:
        flags: settings given on the command line, which win; ``None`` means not given.

    Raises:
        ConfigurationError: one or more settings are unusable; all of them are named.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    try:
        return Settings(**given)  # type: ignore[arg-type]  # pydantic validates what flags hold
    except ValidationError as error:
        faults = [
            f"{'.'.join(str(part) for part in fault['loc']) or 'settings'}: {_said(fault['msg'])}"
            for fault in error.errors(include_url=False, include_input=False)
        ]
        raise ConfigurationError("\n".join(faults)) from None


def explain(settings: Settings, flags: Mapping[str, object]) -> list[Explained]:
    """Every setting with where it came from; secrets show only that they are set."""
    environment = _Environment(type(settings))()
    file = _read_file(os.environ)
    rows = []
    for name in type(settings).model_fields:
        source = (
            "flag"
            if flags.get(name) is not None
            else "environment"
            if name in environment
            else "file"
            if name in file
            else "default"
        )
        rows += [
            Explained(key, value, source) for key, value in _flatten(name, getattr(settings, name))
        ]
    return rows


def _flatten(name: str, value: object) -> list[tuple[str, str]]:
    if isinstance(value, BaseModel):
        fields = ((key, getattr(value, key)) for key in type(value).model_fields)
        return [pair for key, item in fields for pair in _flatten(f"{name}.{key}", item)]
    if isinstance(value, dict):
        return [pair for key, item in value.items() for pair in _flatten(f"{name}.{key}", item)]
    return [(name, _shown(name, value))]


def _shown(name: str, value: object) -> str:
    match value:
        case SecretStr():
            return "********"
        case tuple():
            return f"{len(value)} x ********"
        case timedelta():
            return f"{value.total_seconds():g}s"
        case None:
            return "off" if name == "reconcile_every" else "-"
        case _:
            return str(value)


class _Environment(EnvSettingsSource):
    """The environment, with ``<NAME>_FILE`` read into ``<NAME>``."""

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {key.lower(): value for key, value in _with_files(os.environ).items()}


def _with_files(environment: Mapping[str, str]) -> dict[str, str]:
    read = {
        key: value
        for key, value in environment.items()
        if key.upper().startswith("RECON_") and value != ""
    }
    for key in [key for key in read if key.upper().endswith("_FILE")]:
        path = Path(read.pop(key))
        try:
            read.setdefault(key[: -len("_FILE")], path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            raise ConfigurationError(f"{key}: {path} cannot be read: {error}") from None
    return read


def _read_file(environment: Mapping[str, str]) -> dict[str, Any]:
    named = environment.get("RECON_CONFIG")
    path = Path(named or "recon.toml")
    if named is None and not path.is_file():
        return {}
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise ConfigurationError(f"{path} cannot be read: {error}") from None
    unknown = sorted(set(read) - set(Settings.model_fields))
    if unknown:
        raise ConfigurationError(f"{path} has unknown settings: {', '.join(unknown)}")
    return read


def _tolerance_fault(currency: str, text: str) -> str | None:
    try:
        below = parse_minor(text, currency) < 0
    except Invalid as error:
        return f"tolerance {currency}: {error.message}"
    return f"tolerance {currency} is below zero" if below else None


def _said(message: str) -> str:
    return message.removeprefix("Value error, ")


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
