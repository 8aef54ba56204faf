"""Every fault of the settings is told at once, by name, and no secret with it."""

from __future__ import annotations

import json
from datetime import timedelta
from types import NoneType
from typing import TYPE_CHECKING, get_args

import pytest
from pydantic import BaseModel, SecretStr

from recon.settings import (
    ConfigurationError,
    Settings,
    explain,
    ignored_variables,
    load_settings,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    Surroundings = Callable[..., None]


@pytest.fixture
def surroundings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Surroundings:
    """An empty directory and an environment of these variables alone."""
    monkeypatch.chdir(tmp_path)

    def set_up(toml: str = "", **variables: str) -> None:
        (tmp_path / "recon.toml").write_text(toml, encoding="utf-8")
        for name, value in variables.items():
            monkeypatch.setenv(f"RECON_{name}", value)

    return set_up


def faults() -> list[str]:
    with pytest.raises(ConfigurationError) as refused:
        load_settings()
    return refused.value.message.splitlines()


@pytest.mark.parametrize(
    ("url", "fault"),
    [
        ("foo", "is not a postgresql:// URL"),
        ("mysql://root:pw@db/recon", "is not a postgresql:// URL"),
        ("postgresql+asyncpg://root:pw@db/recon", "is not a postgresql:// URL"),
        ("postgresql://root:pw@db:port/recon", "has a port that is no number from 1 to 65535"),
        ("postgresql://root:pw@db:99999/recon", "has a port that is no number from 1 to 65535"),
        ("postgresql://root:pw@a:5432,b:0/recon", "has a port that is no number from 1 to 65535"),
        ("postgresql://root:pw@/recon?host=/run&port=x", "has a port that is no number"),
        ("postgresql://root:pw@[::1/recon", "is not a URL"),
    ],
)
def test_a_database_url_that_cannot_be_used_is_a_fault(
    surroundings: Surroundings, url: str, fault: str
) -> None:
    surroundings(DATABASE_URL=url)

    (told,) = faults()

    assert told.startswith(f"database_url: {fault}")
    assert "pw" not in told


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://u:p@db/recon",
        "postgres://u:p@db:6432/recon?sslmode=require",
        "postgresql://u:p@[::1]:5432/recon",
        "postgresql://u:p@a:5432,b/recon",
        "postgresql://u:p@/recon?host=/run/postgresql&port=5433",
    ],
)
def test_a_database_url_as_postgres_knows_them_is_taken(
    surroundings: Surroundings, url: str
) -> None:
    surroundings(DATABASE_URL=url)

    read = load_settings().database_url

    assert read is not None
    assert read.get_secret_value() == url


@pytest.mark.parametrize(
    ("value", "fault"),
    [
        ("99999999999999d", "is longer than can be counted"),
        ("31d", "is not between 1s and 30d"),
        ("999ms", "is not between 1s and 30d"),
        ("soon", "is not a duration"),
    ],
)
def test_a_duration_beyond_reason_is_a_fault(
    surroundings: Surroundings, value: str, fault: str
) -> None:
    surroundings(GRACE_PERIOD=value, RECONCILE_EVERY=value)

    told = faults()

    assert [line.partition(":")[0] for line in told] == ["reconcile_every", "grace_period"]
    assert all(fault in line for line in told)


@pytest.mark.parametrize("word", ["off", "OFF", " Off "])
def test_off_is_off_in_any_writing(surroundings: Surroundings, word: str) -> None:
    surroundings(RECONCILE_EVERY=word)

    assert load_settings().reconcile_every is None


def test_faults_of_files_of_keys_and_of_what_belongs_together_come_together(
    surroundings: Surroundings, tmp_path: Path
) -> None:
    surroundings(
        'grace_perod = "1s"\ncolour = "red"\npool_size = 0\n',
        GAME_URL="http://game.example",
        GAME_SIGNING_SECRET_FILE=str(tmp_path / "none"),
        ENVIRONMENT="live",
        LOG_LEVEL="loud",
        PSP__BANK__PROVIDER="stripe",
        PSP__BANK__SECRETS="whsec_secret",
        PSP__CARDS__PROVIDER="adyen",
        PSP__CARDS__SECRETS="[]",
        TOLERANCE__GBP="a lot",
        RECONCILE_EVRY="1m",
    )

    told = faults()

    wanted = [
        "RECON_GAME_SIGNING_SECRET_FILE: ",
        "RECON_RECONCILE_EVRY is no setting; did you mean RECON_RECONCILE_EVERY?",
        "recon.toml has an unknown setting: colour",
        "recon.toml has an unknown setting: grace_perod",
        "game_url: is http:// to another machine; TLS is required",
        "psp.bank.secrets: must be a JSON list of strings",
        "psp.cards.secrets: ",
        "tolerance: GBP: ",
        "log_level: ",
        "pool_size: ",
        "live needs database_url",
        "live needs seal_keys",
    ]
    assert all(any(line.startswith(start) for line in told) for start in wanted), told
    assert len(told) == len(wanted)
    assert not any("whsec_secret" in line for line in told)


