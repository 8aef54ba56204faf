"""Where settings stand: the environment, files that it names, and ``recon.toml``."""

from __future__ import annotations

import os
import re
import tomllib
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from pydantic_settings import EnvSettingsSource

from recon.settings.model import Settings

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pydantic.fields import FieldInfo

__all__ = ["Sources", "ignored_variables", "merged", "read_sources"]

_PREFIX: Final = "RECON_"
_NESTED: Final = ("RECON_ALERTS__", "RECON_OIDC__", "RECON_PSP__", "RECON_TOLERANCE__")
_OURS: Final = ("RECON_CONFIG", "RECON_SCREENSHOTS")
"""Read elsewhere: which file to read, and where our tests keep pictures."""

# Kubernetes tells every container of a service called `recon` where it is.
_FOREIGN: Final = re.compile(r"RECON_(?:SERVICE|PORT)(?:_.*)?")

_NAMES: Final = [f"{_PREFIX}{name.upper()}" for name in Settings.model_fields] + [*_OURS]
_SHOWN: Final = {
    "RECON_ALERTS": "RECON_ALERTS__WEBHOOKS__<NAME>__URL and its like",
    "RECON_OIDC": "RECON_OIDC__ISSUER and its like",
    "RECON_PSP": "RECON_PSP__<ENDPOINT>__PROVIDER and its like",
    "RECON_TOLERANCE": "RECON_TOLERANCE__<CURRENCY>",
}


@dataclass(frozen=True, slots=True)
class Sources:
    """What was read, and what could not be."""

    environment: dict[str, Any]
    file: dict[str, Any]
    faults: list[str]


class _Environment(EnvSettingsSource):
    """The environment's variables as nested values."""

    def __init__(self, variables: Mapping[str, str]) -> None:
        self._variables = {name.lower(): value for name, value in variables.items()}
        super().__init__(Settings)

    def _load_env_vars(self) -> Mapping[str, str | None]:
        return {**self._variables}

    def decode_complex_value(self, field_name: str, field: FieldInfo, value: Any) -> Any:  # noqa: ANN401 - any JSON
        """JSON, or the text as it is: validation then says which setting has the wrong shape."""
        try:
            return super().decode_complex_value(field_name, field, value)
        except (ValueError, RecursionError):
            return value


def read_sources(environment: Mapping[str, str]) -> Sources:
    """What the environment and the file say, with all that cannot be read."""
    variables, faults = _with_files(environment)
    for name in _unknown(environment):
        if nearest := _nearest(name):
            faults.append(f"{name} is no setting; did you mean {nearest}?")
    file, faults_of_file = _read_file(environment)
    return Sources(_Environment(variables)(), file, faults + faults_of_file)


def ignored_variables() -> list[str]:
    """Variables of the environment that look like settings and are none."""
    return [name for name in _unknown(os.environ) if not _nearest(name)]


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Two sources as one; where both say something of the same name, the one above wins."""
    both = {**below}
    for name, value in above.items():
        under = both.get(name)
        nested = isinstance(value, dict) and isinstance(under, dict)
        both[name] = merged(under, value) if nested and under is not None else value
    return both


def _with_files(environment: Mapping[str, str]) -> tuple[dict[str, str], list[str]]:
    """Our variables with ``<NAME>_FILE`` read into ``<NAME>``, and what could not be read."""
    faults = []
    unknown = set(_unknown(environment))
    read = {
        key: value
        for key, value in environment.items()
        if key.upper().startswith(_PREFIX) and value != "" and key not in unknown
    }
    for key in [key for key in read if key.upper().endswith("_FILE")]:
        path = Path(read.pop(key))
        # A name without a folder may be the secret itself, set where its file belongs.
        named = str(path) if path.is_absolute() else "what it names"
        try:
            text = path.read_text(encoding="utf-8").strip()
        except OSError as error:
            faults.append(f"{key}: {named} cannot be read: {error.strerror}")
        except UnicodeDecodeError:
            faults.append(f"{key}: {named} cannot be read: it is no UTF-8")
        else:
            if text:
                read.setdefault(key[: -len("_FILE")], text)
            else:
                # Such as a secret that is mounted before anybody has filled it.
                faults.append(f"{key}: {named} is empty")
    return read, faults


def _read_file(environment: Mapping[str, str]) -> tuple[dict[str, Any], list[str]]:
    named = environment.get("RECON_CONFIG")
    path = Path(named or "recon.toml")
    if named is None and not path.is_file():
        return {}, []
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        return {}, [f"{path} cannot be read: {error}"]
    known = {name: value for name, value in read.items() if name in Settings.model_fields}
    return known, [f"{path} has an unknown setting: {name}" for name in sorted(read.keys() - known)]


def _unknown(environment: Mapping[str, str]) -> list[str]:
    """Names with our prefix that are no setting of ours."""
    return sorted(
        name
        for name in environment
        if (upper := name.upper()).startswith(_PREFIX)
        and upper.removesuffix("_FILE") not in _NAMES
        and not upper.startswith(_NESTED)
        and _FOREIGN.fullmatch(upper) is None
    )


def _nearest(name: str) -> str | None:
    near = get_close_matches(name.upper().removesuffix("_FILE"), _NAMES, n=1, cutoff=0.85)
    return _SHOWN.get(near[0], near[0]) if near else None
