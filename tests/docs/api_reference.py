"""``docs/api.md`` from the OpenAPI document; ``python -m tests.docs.api_reference`` writes it."""

from __future__ import annotations

import re
import sys
from typing import Any, Final

from recon.app import build_app
from recon.http.openapi import openapi_document
from recon.settings import load_settings
from tests.docs.blocks import ROOT

__all__ = ["PATH", "reference"]

PATH: Final = ROOT / "docs" / "api.md"
_MEDIA: Final = "application/json"
_ORDINARY: Final = {"400", "401", "403", "404", "422", "429", "500", "503"}

_HEAD: Final = """\
# The internal API

Made from the service's own OpenAPI 3.1 document by `python -m tests.docs.api_reference`; a test
holds it to that. `GET /openapi.json` is the document itself and `GET /docs` shows it, with a form
for each call. [How to call it](how-to/call-the-api.md) has examples, and says what all calls have
in common: keys, idempotency, pages, limits and problems.

Every call may also answer 401, 403, 429, 500 and 503; with a parameter or a body 400 and 422, and
with an id 404. The last column names what else it answers.
"""


def reference() -> str:
    """The whole file."""
    document = openapi_document(build_app(load_settings(), "postgresql://", jobs=False))
    schemas: dict[str, Any] = document["components"]["schemas"]
    calls = [
        (path, method.upper(), operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
    ]
    lines = [_HEAD]
    for tag in sorted({operation["tags"][0] for _, _, operation in calls}):
        lines += [f"## {tag}", ""]
        lines += ["| call | scope | takes | answers |", "|---|---|---|---|"]
        for path, method, operation in calls:
            if operation["tags"][0] == tag:
                lines.append(_call(path, method, operation))
        lines.append("")
    lines += [
        "## Shapes",
        "",
        "A field with `?` may be left out of a request; `| null` is said as it is.",
        "",
    ]
    for name in sorted(schemas, key=_plain):
        lines += _shape(name, schemas[name])
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).rstrip() + "\n"


def _call(path: str, method: str, operation: dict[str, Any]) -> str:
    scope = ", ".join(f"`{one}`" for rule in operation.get("security", []) for one in rule["key"])
    said = operation["summary"].replace("``", "`")
    cells = (f"`{method} {path}`<br>{said}", scope or "-", _takes(operation), _answers(operation))
    return f"| {' | '.join(cells)} |"


def _takes(operation: dict[str, Any]) -> str:
    asked = [f"`{p['name']}`" for p in operation.get("parameters", []) if p["in"] == "query"]
    for media, body in operation.get("requestBody", {}).get("content", {}).items():
        asked.append(_named(body["schema"]) if media == _MEDIA else f"`{media}`")
    return ", ".join(asked) or "-"


def _answers(operation: dict[str, Any]) -> str:
    said = []
    for status, answer in operation["responses"].items():
        if status in _ORDINARY:
            continue
        kinds = [
            _named(content["schema"])
            for media, content in answer.get("content", {}).items()
            if media == _MEDIA
        ]
        said.append(f"{status} {' or '.join(kinds)}".strip())
    return ", ".join(said)


def _shape(name: str, schema: dict[str, Any]) -> list[str]:
    lines = [f"### {_plain(name)}", "", _sentence(schema.get("description", "")), ""]
    if "enum" in schema:
        return [*lines, ", ".join(f"`{value}`" for value in sorted(schema["enum"])), ""]
    required = set(schema.get("required", []))
    lines += ["| field | |", "|---|---|"]
    for field, kind in schema.get("properties", {}).items():
        mark = "" if field in required else "?"
        lines.append(f"| `{field}`{mark} | {_kind(kind)} |")
    return [*lines, ""]


def _kind(kind: dict[str, Any]) -> str:
    if "$ref" in kind:
        return _named(kind)
    if "anyOf" in kind:
        return " \\| ".join(dict.fromkeys(_kind(one) for one in kind["anyOf"]))
    said = kind.get("type", "anything")
    if said == "array":
        return f"list of {_kind(kind.get('items', {}))}"
    if isinstance(said, list):
        return " \\| ".join(said)
    words = [kind.get("format", said)]
    if "enum" in kind:
        words = [", ".join(f"`{value}`" for value in kind["enum"])]
    if "maxLength" in kind:
        words.append(f"at most {kind['maxLength']} characters")
    return ", ".join(words)


def _named(schema: dict[str, Any]) -> str:
    if "$ref" not in schema:
        return _kind(schema)
    name = _plain(schema["$ref"].rpartition("/")[2])
    return f"[{name}](#{name.lower()})"


def _plain(name: str) -> str:
    """``recon.settlements.views.TotalView`` is known as ``SettlementsTotalView``."""
    *house, last = name.split(".")
    return f"{house[1].title()}{last}" if house else last


def _sentence(text: str) -> str:
    return " ".join(text.replace("``", "`").split())


if __name__ == "__main__":
    PATH.write_text(reference())
    sys.stdout.write(f"{PATH.relative_to(ROOT)} is written\n")