def test_what_a_faulty_setting_would_say_with_others_is_not_guessed(
    surroundings: Surroundings,
) -> None:
    surroundings(ENVIRONMENT="live", DATABASE_URL="foo", GAME_URL="ftp://game", GAME_API_KEY="k")

    assert faults() == [
        "database_url: is not a postgresql:// URL",
        "game_url: is not an http(s) URL",
        "live needs seal_keys: without one, whoever owns the database can rewrite the past",
    ]


@pytest.mark.parametrize(
    ("environment", "key"),
    [("sandbox", "sk_live_1"), ("sandbox", "rk_live_1"), ("live", "sk_test_1")],
)
def test_a_key_of_the_other_mode_is_a_fault(
    surroundings: Surroundings, environment: str, key: str
) -> None:
    mode = key[3:7]
    surroundings(
        ENVIRONMENT=environment,
        DATABASE_URL="postgresql://db.example/recon",
        PSP__UK__PROVIDER="stripe",
        PSP__UK__SECRETS='["whsec_secret"]',
        SEAL_KEYS=json.dumps(["k" * 32]),
        PSP__UK__API_KEY=key,
    )

    assert faults() == [f"environment is {environment} and psp 'uk' has a {mode} api_key"]


@pytest.mark.parametrize(("environment", "other"), [("sandbox", "live"), ("live", "sandbox")])
@pytest.mark.parametrize("name", ["GAME_SIGNING_SECRET", "GAME_SIGNING_SECRET_PREVIOUS"])
def test_a_signing_secret_of_the_other_environment_is_a_fault_that_does_not_show_it(
    surroundings: Surroundings, environment: str, other: str, name: str
) -> None:
    secrets = {"GAME_SIGNING_SECRET": "s", name: f"sk_{other}_topsecret"}
    surroundings(
        ENVIRONMENT=environment,
        DATABASE_URL="postgresql://db.example/recon",
        SEAL_KEYS=json.dumps(["k" * 32]),
        **secrets,
    )

    assert faults() == [f"environment is {environment} and {name.lower()} is a {other} secret"]


LIVE = {
    "ENVIRONMENT": "live",
    "DATABASE_URL": "postgresql://db.example/recon",
    "SEAL_KEYS": json.dumps(["k" * 32]),
    "GAME_URL": "https://game.example",
    "GAME_API_KEY": "ck_live_1",
    "GAME_SIGNING_SECRET": "sk_live_1",
    "PUBLIC_URL": "https://recon.example",
    "PSP__UK__PROVIDER": "stripe",
    "PSP__UK__SECRETS": '["whsec_secret"]',
}
WHSEC = "whsec_" + "A" * 43 + "="


def test_what_live_asks_for_is_enough(surroundings: Surroundings) -> None:
    surroundings(**LIVE)

    assert load_settings().environment == "live"


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"DATABASE_URL": ""}, "live needs database_url; the embedded Postgres is for one machine"),
        ({"SEAL_KEYS": ""}, "live needs seal_keys: without one, whoever owns the database"),
        ({"GAME_API_KEY": "ck_sandbox_1"}, "environment is live and game_api_key is a sandbox key"),
        (
            {"GAME_SIGNING_SECRET": "sk_sandbox_1"},
            "environment is live and game_signing_secret is a sandbox secret",
        ),
        ({"GAME_URL": "https://sandbox.game.example"}, "live and game_url is a sandbox host"),
        ({"GAME_URL": "https://game-sandbox.example"}, "live and game_url is a sandbox host"),
        ({"GAME_URL": "http://127.0.0.1:9"}, "environment is live and game_url is not https"),
        ({"PUBLIC_URL": "http://127.0.0.1:8080"}, "live and public_url is not https"),
        ({"PSP__UK__API_KEY": "sk_test_1"}, "live and psp 'uk' has a test api_key"),
        ({"PSP__UK__API_KEY": "rk_test_1"}, "live and psp 'uk' has a test api_key"),
        (
            {"PSP__UK__API_URL": "http://127.0.0.1:9"},
            "environment is live and psp 'uk' has an http:// api_url",
        ),
        (
            {"PSP__UK__API_URL": "https://api.sandbox.example"},
            "environment is live and psp 'uk' has a sandbox api_url",
        ),
        (
            {"OIDC__ISSUER": "http://127.0.0.1:9", "OIDC__CLIENT_ID": "recon"},
            "environment is live and oidc.issuer is not https",
        ),
        (
            {
                "ALERTS__WEBHOOKS__OPS__URL": "http://127.0.0.1:9",
                "ALERTS__WEBHOOKS__OPS__SECRET": WHSEC,
            },
            "environment is live and alerts.webhooks 'ops' has an http:// url",
        ),
    ],
)
def test_live_refuses_what_is_not_for_live(
    surroundings: Surroundings, given: dict[str, str], fault: str
) -> None:
    surroundings(**{**LIVE, **given})

    (told,) = faults()

    assert fault in told


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        (
            {"TRUSTED_PROXIES": '["10.0.0.0/8", "10.0.0.1/8"]'},
            "trusted_proxies: has one that is no network",
        ),
        ({"TRUSTED_PROXIES": '["everybody"]'}, "has one that is no network such as"),
        ({"TRUSTED_PROXIES": "10.0.0.0/8"}, "trusted_proxies: must be a JSON list of strings"),
        ({"PROXY_HEADER": "cf-connecting-ip"}, "proxy_header: "),
    ],
)
def test_a_proxy_that_cannot_be_known_is_a_fault(
    surroundings: Surroundings, given: dict[str, str], fault: str
) -> None:
    surroundings(**given)

    (told,) = faults()

    assert fault in told


