"""No key shows in a log, whoever logs it and wherever it stands."""

from __future__ import annotations

import json
import sys

import pytest
import structlog

from recon.cli.console import configure_logging

KEYS = ["ck_sandbox_Top5ecret", "sk_live_Top5ecret", "ck_live_Top5ecret-2", "rk_test_Top5ecret"]


@pytest.mark.parametrize("key", KEYS)
def test_a_key_in_a_message_a_value_or_an_exception_shows_its_kind_alone(
    key: str, capfd: pytest.CaptureFixture[str]
) -> None:
    configure_logging("info")
    log = structlog.get_logger("test")

    message = f"refused {key}"
    log.warning(message, url=f"https://game.example/?k={key}&n=1", status=401)
    log.error("crashed", exc_info=RuntimeError(f"X-API-Key: {key}"))
    sys.stderr.flush()

    said = capfd.readouterr().err
    first, second = (json.loads(line) for line in said.splitlines() if line.startswith("{"))
    kind = "_".join(key.split("_")[:2])
    assert "Top5ecret" not in said
    assert first["event"] == f"refused {kind}_***"
    assert first["url"] == f"https://game.example/?k={kind}_***&n=1"
    assert f"X-API-Key: {kind}_***" in second["exception"]
