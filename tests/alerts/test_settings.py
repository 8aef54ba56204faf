"""Settings of alerts: nothing leaves in the clear, every fault at once, no secret shown."""

from __future__ import annotations

import base64
from datetime import UTC, time, timedelta
from typing import TYPE_CHECKING, Any, get_args

import pytest

from recon.alerting import alerting_of
from recon.alerts import AlertType, Mailbox, Receiver
from recon.settings import ConfigurationError, explain, ignored_variables, load_settings
from recon.settings.alerts import AlertWebhook, MailServer
from tests.alerts.plain import SECRET

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    Surroundings = Callable[..., None]


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Surroundings:
    """An empty directory and an environment of these settings of alerts alone."""
    monkeypatch.chdir(tmp_path)

    def set_up(*, live: bool = False, **variables: str) -> None:
        if live:
            monkeypatch.setenv("RECON_ENVIRONMENT", "live")
            monkeypatch.setenv("RECON_DATABASE_URL", "postgresql://db.example/recon")
            monkeypatch.setenv("RECON_SEAL_KEYS", f'["{"k" * 32}"]')
        for name, value in variables.items():
            monkeypatch.setenv(f"RECON_ALERTS__{name}", value)

    return set_up


def faults() -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    return refused.value.message.splitlines()


def test_everything_can_be_set_by_the_environment_with_secrets_in_files(
    surroundings: Surroundings, tmp_path: Path
) -> None:
    (tmp_path / "ops").write_text(SECRET + "\n")
    (tmp_path / "smtp").write_text("smtp://recon:p%40ss@mail.example")
    surroundings(
        WEBHOOKS__OPS__URL="https://hooks.example/recon",
        WEBHOOKS__OPS__SECRET_FILE=str(tmp_path / "ops"),
        WEBHOOKS__OPS__TYPES='["runs.failed", "runs.skipped"]',
        EMAIL__URL_FILE=str(tmp_path / "smtp"),
        EMAIL__SENDER="recon@example.com",
        EMAIL__RECIPIENTS='["finance@example.com"]',
        SUSTAINED="1h",
        LEAST__GBP="1.50",
        LEAST__JPY="100",
        LEAST_SEVERITY="high",
        DIGEST_EVERY="7d",
        DIGEST_AT="06:30",
        GIVE_UP_AFTER="1d",
        KEEP="90d",
    )
    settings = load_settings()
    alerting = alerting_of(settings)

    assert ignored_variables() == []
    assert alerting is not None
    rules = alerting.policy
    assert rules.least == {"GBP": 150, "JPY": 100}
    assert rules.severities == ["high", "critical"]
    assert (rules.sustained, rules.give_up_after) == (timedelta(hours=1), timedelta(days=1))
    assert rules.keep == timedelta(days=90)
    assert (rules.digest_every, rules.digest_at) == (timedelta(days=7), time(6, 30, tzinfo=UTC))
    assert rules.lanes == {}, "without a game nothing is compared, and nothing skipped"
    receiver, mailbox = alerting.channels
    assert isinstance(receiver, Receiver)
    assert isinstance(mailbox, Mailbox)
    assert (receiver.name, receiver.secrets) == ("webhook:ops", [SECRET])
    assert receiver.wants == {AlertType.RUNS_BAD, AlertType.RUNS_SKIPPED}
    assert (mailbox.host, mailbox.port, mailbox.security) == ("mail.example", 587, "starttls")
    assert (mailbox.username, mailbox.password) == ("recon", "p@ss")

    shown = {row.name: row.value for row in explain(settings, {})}
    assert shown["alerts.webhooks.ops.url"] == "https://hooks.example/recon"
    assert shown["alerts.webhooks.ops.secret"] == "********"
    assert shown["alerts.email.url"] == "********"
    assert shown["alerts.email.recipients"] == "finance@example.com"
    assert shown["alerts.digest_every"] == "604800s"


def test_with_nothing_set_nobody_is_told(surroundings: Surroundings) -> None:
    surroundings(DIGEST_EVERY="off")
    settings = load_settings()

    assert alerting_of(settings) is None
    shown = {row.name: row.value for row in explain(settings, {})}
    assert shown["alerts.digest_every"] == "off"


