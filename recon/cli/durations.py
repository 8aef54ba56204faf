"""Options that are durations."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from recon.clock import parse_duration

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["duration", "optional_duration"]


def duration(ctx: click.Context, param: click.Parameter, value: str) -> timedelta:
    """Read a duration such as 90s, or fail as click does."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise click.BadParameter(str(error), ctx, param) from None


def optional_duration(
    ctx: click.Context, param: click.Parameter, value: str | None
) -> timedelta | None:
    """The same, where the option may be missing."""
    return None if value is None else duration(ctx, param, value)
