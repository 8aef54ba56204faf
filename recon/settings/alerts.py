"""Settings of alerts: ``RECON_ALERTS__…``, where they go and what they are about."""

from __future__ import annotations

import base64
import binascii
import re
from datetime import UTC, time, timedelta
from typing import TYPE_CHECKING, Annotated, Final, Literal, TypeVar
from urllib.parse import unquote, urlsplit

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr
from yarl import URL

from recon.money import parse_minor
from recon.settings.values import (
    Amounts,
    Duration,
    PrivateUrl,
    Retention,
    Schedule,
    is_loopback,
)

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["AlertEmail", "AlertSettings", "AlertWebhook", "MailServer"]

_NAME: Final = re.compile(r"[a-z0-9][a-z0-9_-]{0,63}")
_ADDRESS: Final = re.compile(
    r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9][A-Za-z0-9.-]{0,252}", re.ASCII
)
_PORTS: Final = {"smtp": 587, "smtps": 465, "smtp+plain": 25}
# Source: the Standard Webhooks specification, "Signature scheme": between 24 and 64 bytes.
_KEY_BYTES: Final = range(24, 65)

_MOST: Final = 50
_KEPT_SHORTEST: Final = timedelta(days=31)

_Item = TypeVar("_Item")
_Type = Literal[
    "discrepancies.unexplained",
    "incidents.opened",
    "runs.failed",
    "runs.skipped",
    "seals.broken",
    "books.faulty",
    "bets.waiting",
    "digest",
]
_TYPES: Final[tuple[_Type, ...]] = (
    "discrepancies.unexplained",
    "incidents.opened",
    "runs.failed",
    "runs.skipped",
    "seals.broken",
    "books.faulty",
    "bets.waiting",
    "digest",
)


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    try:
        key = base64.b64decode(text.removeprefix("whsec_"), validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if not text.startswith("whsec_") or len(key) not in _KEY_BYTES:
        raise ValueError(
            "is not whsec_ and 24 to 64 bytes in base64, as"
            ' `echo "whsec_$(openssl rand -base64 32)"` makes one'
        )
    return value


def _smtp(value: SecretStr) -> SecretStr:
    """A server that can be used; what its URL says is secret, so no fault repeats it."""
    try:
        parts = urlsplit(value.get_secret_value())
        port = parts.port
    except ValueError:
        raise ValueError("is not a URL, or its port is no number from 1 to 65535") from None
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("is not smtp:// (STARTTLS), smtps:// (TLS) or smtp+plain:// (neither)")
    if port == 0 or parts.path not in {"", "/"} or parts.query or parts.fragment:
        raise ValueError("has more in it than user, password, host and port")
    if (parts.username is None) != (parts.password is None):
        raise ValueError("has a user without a password, or a password without a user")
    if parts.scheme == "smtp+plain" and not is_loopback(parts.hostname):
        raise ValueError("is smtp+plain:// to another machine; TLS is required")
    return value


def _address(value: str) -> str:
    if _ADDRESS.fullmatch(value) is None:
        raise ValueError("is not an address such as finance@example.com")
    return value


def _names(value: dict[str, AlertWebhook]) -> dict[str, AlertWebhook]:
    odd = [name for name in value if not _NAME.fullmatch(name)]
    if odd:
        raise ValueError(f"{odd} must be lower-case letters, digits, - and _")
    return value


def _some(value: tuple[_Item, ...]) -> tuple[_Item, ...]:
    """One at least; after the items, whose own faults say more."""
    if not 1 <= len(value) <= _MOST:
        raise ValueError(f"has {len(value)} of them; 1 to {_MOST} can be used")
    return value


def _utc(value: time) -> time:
    if value.tzinfo is not None and value.utcoffset() != timedelta(0):
        raise ValueError("is in UTC and takes no other zone")
    return value.replace(tzinfo=UTC)


def _long_enough(value: timedelta | None) -> timedelta | None:
    """Longer than anybody looks back for what is to be told, or what is to be tried again."""
    if value is not None and value < _KEPT_SHORTEST:
        raise ValueError(f"is less than {_KEPT_SHORTEST.days}d")
    return value


_Types = Annotated[tuple[_Type, ...], AfterValidator(_some)]
_Address = Annotated[str, AfterValidator(_address)]
_Secret = Annotated[SecretStr, AfterValidator(_secret)]


class MailServer(BaseModel):
    """What an SMTP URL says."""

    model_config = ConfigDict(frozen=True)

    host: str
    port: int
    security: Literal["starttls", "tls", "none"]
    username: str | None
    password: SecretStr | None

    @classmethod
    def of(cls, url: SecretStr) -> MailServer:
        """Take apart a URL that was found to be one."""
        parts = urlsplit(url.get_secret_value())
        return cls(
            host=parts.hostname or "",
            port=parts.port or _PORTS[parts.scheme],
            security=_security(parts),
            username=None if parts.username is None else unquote(parts.username),
            password=None if parts.password is None else SecretStr(unquote(parts.password)),
        )


def _security(parts: SplitResult) -> Literal["starttls", "tls", "none"]:
    match parts.scheme:
        case "smtps":
            return "tls"
        case "smtp+plain":
            return "none"
        case _:
            return "starttls"


class AlertWebhook(BaseModel):
    """Where messages are posted: ``RECON_ALERTS__WEBHOOKS__<NAME>__…``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: PrivateUrl
    secret: _Secret
    secret_previous: _Secret | None = None
    types: _Types = _TYPES


class AlertEmail(BaseModel):
    """To whom messages are mailed: ``RECON_ALERTS__EMAIL__…``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: Annotated[SecretStr, AfterValidator(_smtp)]
    sender: _Address
    recipients: Annotated[tuple[_Address, ...], AfterValidator(_some)]
    types: _Types = _TYPES

    @property
    def server(self) -> MailServer:
        """Who takes the mail."""
        return MailServer.of(self.url)


class AlertSettings(BaseModel):
    """Where alerts go, and what they are about: ``RECON_ALERTS__…``."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    webhooks: Annotated[dict[str, AlertWebhook], AfterValidator(_names)] = Field(
        default_factory=dict
    )
    email: AlertEmail | None = None
    sustained: Duration = timedelta(minutes=15)
    least: Amounts = Field(default_factory=dict)
    least_severity: Literal["low", "medium", "high", "critical"] = "low"
    at_most_every: Duration = timedelta(minutes=15)
    digest_every: Schedule = timedelta(days=1)
    digest_at: Annotated[time, AfterValidator(_utc)] = time(7, tzinfo=UTC)
    give_up_after: Duration = timedelta(days=3)
    keep: Annotated[Retention, AfterValidator(_long_enough)] = timedelta(days=400)

    @property
    def in_the_clear(self) -> list[str]:
        """Webhooks that are not reached by TLS; on this machine alone, or they were a fault."""
        return [name for name, one in self.webhooks.items() if URL(one.url).scheme == "http"]

    @property
    def least_minor(self) -> dict[str, int]:
        """By currency, the unexplained minor units from which on it matters."""
        return {
            currency.upper(): parse_minor(text, currency.upper())
            for currency, text in self.least.items()
        }
