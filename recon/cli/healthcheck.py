"""``recon healthcheck``: for a container's HEALTHCHECK."""

from __future__ import annotations

import urllib.error
import urllib.request
from http import HTTPStatus

import click

__all__ = ["healthcheck"]


@click.command()
@click.option("--url", default="http://127.0.0.1:8080/healthz", show_default=True)
def healthcheck(url: str) -> None:
    """Exit 0 when a service answers here; for a container's HEALTHCHECK."""
    if not url.startswith(("http://", "https://")):
        raise click.BadParameter("give an http(s) URL")
    try:
        with urllib.request.urlopen(url, timeout=3) as answer:  # noqa: S310 - checked above
            healthy = answer.status == HTTPStatus.OK
    except (OSError, urllib.error.URLError) as error:
        raise click.ClickException(f"{url} does not answer: {error}") from None
    if not healthy:
        raise click.ClickException(f"{url} answers {answer.status}")
