"""Static files: read once, compressed once, served under names that change with their content.

A file is compressed when it is first asked for: to pack all of them, of which Swagger's script is
most and is rarely asked for, was a tenth of what a start costs.
"""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import mimetypes
import re
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import TYPE_CHECKING, Final
from urllib.parse import unquote_to_bytes

from aiohttp import web

from recon.errors import NotFound
from recon.web.compression import takes_gzip

if TYPE_CHECKING:
    from importlib.resources.abc import Traversable

__all__ = ["ASSETS", "Assets", "packaged_assets", "serve_asset"]

_TYPES: Final = frozenset({".css", ".js", ".svg"})
_IMPORT: Final = re.compile(r'^@import "([\w./-]+)" layer\(([\w-]+)\);$', re.MULTILINE)
_PICTURE: Final = re.compile(r'url\("([\w-]+\.svg)"\)')
# A picture inside a stylesheet of others: our content policy takes pictures from files alone.
_EMBEDDED: Final = re.compile(r'url\("data:image/svg\+xml;charset=utf-8,((?:[^"\\]|\\.)*)"\)')
# A year, and no question asked: other content has another address.
_FOR_EVER: Final = "public, max-age=31536000, immutable"


@dataclass(slots=True)
class _Asset:
    body: bytes
    content_type: str
    digest: str
    _packed: bytes | None = None

    async def packed(self) -> bytes:
        """Compressed as far as it goes, beside the event loop."""
        if self._packed is None:
            self._packed = await asyncio.to_thread(gzip.compress, self.body, 9, mtime=0)
        return self._packed


class Assets:
    """Everything under ``recon/web/static`` that a browser may ask for."""

    def __init__(self) -> None:
        root = resources.files("recon.web").joinpath("static")
        self._files = dict(_read(root, root, ""))

    def url(self, name: str) -> str:
        """The address of a file, such as ``/static/3f2a…/app.css``.

        Raises:
            KeyError: there is no such file.
        """
        return f"/static/{self._files[name].digest}/{name}"

    async def response(self, request: web.Request, digest: str, name: str) -> web.Response:
        """A file, if it is still the one that was asked for.

        Raises:
            NotFound: no such file, or its content is another by now.
        """
        asset = self._files.get(name)
        if asset is None or asset.digest != digest:
            raise NotFound("there is no such file")
        headers = {
            "Cache-Control": _FOR_EVER,
            "Vary": "Accept-Encoding",
        }
        body = asset.body
        if takes_gzip(request):
            body = await asset.packed()
            headers["Content-Encoding"] = "gzip"
        return web.Response(
            body=body, content_type=asset.content_type, charset="utf-8", headers=headers
        )


@cache
def packaged_assets() -> Assets:
    """Those of this package; one for all applications of a process."""
    return Assets()


ASSETS: web.AppKey[Assets] = web.AppKey("assets", Assets)


async def serve_asset(request: web.Request) -> web.Response:
    """``GET /static/{digest}/{name}``."""
    assets = request.config_dict[ASSETS]
    return await assets.response(request, request.match_info["digest"], request.match_info["name"])


def _read(root: Traversable, folder: Traversable, prefix: str) -> list[tuple[str, _Asset]]:
    found: list[tuple[str, _Asset]] = []
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            found += _read(root, entry, f"{name}/")
        elif any(name.endswith(suffix) for suffix in _TYPES):
            body = entry.read_bytes()
            if prefix and name.endswith(".css"):
                body, pictures = _taken_out(name, body)
                found += [(one, _asset(root, one, content)) for one, content in pictures.items()]
            found.append((name, _asset(root, name, body)))
    return found


def _taken_out(name: str, css: bytes) -> tuple[bytes, dict[str, bytes]]:
    """A vendored stylesheet whose embedded pictures are files of their own, and these files."""
    pictures: dict[str, bytes] = {}

    def take(match: re.Match[str]) -> str:
        content = unquote_to_bytes(re.sub(r"\\(.)", r"\1", match.group(1)))
        picture = f"{name}.{_digest(content)}.svg"
        pictures[picture] = content
        return f'url("/static/{_digest(content)}/{picture}")'

    return _EMBEDDED.sub(take, css.decode()).encode(), pictures


def _asset(root: Traversable, name: str, body: bytes) -> _Asset:
    if name.endswith(".css"):
        text = _PICTURE.sub(lambda m: f'url("{_url(root, m.group(1))}")', body.decode())
        body = _IMPORT.sub(lambda m: _layer(root, m.group(1), m.group(2)), text).encode()
    content_type, _ = mimetypes.guess_type(name)
    return _Asset(
        body=body,
        content_type=content_type or "application/octet-stream",
        digest=_digest(body),
    )


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()[:16]


def _url(root: Traversable, name: str) -> str:
    return f"/static/{_digest(root.joinpath(name).read_bytes())}/{name}"


def _layer(root: Traversable, name: str, layer: str) -> str:
    """An ``@import`` of ours, put in place: one request, and no address that would never change."""
    imported = root.joinpath(*name.split("/")).read_text(encoding="utf-8")
    imported = imported.removeprefix("\ufeff").removeprefix('@charset "UTF-8";')
    return f"@layer {layer} {{\n{imported}\n}}"