def test_every_fault_is_told_at_once_and_no_secret_with_it(surroundings: Surroundings) -> None:
    short = "whsec_" + base64.b64encode(b"secret").decode()
    surroundings(
        WEBHOOKS__OPS__URL="http://hooks.example",
        WEBHOOKS__OPS__SECRET=short,
        WEBHOOKS__LOGGED__URL="https://user:hunter2@hooks.example",
        WEBHOOKS__LOGGED__SECRET="hunter3",
        WEBHOOKS__PAGER__URL="https://hooks.example",
        WEBHOOKS__PAGER__TYPES='["everything"]',
        EMAIL__URL="smtp+plain://u:hunter4@mail.example",
        EMAIL__SENDER="recon@example.com\r\nBcc: thief@example.com",
        EMAIL__RECIPIENTS='["finance"]',
        WEBHOOKS__MUTE__URL="https://hooks.example",
        WEBHOOKS__MUTE__SECRET=SECRET,
        WEBHOOKS__MUTE__TYPES="[]",
        LEAST__GBP="0.001",
        LEAST_SEVERITY="huge",
        DIGEST_AT="07:00+02:00",
        GIVE_UP_AFTER="31d",
        KEEP="30d",
        COLOUR="red",
    )

    told = faults()

    wanted = [
        "alerts.webhooks.ops.url: is http:// to another machine; TLS is required",
        "alerts.webhooks.ops.secret: is not whsec_ and 24 to 64 bytes in base64",
        "alerts.webhooks.logged.url: must not carry a user or a password",
        "alerts.webhooks.logged.secret: is not whsec_",
        "alerts.webhooks.pager.secret: Field required",
        "alerts.webhooks.pager.types.0: ",
        "alerts.webhooks.mute.types: has 0 of them",
        "alerts.email.url: is smtp+plain:// to another machine; TLS is required",
        "alerts.email.sender: is not an address",
        "alerts.email.recipients.0: is not an address",
        "alerts.least: GBP: ",
        "alerts.least_severity: ",
        "alerts.digest_at: is in UTC",
        "alerts.give_up_after: is not between",
        "alerts.keep: is less than 31d",
        "alerts.colour: Extra inputs",
    ]
    assert all(any(line.startswith(start) for line in told) for start in wanted), told
    assert len(told) == len(wanted), told
    assert not any(word in line for line in told for word in ("hunter", short, "thief"))


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("mail.example:25", "is not smtp://"),
        ("https://mail.example", "is not smtp://"),
        ("smtp://", "is not smtp://"),
        ("smtp://mail.example:99999", "is not a URL, or its port"),
        ("smtp://mail.example/inbox", "has more in it"),
        ("smtp://recon@mail.example", "has a user without a password"),
    ],
)
def test_a_mail_server_that_cannot_be_used_is_a_fault(
    surroundings: Surroundings, url: str, fault: str
) -> None:
    surroundings(
        EMAIL__URL=url, EMAIL__SENDER="recon@example.com", EMAIL__RECIPIENTS='["a@example.com"]'
    )

    (told,) = faults()

    assert told.startswith(f"alerts.email.url: {fault}")


@pytest.mark.parametrize(
    ("url", "server"),
    [
        ("smtps://mail.example", ("mail.example", 465, "tls")),
        ("smtp://mail.example:2525", ("mail.example", 2525, "starttls")),
        ("smtp+plain://127.0.0.1:1025", ("127.0.0.1", 1025, "none")),
    ],
)
def test_the_scheme_says_how_it_is_encrypted(
    surroundings: Surroundings, url: str, server: tuple[Any, ...]
) -> None:
    surroundings(
        EMAIL__URL=url, EMAIL__SENDER="recon@example.com", EMAIL__RECIPIENTS='["a@example.com"]'
    )
    email = load_settings().alerts.email

    assert email is not None
    read = MailServer.of(email.url)
    assert (read.host, read.port, read.security) == server


def test_live_sends_nothing_in_the_clear_not_even_to_itself(surroundings: Surroundings) -> None:
    surroundings(
        live=True,
        WEBHOOKS__OPS__URL="http://127.0.0.1:9000",
        WEBHOOKS__OPS__SECRET=SECRET,
    )

    assert faults() == ["environment is live and alerts.webhooks 'ops' has an http:// url"]


def test_the_types_in_the_settings_are_those_that_there_are() -> None:
    (of_one,) = get_args(AlertWebhook.model_fields["types"].annotation)[:1]

    assert {*get_args(of_one)} == {*AlertType} - {AlertType.TRIAL}
