"""Read the settings once, and say at once all that is wrong with them."""

from __future__ import annotations

import os

from pydantic import ValidationError

from recon.settings.conflicts import faults_together
from recon.settings.errors import ConfigurationError
from recon.settings.model import Settings
from recon.settings.sources import merged, read_sources

__all__ = ["load_settings"]


def load_settings(**flags: object) -> Settings:
    """Read every source once.

    Args:
        flags: settings given on the command line, which win; ``None`` means not given.

    Raises:
        ConfigurationError: one or more settings are unusable; all of them are named.
    """
    given = {name: value for name, value in flags.items() if value is not None}
    sources = read_sources(os.environ)
    values = merged(merged(sources.file, sources.environment), given)
    faults = [*sources.faults]
    broken: set[str] = set()
    settings = None
    while settings is None:
        try:
            settings = Settings(**values)
        except ValidationError as error:
            faults += _described(error)
            broken |= {str(fault["loc"][0]) for fault in error.errors()}
            # Once more without them: what the others say together is to be told as well.
            values = {name: value for name, value in values.items() if name not in broken}
    faults += [text for names, text in faults_together(settings) if broken.isdisjoint(names)]
    if faults:
        raise ConfigurationError("\n".join(faults))
    return settings


def _described(error: ValidationError) -> list[str]:
    return [
        f"{'.'.join(str(part) for part in fault['loc'])}: "
        + (
            "must be a JSON list of strings"
            if fault["type"] == "tuple_type"
            else fault["msg"].removeprefix("Value error, ")
        )
        for fault in error.errors(include_url=False, include_input=False)
    ]
