"""OpenAPI 3.1 from the same types that validate: each handler's `operation`."""

from __future__ import annotations

import inspect
import re
from typing import Any

import msgspec
from aiohttp import web

from recon import __version__
from recon.http.bodies import json_response
from recon.http.operations import Operation, operation_of
from recon.http.problems import Problem
from recon.http.uploads import MEDIA_TYPES

__all__ = ["openapi_document", "openapi_route"]

_COMMON = dict.fromkeys((400, 401, 403, 429, 500, 503), Problem)
"""What any call may be answered: its address is no text, its key opens nothing, we are busy."""
_OF_POSTS = dict.fromkeys((408, 409, 413, 422), Problem)
"""What an Idempotency-Key may come to, and a body that does not come, or is beyond all bounds."""
_LIMIT = {"type": "integer", "minimum": 1, "maximum": 500}
_KEY_SHAPE = "^[!-~]([ -~]{0,253}[!-~])?$"
_REF = "#/components/schemas/{name}"


def openapi_route(app: web.Application) -> web.RouteDef:
    """``GET /openapi.json``, made once, when it is first asked for."""
    made: list[dict[str, Any]] = []

    async def show(request: web.Request) -> web.Response:
        """The document."""
        del request
        if not made:
            made.append(openapi_document(app))
        return json_response(made[0])

    return web.get("/openapi.json", show)


def openapi_document(app: web.Application) -> dict[str, Any]:
    """Every operation of the application's routes, with the schemas of its types."""
    found = [
        (route.method, route.resource.canonical, operation, route.handler)
        for route in app.router.routes()
        if route.resource is not None and (operation := operation_of(route.handler)) is not None
        if route.method != "HEAD"
    ]
    types = {
        kind
        for _, _, operation, _ in found
        for kind in (*operation.answers.values(), *_COMMON.values(), operation.body)
        if kind not in {None, bytes}
    }
    ordered = sorted(types, key=lambda kind: str(kind.__name__))
    _, components = msgspec.json.schema_components(ordered, ref_template=_REF)
    paths: dict[str, dict[str, Any]] = {}
    for method, path, operation, handler in found:
        plain = re.sub(r"\{(\w+):[^}]*\}", r"{\1}", path)
        paths.setdefault(plain, {})[method.lower()] = _operation(plain, method, operation, handler)
    return {
        "openapi": "3.1.0",
        "info": {
            "title": "recon",
            "version": __version__,
            "description": "Money is a decimal string with its currency; times are ISO 8601 UTC.",
        },
        "paths": dict(sorted(paths.items())),
        "components": {
            "schemas": components,
            "securitySchemes": {"key": {"type": "http", "scheme": "bearer"}},
        },
    }


def _operation(path: str, method: str, operation: Operation, handler: object) -> dict[str, Any]:
    parameters: list[dict[str, Any]] = [
        {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}
        for name in re.findall(r"\{(\w+)\}", path)
    ]
    parameters += [
        {
            "name": name,
            "in": "query",
            "description": said,
            "schema": _LIMIT if name == "limit" else {"type": "string"},
        }
        for name, said in {**(operation.query or {}), **_pages_of(operation)}.items()
    ]
    if method == "POST":
        parameters.append(
            {
                "name": "Idempotency-Key",
                "in": "header",
                "required": True,
                "schema": {"type": "string", "maxLength": 255, "pattern": _KEY_SHAPE},
            }
        )
    summary = inspect.getdoc(handler) or ""
    said: dict[str, Any] = {
        "tags": [path.removeprefix("/api/v1/").partition("/")[0]],
        "summary": summary.splitlines()[0] if summary else path,
        "description": f"Needs the scope `{operation.scope}`.",
        "operationId": f"{method.lower()}_{re.sub(r'[^a-z0-9]+', '_', path.lower()).strip('_')}",
        "security": [{"key": [str(operation.scope)]}],
        "parameters": parameters,
        "responses": {
            str(status): _answer(status, kind)
            for status, kind in sorted(_answers(path, method, operation).items())
        },
    }
    if operation.body is not None:
        said["requestBody"] = {"required": True, "content": _content(operation.body)}
    return said


def _pages_of(operation: Operation) -> dict[str, str]:
    """What every list takes, which is answered with a ``next_cursor``."""
    listed = getattr(operation.answers.get(200), "__struct_fields__", ())
    if "next_cursor" not in listed:
        return {}
    return {"cursor": "next_cursor of the page before", "limit": "1 to 500"}


def _answers(path: str, method: str, operation: Operation) -> dict[int, Any]:
    named = {404: Problem} if "{" in path else {}
    posted = _OF_POSTS if method == "POST" else {}
    return {**_COMMON, **named, **posted, **operation.answers}


def _content(kind: type) -> dict[str, Any]:
    if kind is bytes:
        return {media: {"schema": {"type": "string", "format": "binary"}} for media in MEDIA_TYPES}
    return {"application/json": {"schema": _schema(kind)}}


def _answer(status: int, kind: type) -> dict[str, Any]:
    if kind is bytes:
        file = {"schema": {"type": "string", "format": "binary"}}
        return {"description": "a file", "content": {"*/*": file}}
    media = "application/problem+json" if issubclass(kind, Problem) else "application/json"
    description = (inspect.getdoc(kind) or "").splitlines()
    return {
        "description": description[0] if description else str(status),
        "content": {media: {"schema": _schema(kind)}},
    }


def _schema(kind: type) -> dict[str, str]:
    return {"$ref": _REF.format(name=kind.__name__)}
