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
from difflib import get_close_matches
from ipaddress import ip_address
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, Literal
from urllib.parse import parse_qs, urlsplit

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    SecretStr,
    ValidationError,
)
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)
from yarl import URL

from recon.clock import parse_duration
from recon.errors import Invalid
from recon.money import parse_minor

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from pydantic.fields import FieldInfo

__all__ = [
    "ConfigurationError",
    "Explained",
    "Psp",
    "Settings",
    "explain",
    "ignored_variables",
    "load_settings",
]

_PREFIX: Final = "RECON_"
_NESTED: Final = ("RECON_PSP__", "RECON_TOLERANCE__")
_OURS: Final = ("RECON_CONFIG", "RECON_SCREENSHOTS")
"""Read elsewhere: which file to read, and where our tests keep pictures."""

# Kubernetes tells every container of a service called `recon` where it is.
_FOREIGN: Final = re.compile(r"RECON_(?:SERVICE|PORT)(?:_.*)?")

_ENDPOINT = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_SHORTEST: Final = timedelta(seconds=1)
_KEPT_SHORTEST: Final = timedelta(minutes=1)
_KEPT_LONGEST: Final = timedelta(days=3650)
_LONGEST: Final = timedelta(days=30)
_MAX_PORT: Final = 65535
_SHORTEST_SEAL_KEY: Final = 32


class ConfigurationError(Invalid):
    """The settings cannot be used; the message lists every fault."""

    code = "invalid_configuration"


def _duration(value: object) -> object:
    return parse_duration(value) if isinstance(value, str) else value


def _schedule(value: object) -> object:
    off = isinstance(value, str) and value.strip().lower() == "off"
    return None if off else _duration(value)


def _bounded(value: timedelta | None) -> timedelta | None:
    if value is not None and not _SHORTEST <= value <= _LONGEST:
        raise ValueError("is not between 1s and 30d")
    return value


def _kept(value: timedelta | None) -> timedelta | None:
    if value is not None and not _KEPT_SHORTEST <= value <= _KEPT_LONGEST:
        raise ValueError("is not between 1m and 3650d")
    return value


def _postgres(value: SecretStr) -> SecretStr:
    """A URL that can be used; what it says is secret, so no fault repeats it."""
    try:
        parts = urlsplit(value.get_secret_value())
    except ValueError:
        raise ValueError("is not a URL") from None
    if parts.scheme not in {"postgresql", "postgres"}:
        raise ValueError("is not a postgresql:// URL")
    hosts = parts.netloc.rpartition("@")[2].split(",")
    ports = [host.rpartition("]")[2].partition(":") for host in hosts]
    ports += [("", ":", port) for port in parse_qs(parts.query).get("port", [])]
    if any(colon and not _is_port(port) for _, colon, port in ports):
        raise ValueError("has a port that is no number from 1 to 65535")
    return value


def _is_port(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,5}", text) is not None and 1 <= int(text) <= _MAX_PORT


def _web(value: str) -> str:
    url = URL(value)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("is not an http(s) URL")
    return value


def _private(value: str) -> str:
    url = URL(_web(value))
    if url.scheme == "http" and not _is_loopback(url.host or ""):
        raise ValueError("is http:// to another machine; TLS is required")
    return value


def _long_enough(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key.get_secret_value()) < _SHORTEST_SEAL_KEY for key in value):
        raise ValueError(
            f"has a key of fewer than {_SHORTEST_SEAL_KEY} characters; `openssl rand -hex 32` makes"
            " a good one"
        )
    return value


def _endpoints(value: dict[str, Psp]) -> dict[str, Psp]:
    odd = [name for name in value if not _ENDPOINT.fullmatch(name)]
    if odd:
        raise ValueError(f"{odd} must be lower-case letters, digits, - and _")
    return value


def _tolerances(value: dict[str, str]) -> dict[str, str]:
    faults = [_tolerance_fault(currency.upper(), text) for currency, text in value.items()]
    if any(faults):
        raise ValueError("; ".join(fault for fault in faults if fault))
    return value


Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_bounded)]
Retention = Annotated[timedelta | None, BeforeValidator(_schedule), AfterValidator(_kept)]
Schedule = Annotated[timedelta | None, BeforeValidator(_schedule), AfterValidator(_bounded)]


