"""No key shows in a log, whoever logs it and wherever it stands."""

from __future__ import annotations

import io
import json
import logging
import sys

import pytest
import structlog
from structlog.contextvars import bound_contextvars

from recon.cli import main
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


class Terminal(io.StringIO):
    """What a person looks at."""

    def isatty(self) -> bool:
        return True


def test_a_person_sees_neither_keys_nor_what_was_in_the_variables(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    terminal = Terminal()
    monkeypatch.setattr(sys, "stderr", terminal)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's
    configure_logging("info")

    def sign_in(password: str) -> None:
        api_key = "ck_live_topsecret"
        raise RuntimeError(f"{len(password)} {api_key}")

    try:
        sign_in("correct horse " * 2)
    except RuntimeError:
        structlog.get_logger().exception("failed", given=["sk_live_topsecret"])
    logging.getLogger("asyncio").error("never retrieved: %s", "ck_live_topsecret")

    said = terminal.getvalue()
    assert "RuntimeError: 28 ck_live_***" in said
    assert "never retrieved: ck_live_***" in said
    assert "topsecret" not in said
    assert "correct horse correct" not in said


def test_what_a_library_logs_is_a_line_as_our_own_with_the_request_it_is_about(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    written = io.StringIO()
    monkeypatch.setattr(sys, "stderr", written)
    monkeypatch.setattr(logging.getLogger(), "handlers", [])  # pytest's
    configure_logging("info")

    with bound_contextvars(request_id="req_1"):
        logging.getLogger("aiohttp.server").error(
            "Error handling %s\nof %s", "it", "us", exc_info=RuntimeError("ck_live_topsecret")
        )
    logging.getLogger("asyncpg").info("nobody asked for it")

    line = json.loads(written.getvalue())
    assert line["at"].endswith("Z")
    assert {**line, "at": "", "exception": ""} == {
        "event": "Error handling it\nof us",
        "logger": "aiohttp.server",
        "level": "error",
        "request_id": "req_1",
        "at": "",
        "exception": "",
    }
    assert line["exception"].endswith("RuntimeError: ck_live_***")


def test_what_is_no_text_is_logged_all_the_same(capfd: pytest.CaptureFixture[str]) -> None:
    configure_logging("info")

    structlog.get_logger().warning("odd", header="\udcff", nested=[{"key": "ck_live_topsecret"}])

    line = json.loads(capfd.readouterr().err)
    assert line["header"] == "?"
    assert line["nested"] == [{"key": "ck_live_***"}]


def test_a_command_that_crashes_is_logged_masked_and_ends_with_1(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    def crash(**_: object) -> None:
        configure_logging("info")
        row = "(topsecret,\n topsecret)"
        raise RuntimeError(f"ck_live_topsecret\nDETAIL:  Failing row contains {row}.")

    monkeypatch.setattr("recon.cli.recon.main", crash)
    with pytest.raises(SystemExit) as ended:
        main()

    said = capfd.readouterr().err
    assert ended.value.code == 1
    assert "command_crashed" in said
    assert "RuntimeError: ck_live_***" in said
    assert "topsecret" not in said
