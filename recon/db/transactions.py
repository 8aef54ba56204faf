"""The one retry of transactions: serialization failures and deadlocks, nothing else."""

from __future__ import annotations

from typing import TYPE_CHECKING, ParamSpec, TypeVar

import asyncpg
from tenacity import retry, retry_if_exception_type, stop_after_attempt, wait_random_exponential

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

__all__ = ["with_retries"]

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