class Psp(BaseModel):
    """One configured PSP account: ``RECON_PSP__<ENDPOINT>__…``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    provider: Literal["stripe", "adyen", "standard-webhooks"]
    secrets: tuple[SecretStr, ...] = Field(min_length=1)
    merchant_account: str | None = None
    capture: Literal["auto", "manual"] = "auto"
    api_url: Annotated[str, AfterValidator(_private)] | None = None
    api_key: SecretStr | None = None
    api_events: tuple[str, ...] | None = Field(default=None, min_length=1)


class Settings(BaseSettings):
    """Everything that can be set, as `load_settings` reads it."""

    model_config = SettingsConfigDict(
        env_prefix="RECON_", env_nested_delimiter="__", frozen=True, extra="ignore"
    )

    database_url: Annotated[SecretStr, AfterValidator(_postgres)] | None = None
    migration_database_url: Annotated[SecretStr, AfterValidator(_postgres)] | None = None
    data_dir: Path = Path(".recon")
    environment: Literal["sandbox", "live"] = "sandbox"
    game_url: Annotated[str, AfterValidator(_private)] | None = None
    game_api_key: SecretStr | None = None
    game_signing_secret: SecretStr | None = None
    game_stream: bool = True
    game_signing_secret_previous: SecretStr | None = None
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
    tolerance: Annotated[dict[str, str], AfterValidator(_tolerances)] = Field(default_factory=dict)
    seal_keys: Annotated[tuple[SecretStr, ...], AfterValidator(_long_enough)] = ()
    seal_anchor: Path | None = None
    payload_retention: Retention = timedelta(days=400)
    payload_retention_unsettled: Retention = None
    public_url: Annotated[str, AfterValidator(_web)] | None = None
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    api_quota: int = Field(default=6_000, ge=1)
    api_quota_bets: int = Field(default=60_000, ge=1)
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
        """Only what `load_settings` hands in: it has read every source, and knows their faults."""
        del settings_cls, env_settings, dotenv_settings, file_secret_settings
        return (init_settings,)

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
    sources = _read_sources(os.environ)
    values = _merged(_merged(sources.file, sources.environment), given)
    faults = [*sources.faults]
    broken: set[str] = set()
    settings = None
    while settings is None:
        try:
            settings = Settings(**values)
        except ValidationError as error:
            faults += _described(error)
            broken |= {str(fault["loc"][0]) for fault in error.errors()}
            # Once more without them: what the others say together is to be told as well.
            values = {name: value for name, value in values.items() if name not in broken}
    faults += [text for names, text in _faults_together(settings) if broken.isdisjoint(names)]
    if faults:
        raise ConfigurationError("\n".join(faults))
    return settings


def ignored_variables() -> list[str]:
    """Variables of the environment that look like settings and are none."""
    return [name for name in _unknown(os.environ) if not _nearest(name)]


def _described(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in fault['loc'])}: "
        + (
            "must be a JSON list of strings"
            if fault["type"] == "tuple_type"
            else fault["msg"].removeprefix("Value error, ")
        )
        for fault in error.errors(include_url=False, include_input=False)
    ]


def _faults_together(settings: Settings) -> Iterator[tuple[set[str], str]]:
    """What settings say together that cannot be, with the names of those involved."""
    key = settings.game_api_key.get_secret_value() if settings.game_api_key else None
    if settings.game_url is not None and key is None:
        yield {"game_url", "game_api_key"}, "game_url is set and game_api_key is not"
    if settings.game_signing_secret is None and settings.game_signing_secret_previous is not None:
        yield (
            {"game_signing_secret", "game_signing_secret_previous"},
            "game_signing_secret_previous is set and game_signing_secret is not",
        )
    wrong = "sk_sandbox_" if settings.environment == "live" else "sk_live_"
    for name in ("game_signing_secret", "game_signing_secret_previous"):
        secret: SecretStr | None = getattr(settings, name)
        if secret is not None and secret.get_secret_value().startswith(wrong):
            fault = f"environment is {settings.environment} and {name} is a {wrong[3:-1]} secret"
            yield {"environment", name}, fault
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
    for name, psp in settings.psp.items():
        if psp.api_url is not None and not psp.api_url.startswith("https://"):
            yield (
                {"environment", "psp"},
                f"environment is live and psp {name!r} has an http:// api_url",
            )
    for name in _psps_with_key(settings, "_test_"):
        yield {"environment", "psp"}, f"environment is live and psp {name!r} has a test api_key"


def _psps_with_key(settings: Settings, mode: str) -> list[str]:
    """PSPs whose API key says which mode it is of (Stripe: ``sk_test_…``, ``rk_live_…``)."""
    return [
        name
        for name, psp in settings.psp.items()
        if psp.api_key is not None and psp.api_key.get_secret_value()[2:].startswith(mode)
    ]


def explain(settings: Settings, flags: Mapping[str, object]) -> list[Explained]:
    """Every setting with where it came from; secrets show only that they are set."""
    sources = _read_sources(os.environ)
    rows = []
    for name in type(settings).model_fields:
        source = (
            "flag"
            if flags.get(name) is not None
            else "environment"
            if name in sources.environment
            else "file"
            if name in sources.file
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
        case None | ():
            return "off" if name in _MAY_BE_OFF else "-"
        case SecretStr():
            return "********"
        case tuple() if all(isinstance(item, SecretStr) for item in value):
            return f"{len(value)} x ********"
        case tuple():
            return ", ".join(value)
        case timedelta():
            return f"{value.total_seconds():g}s"
        case _:
            return str(value)


@dataclass(frozen=True, slots=True)
class _Sources:
    """What was read, and what could not be."""

    environment: dict[str, Any]
    file: dict[str, Any]
    faults: list[str]


class _Environment(EnvSettingsSource):
    """The environment's variables as nested values."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = {name.lower(): value for name, value in variables.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {**self._variables}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """JSON, or the text as it is: validation then says which setting has the wrong shape."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except ValueError:
            return value


