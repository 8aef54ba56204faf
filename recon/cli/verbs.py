"""A group of verbs, whose help says the whole sentence of each."""

from __future__ import annotations

import click

__all__ = ["Verbs"]

_WHOLE = 1000


class Verbs(click.Group):
    """click cuts a sentence at the line's end; on a line's width most of ours would lose theirs."""

    def sentence_of(self, ctx: click.Context, name: str) -> str:
        """What one of its commands says of itself first."""
        command = self.get_command(ctx, name)
        return command.get_short_help_str(limit=_WHOLE) if command else ""

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List them, each with its sentence, which goes on in the next line where it must."""
        rows = [(name, self.sentence_of(ctx, name)) for name in self.list_commands(ctx)]
        with formatter.section("Commands"):
            formatter.write_dl(rows)