def test_every_secret_comes_from_a_file(surroundings: Surroundings, tmp_path: Path) -> None:
    """Of all that can be set, what is a secret: each by RECON_<NAME>_FILE, none in the open."""
    values = {
        "DATABASE_URL": "postgresql://u:Top5ecret@db.example/recon",
        "MIGRATION_DATABASE_URL": "postgresql://o:Top5ecret@db.example/recon",
        "GAME_API_KEY": "ck_sandbox_Top5ecret",
        "GAME_SIGNING_SECRET": "sk_sandbox_Top5ecret",
        "GAME_SIGNING_SECRET_PREVIOUS": "sk_sandbox_Top5ecret2",
        "PSP__UK__SECRETS": '["whsec_Top5ecret"]',
        "PSP__UK__API_KEY": "rk_test_Top5ecret",
        "SEAL_KEYS": json.dumps(["Top5ecret" * 4]),
        "OIDC__CLIENT_SECRET": "Top5ecret",
        "ALERTS__WEBHOOKS__OPS__SECRET": WHSEC,
        "ALERTS__WEBHOOKS__OPS__SECRET_PREVIOUS": WHSEC,
        "ALERTS__EMAIL__URL": "smtps://me:Top5ecret@mail.example",
    }
    for name, value in values.items():
        (tmp_path / name).write_text(value + "\n", encoding="utf-8")
    surroundings(
        **{f"{name}_FILE": str(tmp_path / name) for name in values},
        PSP__UK__PROVIDER="stripe",
        OIDC__ISSUER="https://acme.example",
        OIDC__CLIENT_ID="recon",
        PUBLIC_URL="https://recon.example",
        ALERTS__WEBHOOKS__OPS__URL="https://ops.example",
        ALERTS__EMAIL__SENDER="a@example.com",
        ALERTS__EMAIL__RECIPIENTS='["b@example.com"]',
    )

    settings = load_settings()
    secrets = dict(_secrets("", settings))
    shown = {row.name: row.value for row in explain(settings, {})}

    assert {name.upper().replace(".", "__") for name in secrets} == values.keys()
    assert secrets["game_api_key"] == "ck_sandbox_Top5ecret"
    assert {shown[name] for name in secrets} == {"********", "1 x ********"}
    assert "Top5ecret" not in f"{shown} {settings!r} {settings} {settings.model_dump_json()}"


@pytest.mark.parametrize("content", ["", " \n\t\n"])
def test_a_file_with_nothing_in_it_is_no_secret(
    surroundings: Surroundings, tmp_path: Path, content: str
) -> None:
    """As when it is mounted before anybody has filled it; said by the setting's name."""
    empty = tmp_path / "empty"
    empty.write_text(content, encoding="utf-8")
    names = ("GAME_API_KEY", "SEAL_KEYS", "PSP__UK__SECRETS", "OIDC__CLIENT_SECRET")
    surroundings(
        **{f"{name}_FILE": str(empty) for name in names},
        PSP__UK__PROVIDER="stripe",
        OIDC__ISSUER="https://acme.example",
        OIDC__CLIENT_ID="recon",
        PUBLIC_URL="https://recon.example",
    )

    told = faults()

    assert {f"RECON_{name}_FILE: {empty} is empty" for name in names} <= set(told)