def _read_sources(environment: Mapping[str, str]) -> _Sources:
    variables, faults = _with_files(environment)
    for name in _unknown(environment):
        if nearest := _nearest(name):
            faults.append(f"{name} is no setting; did you mean {nearest}?")
    file, faults_of_file = _read_file(environment)
    return _Sources(_Environment(variables)(), file, faults + faults_of_file)


def _with_files(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Our variables with ``<NAME>_FILE`` read into ``<NAME>``, and what could not be read."""
    faults = []
    unknown = set(_unknown(environment))
    read = {
        key: value
        for key, value in environment.items()
        if key.upper().startswith(_PREFIX) and value != "" and key not in unknown
    }
    for key in [key for key in read if key.upper().endswith("_FILE")]:
        path = Path(read.pop(key))
        try:
            read.setdefault(key[: -len("_FILE")], path.read_text(encoding="utf-8").strip())
        except (OSError, UnicodeDecodeError) as error:
            faults.append(f"{key}: {path} cannot be read: {error}")
    return read, faults


def _read_file(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    named = environment.get("RECON_CONFIG")
    path = Path(named or "recon.toml")
    if named is None and not path.is_file():
        return {}, []
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return {}, [f"{path} cannot be read: {error}"]
    known = {name: value for name, value in read.items() if name in Settings.model_fields}
    return known, [f"{path} has an unknown setting: {name}" for name in sorted(read.keys() - known)]


def _unknown(environment: Mapping[str, str]) -> list[str]:
    """Names with our prefix that are no setting of ours."""
    return sorted(
        name
        for name in environment
        if (upper := name.upper()).startswith(_PREFIX)
        and upper.removesuffix("_FILE") not in _NAMES
        and not upper.startswith(_NESTED)
        and _FOREIGN.fullmatch(upper) is None
    )


def _nearest(name: str) -> str | None:
    near = get_close_matches(name.upper().removesuffix("_FILE"), _NAMES, n=1, cutoff=0.85)
    return _SHOWN.get(near[0], near[0]) if near else None


def _merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two sources as one; where both say something of the same name, the one above wins."""
    merged = {**below}
    for name, value in above.items():
        under = merged.get(name)
        nested = isinstance(value, dict) and isinstance(under, dict)
        merged[name] = _merged(under, value) if nested and under is not None else value
    return merged


def _tolerance_fault(currency: str, text: str) -> str | None:
    try:
        below = parse_minor(text, currency) < 0
    except Invalid as error:
        return f"tolerance {currency}: {error.message}"
    return f"tolerance {currency} is below zero" if below else None


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


_MAY_BE_OFF: Final = frozenset(
    {
        "reconcile_every",
        "reconcile_all_every",
        "backfill_every",
        "payload_retention",
        "payload_retention_unsettled",
        "payment_overdue_after",
        "withdrawal_overdue_after",
        "deposit_abandoned_after",
        "waiting_after",
    }
)

_NAMES: Final = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields] + [*_OURS]
_SHOWN: Final = {
    "RECON_PSP": "RECON_PSP__<ENDPOINT>__PROVIDER and its like",
    "RECON_TOLERANCE": "RECON_TOLERANCE__<CURRENCY>",
}
