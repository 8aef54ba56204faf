"""What docs/security.md says is proven is proven by tests that exist."""

from __future__ import annotations

import re
from typing import Final

import pytest

from recon.http.bodies import _WITHIN_S
from recon.http.recent import MOST_NAMES
from recon.http.server import _KEPT_S, _LONGEST_LINE, _MOST_HEADERS
from recon.http.uploads import _LEAST_RATE, _PATIENCE_S
from recon.web.auth.doors import Doors
from recon.web.auth.passwords import _MOST_IN_LINE, _THREADS
from recon.webhooks.psp.signatures import TOLERANCE_S
from recon.webhooks.reading import MAX_BODY
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


_BEGUN: Final = Doors().begun


@pytest.mark.parametrize(
    ("said", "are"),
    [
        (r"counts for 300 seconds", TOLERANCE_S == 300),
        (
            r"at two at a time.* while a hundred wait",
            (_THREADS._max_workers, _MOST_IN_LINE) == (2, 100),  # noqa: SLF001 - the library's own
        ),
        (r"of ten thousand addresses at most", MOST_NAMES == 10_000),
        (r"sends 200 at once.* two a second", (_BEGUN._burst, _BEGUN._per_s) == (200, 2.0)),  # noqa: SLF001 - as it is by default
        (r"a header 8,190 bytes, 100 headers", (_LONGEST_LINE, _MOST_HEADERS) == (8190, 100)),
        (r"a webhook 256 KiB", MAX_BODY == 256 * 2**10),
        (r"has ten seconds to come.* idle connection 75", (_WITHIN_S, _KEPT_S) == (10.0, 75)),
        (r"64 KiB a second.* thirty seconds aside", (_LEAST_RATE, _PATIENCE_S) == (2**16, 30.0)),
    ],
)
def test_the_bounds_that_it_names_are_those_of_the_code(said: str, *, are: bool) -> None:
    assert re.search(said, _TEXT.replace("\n ", ""), re.ASCII)
    assert are
