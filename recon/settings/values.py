"""What settings are made of: durations, addresses, keys, amounts; and when each is a fault."""

from __future__ import annotations

import re
from datetime import timedelta
from ipaddress import ip_address, ip_network
from typing import TYPE_CHECKING, Annotated, Final
from urllib.parse import parse_qs, urlsplit

from pydantic import AfterValidator, BeforeValidator, SecretStr
from yarl import URL

from recon.clock import parse_duration
from recon.errors import Invalid
from recon.money import parse_minor

if TYPE_CHECKING:
    from pydantic.fields import FieldInfo

__all__ = [
    "Amounts",
    "Draining",
    "Duration",
    "Networks",
    "Notice",
    "PostgresUrl",
    "PrivateUrl",
    "Retention",
    "Schedule",
    "SealKeySet",
    "Secret",
    "WebUrl",
    "is_loopback",
    "may_be_off",
]

_SHORTEST: Final = timedelta(seconds=1)
_KEPT_SHORTEST: Final = timedelta(minutes=1)
_KEPT_LONGEST: Final = timedelta(days=3650)
_LONGEST: Final = timedelta(days=30)
_NOTICED_LONGEST: Final = timedelta(seconds=10)
_DRAINED_LONGEST: Final = timedelta(hours=1)
_MAX_PORT: Final = 65535
_SHORTEST_SEAL_KEY: Final = 32


def _duration(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return parse_duration(value)
    except ValueError as error:
        # What stands in the wrong place may be a secret: no fault repeats it.
        raise ValueError(str(error).removeprefix(repr(value)).strip()) from None


def _schedule(value: object) -> object:
    off = isinstance(value, str) and value.strip().lower() == "off"
    return None if off else _duration(value)


def may_be_off(setting: FieldInfo) -> bool:
    """Whether ``off`` is a value of this setting, for which it has ``None``."""
    return any(
        isinstance(one, BeforeValidator) and one.func is _schedule for one in setting.metadata
    )


def _bounded(value: timedelta | None) -> timedelta | None:
    if value is not None and not _SHORTEST <= value <= _LONGEST:
        raise ValueError("is not between 1s and 30d")
    return value


def _noticed(value: timedelta) -> timedelta:
    if not timedelta(0) <= value <= _NOTICED_LONGEST:
        raise ValueError("is not between 0s and 10s")
    return value


def _drained(value: timedelta) -> timedelta:
    if not _SHORTEST <= value <= _DRAINED_LONGEST:
        raise ValueError("is not between 1s and 1h")
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


def is_loopback(host: str) -> bool:
    """Whether a host is this machine, by its name alone."""
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _web(value: str) -> str:
    url = URL(value)
    if url.scheme not in {"http", "https"} or not url.host:
        raise ValueError("is not an http(s) URL")
    if url.user is not None or url.password is not None:
        raise ValueError("must not carry a user or a password")  # it is shown as it is
    return value


def _private(value: str) -> str:
    url = URL(_web(value))
    if url.scheme == "http" and not is_loopback(url.host or ""):
        raise ValueError("is http:// to another machine; TLS is required")
    return value


def _networks(value: tuple[str, ...]) -> tuple[str, ...]:
    for text in value:
        try:
            ip_network(text)
        except ValueError:
            raise ValueError("has one that is no network such as 10.0.0.0/8") from None
    return value


def _said(value: SecretStr) -> SecretStr:
    if not value.get_secret_value().strip():
        raise ValueError("is empty")
    return value


def _long_enough(value: tuple[SecretStr, ...]) -> tuple[SecretStr, ...]:
    if any(len(key.get_secret_value()) < _SHORTEST_SEAL_KEY for key in value):
        raise ValueError(
            f"has a key of fewer than {_SHORTEST_SEAL_KEY} characters; `openssl rand -hex 32` makes"
            " a good one"
        )
    return value


def _amounts(value: dict[str, str]) -> dict[str, str]:
    faults = [_amount_fault(currency.upper(), text) for currency, text in value.items()]
    if any(faults):
        raise ValueError("; ".join(fault for fault in faults if fault))
    return value


def _amount_fault(currency: str, text: str) -> str | None:
    try:
        below = parse_minor(text, currency) < 0
    except Invalid as error:
        return f"{currency}: {error.message.replace(repr(text[:64]), 'this')}"
    return f"{currency} is below zero" if below else None


Duration = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_bounded)]
Notice = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_noticed)]
"""How long others are given to notice something, before it is so."""

Draining = Annotated[timedelta, BeforeValidator(_duration), AfterValidator(_drained)]
"""How long what is under way may take to end."""

Retention = Annotated[timedelta | None, BeforeValidator(_schedule), AfterValidator(_kept)]
Schedule = Annotated[timedelta | None, BeforeValidator(_schedule), AfterValidator(_bounded)]
"""How often something happens by itself; ``None`` (``off``): never."""

PostgresUrl = Annotated[SecretStr, AfterValidator(_postgres)]
WebUrl = Annotated[str, AfterValidator(_web)]
PrivateUrl = Annotated[str, AfterValidator(_private)]
"""One to which something is sent that others must not read."""

Secret = Annotated[SecretStr, AfterValidator(_said)]
SealKeySet = Annotated[tuple[SecretStr, ...], AfterValidator(_long_enough)]
Networks = Annotated[tuple[str, ...], AfterValidator(_networks)]
"""As CIDRs; none is nobody."""

Amounts = Annotated[dict[str, str], AfterValidator(_amounts)]
"""By currency, in its units."""
