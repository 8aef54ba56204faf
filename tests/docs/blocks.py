"""The fenced blocks of a Markdown file, with what stands before each of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

__all__ = ["DOCUMENTS", "ROOT", "Block", "blocks_of"]

ROOT: Final = Path(__file__).parents[2]
DOCUMENTS: Final = tuple(sorted([ROOT / "README.md", *ROOT.glob("docs/**/*.md")]))
_FENCE: Final = re.compile(r"^( *)```(\w*)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
_NOT_RUN: Final = re.compile(r"<!-- not run: (.+?) -->\s*$", re.DOTALL)


@dataclass(frozen=True)
class Block:
    """One fenced block.

    ``not_run`` is the reason in ``<!-- not run: … -->`` right before it; ``follows`` is whether
    nothing but blanks stand between it and the block before, whose output it then is.
    """

    where: str
    language: str
    text: str
    not_run: str | None
    follows: bool


def blocks_of(document: Path) -> list[Block]:
    """Every block of a document, in its order."""
    source = document.read_text()
    found: list[Block] = []
    end = 0
    for fence in _FENCE.finditer(source):
        before = source[end : fence.start()]
        indent, language, text = fence.groups()
        reason = _NOT_RUN.search(before)
        line = source.count("\n", 0, fence.start()) + 1
        found.append(
            Block(
                where=f"{document.relative_to(ROOT)}:{line}",
                language=language,
                text=re.sub(rf"^{indent}", "", text, flags=re.MULTILINE),
                not_run=reason.group(1) if reason else None,
                follows=bool(found) and re.sub(r"It prints|:", "", before).strip() == "",
            )
        )
        end = fence.end()
    return found
