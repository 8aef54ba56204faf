"""Money never meets a float: where it is handled, only durations and odds may be one.

A float literal, the name ``float`` and a true division may stand only where what is computed has
a unit of time in its name, or says that it is a probability: ``timeout_s``, ``_LONGEST_S``,
``wait_ms``, ``per_second``, ``odds``, ``tried_weight``.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]
ROOMS = ("ledger", "payments", "bets", "webhooks", "reconciliation", "money.py")
FILES = sorted(
    path
    for room in ROOMS
    for path in ([ROOT / "recon" / room], (ROOT / "recon" / room).rglob("*.py"))[
        not room.endswith(".py")
    ]
)
# Whole files that count calls or weigh odds, not money; and what is no money by its name.
COUNT_CALLS = {"recon/http/flood.py", "recon/reconciliation/odds.py"}
NO_MONEY = re.compile(r"(^|_)(s|ms|seconds|grace|growth|odds|weights?|per_second)$", re.IGNORECASE)

COMPOUND = (
    ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef, ast.For, ast.AsyncFor, ast.While,
    ast.If, ast.With, ast.AsyncWith, ast.Try, ast.TryStar, ast.Match, ast.match_case,
    ast.ExceptHandler, ast.Module,
)  # fmt: skip


def floats(source: str) -> list[str]:
    """Where a float appears for something that is no duration: ``line: what``."""
    return [
        f"{node.lineno}: {what}"
        for place, named_by in _places(ast.parse(source))
        if not any(NO_MONEY.search(name) for name in _names(named_by))
        for node, what in _offences(place)
    ]


@pytest.mark.parametrize("path", FILES, ids=lambda path: str(path.relative_to(ROOT)))
def test_money_is_never_a_float(path: Path) -> None:
    if str(path.relative_to(ROOT)) in COUNT_CALLS:
        return
    assert floats(path.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        "fee = amount * 0.029",
        "def fee(amount: float) -> int: ...",
        "def fee(amount: int, rate=0.5) -> int: ...",
        "share = amount / 3",
        "amount /= 3",
        "total = float(row['amount'])",
        "if amount / 2 > 3:\n    wait(timeout_s)",
        "def pay(timeout_s):\n    return amount * 1.5",
        "rate: float = half",
        "def fee(amount: int) -> float:\n    return amount",
    ],
)
def test_the_rule_sees_a_float_in_money(source: str) -> None:
    assert floats(source) != []


@pytest.mark.parametrize(
    "source",
    [
        "timeout_s = 1.5",
        "_LONGEST_S: Final = 60.0",
        "def wait(timeout_s: float = 20.0) -> None: ...",
        "half_s = timeout_s / 2",
        "rung = since + grace / 2",
        "units = amount // 100",
        "client(timeout_s=2.5)",
        "def next_look(at) -> float | None:\n    return due_in_s",
        "def wait_s() -> float: ...",
    ],
)
def test_the_rule_leaves_durations_alone(source: str) -> None:
    assert floats(source) == []


def _places(node: ast.AST) -> Iterator[tuple[ast.AST, list[ast.AST]]]:
    """What is judged as one, and what names it.

    A simple statement and a header's part name themselves, an argument with its default too; what
    a function returns is named by the function and by its return statements.
    """
    if isinstance(node, ast.arguments):
        yield from ((argument, [argument]) for argument in _arguments(node))
    elif isinstance(node, COMPOUND):
        returned = (
            node.returns if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) else None
        )
        for child in ast.iter_child_nodes(node):
            if child is returned:
                ends = [each for each in ast.walk(node) if isinstance(each, ast.Return)]
                yield child, [ast.Name(getattr(node, "name", ""), ast.Load()), *ends]
            else:
                yield from _places(child)
    else:
        yield node, [node]


def _arguments(node: ast.arguments) -> Iterator[ast.AST]:
    positional = [*node.posonlyargs, *node.args]
    defaults = [None] * (len(positional) - len(node.defaults)) + [*node.defaults]
    pairs = [
        *zip(positional, defaults, strict=True),
        *zip(node.kwonlyargs, node.kw_defaults, strict=True),
    ]
    others = [argument for argument in (node.vararg, node.kwarg) if argument is not None]
    for argument, default in [*pairs, *((other, None) for other in others)]:
        value = default or ast.Constant(None)
        target = ast.Name(argument.arg, ast.Store())
        if argument.annotation is None:
            yield ast.Assign([target], value)
        else:
            yield ast.AnnAssign(target, argument.annotation, value, simple=1)


def _names(places: list[ast.AST]) -> Iterator[str]:
    for place in places:
        for node in ast.walk(place):
            match node:
                case ast.Name(id=name) | ast.Attribute(attr=name) | ast.keyword(arg=str(name)):
                    yield name


def _offences(place: ast.AST) -> Iterator[tuple[ast.expr | ast.AugAssign, str]]:
    for node in ast.walk(place):
        match node:
            case ast.Constant(value=float(value)):
                yield node, f"the literal {value}"
            case ast.Name(id="float"):
                yield node, "float"
            case ast.BinOp(op=ast.Div()) | ast.AugAssign(op=ast.Div()):
                yield node, "a true division"
