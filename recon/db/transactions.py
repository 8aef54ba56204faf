"""The one retry of transactions: serialization failures and deadlocks, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, ParamSpec, TypeVar

import asyncpg
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["NO_PATH", "with_retries"]

NO_PATH: Final = "search_path = pg_catalog, pg_temp"
"""For ``SET LOCAL``: Postgres's own names and nothing else, whatever stands in schema public.

There, a function whose signature fits better than the one in pg_catalog would be taken for it, and
could show a reader other tables. Statements that run so write ``public.`` before ours.
"""

P = ParamSpec("P")
T = TypeVar("T")


def with_retries(verb: Callable[P, Awaitable[T]]) -> Callable[P, Awaitable[T]]:
    """Run a verb again, up to five times, when Postgres says 40001 or 40P01.

    The verb must open its own transaction, so that a second run starts from nothing.
    """
    return retry(
        retry=retry_if_exception_type(
            (asyncpg.SerializationError, asyncpg.DeadlockDetectedError),
        ),
        stop=stop_after_attempt(5),
        wait=wait_random_exponential(multiplier=0.01, max=0.2),
        reraise=True,
    )(verb)