def test_a_secret_of_spaces_alone_is_none(surroundings: Surroundings) -> None:
    surroundings(
        'game_api_key = ""\n[psp.uk]\nprovider = "stripe"\nsecrets = ["whsec_secret", " "]\n',
        GAME_SIGNING_SECRET=" ",
    )

    told = faults()

    for name in ("game_api_key", "game_signing_secret", "psp.uk.secrets.1"):
        assert f"{name}: is empty" in told
    assert not any("whsec_secret" in line for line in told)


def _secrets(prefix: str, value: object) -> Iterator[tuple[str, str]]:
    """Name and text of every SecretStr in the settings, wherever it stands."""
    if isinstance(value, SecretStr):
        yield prefix, value.get_secret_value()
    elif isinstance(value, BaseModel):
        for name in type(value).model_fields:
            yield from _secrets(f"{prefix}.{name}".strip("."), getattr(value, name))
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from _secrets(f"{prefix}.{name}", one)
    elif isinstance(value, tuple):
        for one in value:
            yield from _secrets(prefix, one)


def test_a_previous_signing_secret_alone_is_a_fault(surroundings: Surroundings) -> None:
    surroundings(GAME_SIGNING_SECRET_PREVIOUS="s")

    assert faults() == ["game_signing_secret_previous is set and game_signing_secret is not"]


def test_a_url_with_a_password_is_refused_and_not_repeated(surroundings: Surroundings) -> None:
    surroundings(
        GAME_URL="https://me:hunter2@game.example",
        GAME_API_KEY="ck_sandbox_1",
        PUBLIC_URL="https://me@recon.example",
        PSP__UK__PROVIDER="stripe",
        PSP__UK__SECRETS='["whsec_secret"]',
        PSP__UK__API_URL="https://:hunter2@api.example",
    )

    told = faults()

    assert told == [
        "game_url: must not carry a user or a password",
        "psp.uk.api_url: must not carry a user or a password",
        "public_url: must not carry a user or a password",
    ]


def test_a_key_is_sent_to_nobody_in_the_clear(surroundings: Surroundings) -> None:
    surroundings(
        PSP__UK__PROVIDER="stripe",
        PSP__UK__SECRETS='["whsec_secret"]',
        PSP__UK__API_URL="http://api.example",
    )

    assert faults() == ["psp.uk.api_url: is http:// to another machine; TLS is required"]


def test_types_that_are_asked_for_are_shown_and_keys_are_not(surroundings: Surroundings) -> None:
    surroundings(
        PSP__UK__PROVIDER="stripe",
        PSP__UK__SECRETS='["whsec_secret"]',
        PSP__UK__API_KEY="rk_test_1",
        PSP__UK__API_EVENTS='["payment_intent.succeeded", "refund.created"]',
    )
    shown = {row.name: row.value for row in explain(load_settings(), {})}

    assert shown["psp.uk.api_events"] == "payment_intent.succeeded, refund.created"
    assert shown["psp.uk.api_key"] == "********"
    assert shown["psp.uk.secrets"] == "1 x ********"


@pytest.mark.parametrize(
    ("name", "meant"),
    [
        ("GRACE_PEROD", "RECON_GRACE_PERIOD"),
        ("TOLERANCE_GBP", "RECON_TOLERANCE__<CURRENCY>"),
        ("GAME_APIKEY_FILE", "RECON_GAME_API_KEY"),
    ],
)
def test_a_misspelt_setting_is_a_fault(surroundings: Surroundings, name: str, meant: str) -> None:
    surroundings(**{name: "1s"})

    assert faults() == [f"RECON_{name} is no setting; did you mean {meant}?"]


def test_what_only_shares_our_prefix_is_named_and_kubernetes_own_is_not(
    surroundings: Surroundings,
) -> None:
    surroundings(
        COLOUR="red",
        CONFIG="recon.toml",
        SCREENSHOTS="here",
        PORT="tcp://10.0.0.1:80",
        PORT_8080_TCP_ADDR="10.0.0.1",
        SERVICE_HOST="10.0.0.1",
        GRACE_PERIOD="90s",
    )

    assert load_settings().grace_period == timedelta(seconds=90)
    assert ignored_variables() == ["RECON_COLOUR"]


