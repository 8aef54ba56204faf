"""What people are told, and how, as the settings have it."""

from __future__ import annotations

from types import MappingProxyType
from typing import TYPE_CHECKING, Final

from recon.alerts import Alerting, AlertType, Mailbox, Policy, Receiver
from recon.reconciliation import Severity

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import timedelta

    from recon.alerts import Channel
    from recon.settings import Settings
    from recon.settings.alerts import AlertEmail, AlertWebhook

__all__ = ["alerting_of"]

_NONE: Final[Mapping[str, timedelta]] = MappingProxyType({})


def alerting_of(settings: Settings, lanes: Mapping[str, timedelta] = _NONE) -> Alerting | None:
    """What people are told, and how; ``None`` where nobody has said how.

    Args:
        settings: as read.
        lanes: how often each scope of runs starts by itself; for whoever looks for what to tell.
    """
    said, public_url = settings.alerts, settings.public_url
    channels: list[Channel] = [_receiver(name, one) for name, one in said.webhooks.items()]
    if said.email is not None:
        channels.append(_mailbox(said.email))
    if not channels:
        return None
    severities = [*Severity]
    policy = Policy(
        environment=settings.environment,
        sustained=said.sustained,
        least=said.least_minor,
        severities=severities[severities.index(Severity(said.least_severity)) :],
        at_most_every=said.at_most_every,
        digest_every=said.digest_every,
        digest_at=said.digest_at,
        give_up_after=said.give_up_after,
        keep=said.keep,
        lanes=lanes,
        public_url=None if public_url is None else public_url.rstrip("/"),
    )
    return Alerting(policy=policy, channels=channels)


def _receiver(name: str, said: AlertWebhook) -> Receiver:
    secrets = [said.secret, said.secret_previous]
    return Receiver(
        label=name,
        url=said.url,
        secrets=[one.get_secret_value() for one in secrets if one is not None],
        wants=_types(said.types),
    )


def _mailbox(said: AlertEmail) -> Mailbox:
    server = said.server
    return Mailbox(
        host=server.host,
        port=server.port,
        security=server.security,
        username=server.username,
        password=None if server.password is None else server.password.get_secret_value(),
        sender=said.sender,
        recipients=said.recipients,
        wants=_types(said.types),
    )


def _types(names: Sequence[str]) -> frozenset[AlertType]:
    return frozenset(AlertType(name) for name in names)
