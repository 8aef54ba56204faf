"""What docs/security.md says is proven is proven by tests that exist."""

from __future__ import annotations

import re
from typing import Final

from tests.docs.blocks import ROOT

_TEXT: Final = (ROOT / "docs" / "security.md").read_text(encoding="utf-8")
_TEST: Final = re.compile(r"`(tests/[\w/]+\.py)::(test_\w+)`")


def test_every_test_that_the_threat_model_names_exists() -> None:
    named = _TEST.findall(_TEXT)

    gone = [
        f"{path}::{name}"
        for path, name in named
        if not (ROOT / path).is_file()
        or not re.search(rf"def {name}\(", (ROOT / path).read_text(encoding="utf-8"))
    ]

    assert gone == []
    assert len(named) > 50


def test_every_threat_names_what_proves_its_answer_and_what_remains() -> None:
    model = _TEXT.partition("## Who could do what\n")[2].partition("\n## ")[0]
    threats = dict(re.findall(r"^### (.+?)\n(.*?)(?=^### |\Z)", model, re.MULTILINE | re.DOTALL))

    assert len(threats) >= 14
    for threat, text in threats.items():
        assert _TEST.search(text), threat
        assert "*Remains*: " in text, threat
