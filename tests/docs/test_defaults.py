"""A default that docs/settings.md names is the one that the service has."""

from __future__ import annotations

import json
import re
from datetime import time, timedelta
from types import NoneType
from typing import TYPE_CHECKING, Any, Final, get_args, get_origin

import pytest
from pydantic import BaseModel
from pydantic_core import PydanticUndefined

from recon.clock import parse_duration
from recon.settings import Settings
from recon.settings.alerts import AlertWebhook
from recon.webhooks.backfill.accounts import STRIPE_URL
from tests.docs.blocks import ROOT

if TYPE_CHECKING:
    from collections.abc import Iterator

_ROW: Final = re.compile(r"^\| (`RECON_.+?) \| .+ \| (.+) \|$", re.MULTILINE)
_NAME: Final = re.compile(r"`([A-Z_<>]+)`")
_NOTHING: Final[tuple[object, ...]] = (None, (), {})
IN_WORDS: Final[dict[str, tuple[str, Any]]] = {
    # Nothing is set then, and this is what it comes to.
    "RECON_DATABASE_URL": ("an embedded 18 under `RECON_DATA_DIR` (`.recon`)", None),
    "RECON_MIGRATION_DATABASE_URL": ("`RECON_DATABASE_URL`", None),
    "RECON_PSP__<ENDPOINT>__API_URL": (f"`{STRIPE_URL}`", None),
    "RECON_PSP__<ENDPOINT>__API_EVENTS": ("all of them", None),
    "RECON_TOLERANCE__<CURRENCY>": ("`0`", None),
    "RECON_ALERTS__LEAST__<CURRENCY>": ("any", None),
    "RECON_ALERTS__WEBHOOKS__<NAME>__TYPES": (
        "everything",
        AlertWebhook.model_fields["types"].default,
    ),
    "RECON_ALERTS__EMAIL__TYPES": ("everything", AlertWebhook.model_fields["types"].default),
}


def written() -> Iterator[tuple[str, str]]:
    """Each setting of the page by its whole name, with what is said of its default."""
    page = (ROOT / "docs" / "settings.md").read_text(encoding="utf-8")
    for names, defaults in _ROW.findall(page):
        whole: list[str] = []
        for name in _NAME.findall(names):
            whole.append(_whole(name, whole[0] if whole else ""))
        # One for each; or one for all but the last, and the last one's.
        said = [part.strip() for part in defaults.split(";")] if len(whole) > 1 else [defaults]
        first, last = said[0], said[-1]
        if len(said) != len(whole):
            assert len(said) <= 2, names
            said = [*[first] * (len(whole) - 1), last]
        yield from zip(whole, said, strict=True)


def _whole(name: str, first: str) -> str:
    """`_API_KEY` behind `RECON_GAME_URL` is `RECON_GAME_API_KEY`; `__LABEL`, one of its section."""
    if name.startswith("RECON_"):
        return name
    if name.startswith("__"):
        return first.rpartition("__")[0] + name
    cuts = [found.start() for found in re.finditer("_", first)]
    (fitting,) = [first[:cut] + name for cut in cuts if _is_setting(first[:cut] + name)]
    return fitting


def _is_setting(name: str) -> bool:
    try:
        default_of(name)
    except KeyError:
        return False
    return True


def default_of(name: str) -> object:
    """What the service takes where a setting is not given; ``None``: nothing.

    Raises:
        KeyError: there is no such setting.
    """
    kind: Any = Settings
    default: object = None
    for part in name.removeprefix("RECON_").lower().split("__"):
        if get_origin(kind) is dict:
            assert part.startswith("<"), name
            kind, default = get_args(kind)[1], None
            continue
        field = kind.model_fields[part]
        default = field.get_default(call_default_factory=True)
        kinds = [one for one in get_args(field.annotation) if one is not NoneType]
        is_optional = NoneType in get_args(field.annotation) and len(kinds) == 1
        kind = kinds[0] if is_optional else field.annotation
    return None if default is PydanticUndefined else default


def read(said: str, like: object) -> object:
    """A default as it is written, as a value of the kind that the service has."""
    if said == "none" or said.startswith(("none:", "none;")):
        return None
    found = re.match(r"`([^`]+)`", said)
    assert found is not None, said
    text = found[1]
    value: object = text
    match like:
        case bool():
            value = {"on": True, "off": False}[text]
        case int():
            value = int(text)
        case timedelta():
            value = parse_duration(text)
        case time():
            value = time.fromisoformat(text).replace(tzinfo=like.tzinfo)
        case tuple():
            value = tuple(json.loads(text))
        case None if text == "off":
            value = None
    return value


@pytest.mark.parametrize(("name", "said"), [*written()], ids=lambda one: one.strip("`"))
def test_a_default_is_the_one_that_is_written_down(name: str, said: str) -> None:
    default = default_of(name)
    if name in IN_WORDS:
        assert (said, default if default not in _NOTHING else None) == IN_WORDS[name]
        return

    written_down = read(said, default)

    assert written_down == default or (written_down is None and default in _NOTHING)


def test_no_setting_is_without_its_default() -> None:
    named = {name for name, _ in written()}

    assert IN_WORDS.keys() <= named
    top = {name.removeprefix("RECON_").partition("__")[0].lower() for name in named}
    # Where the embedded Postgres keeps its files stands in the row of what it is there for.
    assert top == Settings.model_fields.keys() - {"data_dir"}
    assert f"(`{Settings.model_fields['data_dir'].default}`)" in IN_WORDS["RECON_DATABASE_URL"][0]
    assert Settings().tolerance_minor("GBP") == 0
    sections = [
        field for field in Settings.model_fields if isinstance(default_of(field), BaseModel)
    ]
    assert sections == ["alerts"]
