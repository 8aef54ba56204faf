"""`recon alerts`, what `recon doctor` says of it, and its numbers."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest
from click.testing import CliRunner, Result
from prometheus_client import generate_latest

from recon.alerts import Alerting, refresh_alert_gauges
from recon.cli import recon
from tests.alerts.plain import SECRET, policy

if TYPE_CHECKING:
    from tests.alerts.conftest import Books, Hook, Post


@pytest.fixture
def env(database_url: str, hook: Hook, post: Post) -> dict[str, str]:
    return {
        "NO_COLOR": "1",
        "RECON_DATABASE_URL": database_url,
        "RECON_ALERTS__WEBHOOKS__PAGER__URL": hook.url,
        "RECON_ALERTS__WEBHOOKS__PAGER__SECRET": SECRET,
        "RECON_ALERTS__EMAIL__URL": f"smtp+plain://localhost:{post.port}",
        "RECON_ALERTS__EMAIL__SENDER": "recon@example.com",
        "RECON_ALERTS__EMAIL__RECIPIENTS": '["finance@example.com"]',
    }


async def run(env: dict[str, str], *arguments: str) -> Result:
    return await asyncio.to_thread(CliRunner(env=env).invoke, recon, [*arguments])


async def findings(env: dict[str, str]) -> dict[str, Any]:
    result = await run(env, "doctor", "--json")
    found = json.loads(result.stdout)["findings"]
    return {one["check"]: one for one in found}


async def test_a_test_message_says_what_came_back(
    env: dict[str, str], hook: Hook, post: Post
) -> None:
    hook.answers = [401]
    result = await run(env, "alerts", "test", "--json")

    assert result.exit_code == 1
    assert json.loads(result.stdout) == [
        {"channel": "webhook:pager", "delivered": False, "detail": "answered 401"},
        {"channel": "email", "delivered": True, "detail": "accepted: taken"},
    ]
    assert hook.said[0]["type"] == "test"
    assert post.letters[0]["Subject"] == "[recon sandbox] This is a test: messages arrive here"

    again = await run(env, "alerts", "test", "webhook:pager")
    assert (again.exit_code, again.stdout) == (0, "arrived webhook:pager: answered 204\n")
    assert len(post.letters) == 1


async def test_a_channel_that_nobody_has_set_is_not_tried(env: dict[str, str]) -> None:
    wrong = await run(env, "alerts", "test", "webhook:nobody")
    assert wrong.exit_code == 1
    assert "there are: webhook:pager, email" in str(wrong.exception)

    none = await run({"NO_COLOR": "1"}, "alerts", "test")
    assert none.exit_code == 2
    assert "no channel is set" in none.stderr


async def test_what_was_told_is_listed_with_its_ways(
    env: dict[str, str], books: Books, hook: Hook, post: Post
) -> None:
    alerting = Alerting(policy=policy(), channels=[hook.receiver("pager"), post.mailbox()])
    hook.answers = [500]
    await books.differs("u_1", "10.00")
    await books.look(alerting)

    listed = json.loads((await run(env, "alerts", "list", "--json")).stdout)
    text = (await run(env, "alerts", "list")).stdout
    sent = json.loads((await run(env, "alerts", "list", "--json", "--state", "sent")).stdout)
    gone = json.loads((await run(env, "alerts", "list", "--json", "--state", "given_up")).stdout)

    (one,) = listed
    assert one["type"] == "discrepancies.unexplained"
    assert one["data"]["count"] == 1
    email, webhook = one["deliveries"]
    assert (email["channel"], email["state"], email["last_error"]) == (
        "email",
        "sent",
        "accepted: taken",
    )
    assert (webhook["state"], webhook["attempts"]) == ("pending", 1)
    assert webhook["next_at"] > one["created_at"]
    assert "webhook:pager pending" in text
    assert "tried 1 times: answered 500" in text
    assert ([two["alert_id"] for two in sent], gone) == ([one["alert_id"]], [])


async def test_doctor_says_whether_anybody_would_be_told(
    env: dict[str, str], books: Books, hook: Hook, post: Post
) -> None:
    without = {name: value for name, value in env.items() if "ALERTS" not in name}
    assert "nobody is told of anything" in (await findings(without))["alerts"]["detail"]
    before = await findings(env)
    assert before["alerts email"]["detail"] == (
        "no worker has run with it yet; try `recon alerts test email`"
    )

    assert before["books"]["detail"] == "no worker has verified them yet"

    hook.answers = [410]
    alerting = Alerting(policy=policy(), channels=[hook.receiver("pager"), post.mailbox()])
    await books.differs("u_1", "10.00")
    await books.look(alerting)
    await books.pool.execute(
        "INSERT INTO verifications (verification_id, state, finished_at, faults)"
        " VALUES (gen_random_uuid(), 'faulty', '2026-11-23T09:00Z', '[{}, {}]')"
    )
    after = await findings(env)

    assert not after["books"]["ok"]
    assert after["books"]["detail"].startswith("2 faults were found at 2026-11-23T09:00:00Z")

    assert after["alerts email"]["ok"]
    assert "alerts webhook:pager: disabled at " in (await run(env, "doctor")).stdout
    assert after["alerts email"]["detail"].startswith("the last one: 20")
    webhook = after["alerts webhook:pager"]
    assert not webhook["ok"]
    assert "answered 410; give it another address" in webhook["detail"]
    assert "1 of the last seven days were given up" in webhook["detail"]
    enabled = await run(env, "alerts", "enable", "webhook:pager")
    assert (enabled.exit_code, enabled.stdout) == (0, "webhook:pager is used again\n")
    assert "disabled" not in (await findings(env))["alerts webhook:pager"]["detail"]


async def test_its_numbers_are_those_of_the_database(books: Books, hook: Hook) -> None:
    hook.answers = [500, 500]
    alerting = Alerting(policy=policy(), channels=[hook.receiver("numbered")])
    await books.differs("u_1", "10.00")
    await books.look(alerting)
    await books.owner.execute("UPDATE alerts SET created_at = created_at - interval '90 s'")
    await refresh_alert_gauges(books.pool)

    lines = generate_latest().decode().splitlines()
    found = dict(line.rsplit(" ", 1) for line in lines if 'channel="webhook:numbered"' in line)
    name = '{channel="webhook:numbered"}'
    assert found[f"recon_alerts_pending{name}"] == "1.0"
    assert 90 <= float(found[f"recon_alerts_oldest_pending_seconds{name}"]) < 150
    assert found[f"recon_alerts_channel_disabled{name}"] == "0.0"
    assert found[f"recon_alerts_failed_total{name}"] == "1.0"