def test_flags_win_over_the_environment_and_it_over_the_file(surroundings: Surroundings) -> None:
    surroundings(
        'log_level = "error"\ngrace_period = "3m"\npool_size = 9\n'
        '[psp.bank]\nprovider = "stripe"\nsecrets = ["a"]\n',
        GRACE_PERIOD="4m",
        PSP__BANK__SECRETS='["b", "c"]',
    )
    flags = {"log_level": "debug"}

    settings = load_settings(**flags)

    shown = {row.name: (row.value, row.source) for row in explain(settings, flags)}
    assert shown["log_level"] == ("debug", "flag")
    assert shown["grace_period"] == ("240s", "environment")
    assert shown["pool_size"] == ("9", "file")
    assert shown["sweep_concurrency"] == ("32", "default")
    assert (settings.psp["bank"].provider, len(settings.psp["bank"].secrets)) == ("stripe", 2)


def durations_or_none(model: type[BaseModel], above: str = "") -> Iterator[str]:
    """The settings that are a time or nothing, which is `off`."""
    for name, field in model.model_fields.items():
        if {timedelta, NoneType} <= set(get_args(field.annotation)):
            yield above + name
        elif isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from durations_or_none(field.annotation, f"{above}{name}.")


@pytest.mark.parametrize("name", [*durations_or_none(Settings)])
def test_what_is_turned_off_is_shown_as_off(surroundings: Surroundings, name: str) -> None:
    surroundings(**{name.replace(".", "__").upper(): "off"})

    shown = {row.name: row.value for row in explain(load_settings(), {})}

    assert shown[name] == "off"


def test_what_is_only_not_set_is_not_shown_as_off(surroundings: Surroundings) -> None:
    surroundings()

    shown = {row.name: row.value for row in explain(load_settings(), {})}

    assert {shown[name] for name in ("public_url", "seal_anchor", "alerts.email")} == {"-"}


OIDC = {
    "OIDC__ISSUER": "https://acme.example/realms/pay",
    "OIDC__CLIENT_ID": "recon",
    "PUBLIC_URL": "https://recon.acme.example/",
}


def test_a_sign_in_provider_is_set_up_and_its_secret_stays_one(
    surroundings: Surroundings, tmp_path: Path
) -> None:
    (tmp_path / "secret").write_text("hunter2\n", encoding="utf-8")
    surroundings(
        **OIDC,
        OIDC__CLIENT_SECRET_FILE=str(tmp_path / "secret"),
        OIDC__ROLES='{"Pay Approvers": "approver", "pay": "viewer"}',
        PASSWORD_SIGN_IN="off",
    )

    settings = load_settings()
    shown = {row.name: row.value for row in explain(settings, {})}

    assert settings.oidc is not None
    assert settings.oidc.client_secret is not None
    assert settings.oidc.client_secret.get_secret_value() == "hunter2"
    assert list(settings.oidc.roles) == ["Pay Approvers", "pay"]
    assert shown["oidc.client_secret"] == "********"
    assert (shown["password_sign_in"], shown["game_stream"]) == ("off", "on")


@pytest.mark.parametrize(
    ("given", "fault"),
    [
        ({"OIDC__ISSUER": "http://acme.example"}, "is http:// to another machine"),
        ({"OIDC__ISSUER": "https://acme.example/?tenant=1"}, "has a query or a fragment"),
        ({"OIDC__ISSUER": "acme.example"}, "is not an http(s) URL"),
        ({"OIDC__CLIENT_ID": " recon"}, "printable characters"),
        ({"OIDC__SCOPES": '["email"]'}, "does not have openid"),
        ({"OIDC__SCOPES": '["openid email"]'}, "does not have openid"),
        ({"OIDC__SCOPES": '["openid", "a b"]'}, "a scope with a space"),
        ({"OIDC__ROLES": '{"pay": "king"}'}, "oidc.roles.pay"),
        ({"OIDC__LABEL": "x" * 41}, "which no button is"),
        ({"OIDC__TYPO": "x"}, "oidc.typo"),
        ({"PUBLIC_URL": ""}, "oidc is set and public_url is not"),
        ({"PUBLIC_URL": "http://recon.example"}, "public_url is http:// to another machine"),
        ({"OIDC__ISSUER": "", "OIDC__CLIENT_ID": "", "PASSWORD_SIGN_IN": "off"}, "no way in but"),
    ],
)
def test_a_sign_in_provider_that_cannot_be_used_is_a_fault(
    surroundings: Surroundings, given: dict[str, str], fault: str
) -> None:
    surroundings(**{**OIDC, **given})

    (told,) = faults()

    assert fault in told


def test_a_live_service_has_a_provider_that_is_reached_by_tls(surroundings: Surroundings) -> None:
    surroundings(**{**OIDC, "OIDC__ISSUER": "http://127.0.0.1:9000"}, ENVIRONMENT="live")

    assert "environment is live and oidc.issuer is not https" in faults()
