"""A Dockerfile read into stages, and what .dockerignore lets in; hadolint looks at it beside."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass, field
from fnmatch import fnmatch
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from pathlib import Path

__all__ = ["Dockerfile", "Stage", "Step", "is_sent"]

_CONTINUED: Final = re.compile(r"\\\n\s*")


@dataclass(frozen=True)
class Step:
    """One instruction."""

    word: str
    text: str

    @property
    def words(self) -> list[str]:
        """What stands behind it: a JSON list, or words as a shell reads them."""
        return list(json.loads(self.text)) if self.text.startswith("[") else shlex.split(self.text)


@dataclass
class Stage:
    """What begins with a FROM."""

    image: str
    name: str
    steps: list[Step] = field(default_factory=list)

    def all(self, word: str) -> list[Step]:
        return [step for step in self.steps if step.word == word]

    def only(self, word: str) -> Step:
        (step,) = self.all(word)
        return step

    @property
    def environment(self) -> dict[str, str]:
        pairs = [pair for step in self.all("ENV") for pair in step.words]
        return dict(pair.split("=", 1) for pair in pairs)


@dataclass
class Dockerfile:
    """Its stages, from first to last, and the defaults of its arguments."""

    arguments: dict[str, str]
    stages: list[Stage]

    @classmethod
    def read(cls, path: Path) -> Dockerfile:
        lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
        found = cls({}, [])
        for line in _CONTINUED.sub(" ", "\n".join(lines)).splitlines():
            if not line.strip():
                continue
            word, _, text = line.strip().partition(" ")
            if word == "ARG" and not found.stages:
                name, _, value = text.partition("=")
                found.arguments[name] = value
            elif word == "FROM":
                image, _, name = text.partition(" AS ")
                found.stages.append(Stage(image, name))
            else:
                found.stages[-1].steps.append(Step(word, text.strip()))
        return found


def is_sent(name: str, ignoring: Path) -> bool:
    """Whether a file or folder reaches the engine; the last pattern that fits counts."""
    sent = True
    for line in ignoring.read_text().splitlines():
        pattern = line.strip()
        if not pattern or pattern.startswith("#"):
            continue
        wanted = pattern.startswith("!")
        bare = pattern.removeprefix("!").removeprefix("**/")
        fits = fnmatch(name, bare) or fnmatch(name.partition("/")[0], bare)
        if pattern.removeprefix("!").startswith("**/"):
            fits = any(fnmatch(part, bare) for part in name.split("/"))
        if fits:
            sent = wanted
    return sent
