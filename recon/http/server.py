"""How the application is served; the benchmarks serve it the same way."""

from __future__ import annotations

import gc

from aiohttp import web

__all__ = ["collect_seldom", "make_runner"]

_YOUNG_OBJECTS = 20_000
_KEPT_S = 75


def make_runner(app: web.Application, *, shutdown_timeout_s: float = 60.0) -> web.AppRunner:
    """A runner that leaves bodies as they arrived: a webhook is verified over the wire's bytes.

    Args:
        app: the application.
        shutdown_timeout_s: how long calls under way may take to end.
    """
    return web.AppRunner(
        app,
        access_log=None,
        auto_decompress=False,
        shutdown_timeout=shutdown_timeout_s,
        # Longer than a load balancer's minute, so that it is not we who close under a request.
        keepalive_timeout=_KEPT_S,
    )


def collect_seldom() -> None:
    """Spare what is loaded by now from garbage collection; for a process that only serves.

    Modules, classes and templates are a few hundred thousand objects that never die. Looking at
    them again and again stopped the process for 50 ms each time.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG_OBJECTS, 20, 50)
