"""Whatever stands in a setting, it is used, or is a fault that names it and does not repeat it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from recon.settings import ConfigurationError, Settings, load_settings
from tests.fuzzing import fuzz

if TYPE_CHECKING:
    from pathlib import Path

NAMES = [
    *(f"RECON_{name.upper()}" for name in Settings.model_fields),
    *("RECON_PSP__UK__PROVIDER", "RECON_PSP__UK__SECRETS", "RECON_PSP__UK__API_URL"),
    *("RECON_OIDC__ISSUER", "RECON_OIDC__ROLES", "RECON_OIDC__SCOPES", "RECON_OIDC__LABEL"),
    *("RECON_ALERTS__EMAIL__URL", "RECON_ALERTS__EMAIL__RECIPIENTS", "RECON_ALERTS__KEEP"),
    *("RECON_ALERTS__WEBHOOKS__OPS__URL", "RECON_ALERTS__WEBHOOKS__OPS__SECRET"),
    *("RECON_TOLERANCE__GBP", "RECON_SEAL_KEYS_FILE", "RECON_GAME_API_KEY_FILE"),
]
MARK = "Top5ecret"
# What can stand in an environment at all.
TEXT = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=40)
ODD = st.sampled_from(
    [
        *("", " ", "{}", "[]", "null", "[null]", '{"a": 1}', "[[", "true", "-1", "1e999", "0x1"),
        *(f'["{MARK}"]', '{"name": 1}', f"{MARK}://x", f"http://{MARK}:1@x", f"x:{MARK}"),
        *(f"postgresql://{MARK}:{MARK}@h:{MARK}/x", f"smtp://{MARK}@x", "9" * 5_000, "[" * 5_000),
    ]
)


VALUE = TEXT.map(lambda text: MARK + text) | ODD


@fuzz(150)
@given(given=st.dictionaries(st.sampled_from(NAMES), VALUE, max_size=6))
def test_settings_are_used_or_told_and_never_repeated(
    given: dict[str, str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    home: Path = tmp_path_factory.getbasetemp()
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(home)
        for name, value in given.items():
            patch.setenv(name, value)
        told = ""
        try:
            assert isinstance(load_settings(), Settings)
        except ConfigurationError as error:
            told = error.message
        assert MARK not in told, (given, told)
