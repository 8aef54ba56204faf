"""A PSP under load: signs, sends on many connections, and sends again until it is answered 2xx.

It keeps count of what was acknowledged, and so of what must be booked.
"""

from __future__ import annotations

import asyncio
import json
from collections import Counter
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Final

import aiohttp

from tests.violence.budget import PATIENCE_S
from tests.violence.stories import Registration, Story, Told, new_story, sign

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from random import Random

__all__ = ["Psp", "Tally"]

# Adyen takes no answer for a refusal after ten seconds, and its calls are the most impatient. What
# the service does not answer within eight stays so for a minute; between the two, a busy machine.
_PATIENCE_OF_A_PSP_S: Final = 40.0
_FIRST_WAIT_S: Final = 0.02
_LONGEST_WAIT_S: Final = 0.4
_MOST_OPEN: Final = 200
_MOST_ITEMS: Final = 5

Job = list[Told] | Registration


@dataclass
class Tally:
    """What was sent and what came of it.

    Attributes:
        acknowledged: (endpoint, event id) of everything that got a 2xx.
        events: distinct ones, acknowledged or not.
        retried: attempts after the first.
        unanswered: attempts without an answer: nobody listened, or the connection broke.
        broken_off: those of them that were sent and got no answer.
        hung_up: attempts that the PSP itself gave up at once.
        statuses: answers by status.
        faults: answers that the contract does not know.
        slowest_s: the longest that any answer to a webhook took.
    """

    acknowledged: set[tuple[str, str]] = field(default_factory=set)
    events: set[tuple[str, str]] = field(default_factory=set)
    retried: int = 0
    again: int = 0
    unanswered: int = 0
    broken_off: int = 0
    hung_up: int = 0
    statuses: Counter[int] = field(default_factory=Counter)
    faults: list[str] = field(default_factory=list)
    slowest_s: float = 0.0

    @property
    def refused(self) -> int:
        """Answers that asked to come again."""
        return sum(n for status, n in self.statuses.items() if status >= 500)


class Psp:
    """The load.

    Args:
        address: of the service, as it is now.
        key: an API key that may register payments.
        chance: what is sent and when.
        connections: calls at once.
        pause_s: between two calls of one of them.

    Attributes:
        expected: what each (user, currency) has, in minor units, once all is acknowledged.
        postings: (source, key) of all that must be booked then.
        in_flight: calls that are under way.
    """

    def __init__(
        self,
        address: Callable[[], str],
        key: str,
        chance: Random,
        *,
        connections: int = 24,
        pause_s: float = 0.0,
    ) -> None:
        self.tally = Tally()
        self.expected: Counter[tuple[str, str]] = Counter()
        self.postings: set[tuple[str, str]] = set()
        self.in_flight = 0
        self._address = address
        self._key = key
        self._chance = chance
        self._connections = connections
        self._pause_s = pause_s
        self._ready: list[Job] = []
        self._sending = False
        self._inventive = False
        self._stories: dict[Told | Registration, Story] = {}
        self._told = 0
        self._keys = 0

    @asynccontextmanager
    async def load(self) -> AsyncIterator[None]:
        """Send ever more for the length of the block; what is not acknowledged then is kept."""
        self._inventive = True
        async with self._at_work():
            yield

    async def finish(self) -> None:
        """Send what is left until all of it is acknowledged, as a PSP does for days."""
        self._inventive = False
        async with self._at_work(), asyncio.timeout(PATIENCE_S):
            while self._stories:  # noqa: ASYNC110 - tasks work
                await asyncio.sleep(0.01)

    async def acknowledged_more(self, count: int) -> None:
        """Wait until that many more events are acknowledged: the service takes them (again)."""
        enough = len(self.tally.acknowledged) + count
        async with asyncio.timeout(PATIENCE_S):
            while len(self.tally.acknowledged) < enough:  # noqa: ASYNC110 - tasks work
                await asyncio.sleep(0.01)

    @asynccontextmanager
    async def _at_work(self) -> AsyncIterator[None]:
        self._sending = True
        # A connection is not kept for long, so that the next call is not lost on one that died.
        timeout = aiohttp.ClientTimeout(total=_PATIENCE_OF_A_PSP_S)
        connector = aiohttp.TCPConnector(limit=0, keepalive_timeout=2)
        async with aiohttp.ClientSession(timeout=timeout, connector=connector) as session:
            workers = [asyncio.create_task(self._work(session)) for _ in range(self._connections)]
            try:
                yield
            finally:
                self._sending = False
                await asyncio.gather(*workers)

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while self._sending:
            job = self._next()
            if job is None:
                await asyncio.sleep(0.005)
            else:
                await self._send(session, job)
                await asyncio.sleep(self._pause_s)

    def _next(self) -> Job | None:
        while self._inventive and len(self._ready) < _MOST_OPEN:
            self._told += 1
            story = new_story(self._chance, self._told)
            self.expected.update(story.moves)
            self.postings |= story.postings
            self._open(story)
        if not self._ready:
            return None
        job = self._pop()
        if isinstance(job, list) and job[0].endpoint.provider == "adyen":
            for other in [*self._ready][:50]:
                if len(job) >= _MOST_ITEMS or not isinstance(other, list):
                    continue
                if other[0].endpoint is job[0].endpoint and other[0] not in job:
                    self._ready.remove(other)
                    job += other
        return job

    def _pop(self) -> Job:
        place = self._chance.randrange(len(self._ready))
        self._ready[place], self._ready[-1] = self._ready[-1], self._ready[place]
        return self._ready.pop()

    def _open(self, story: Story) -> None:
        for one in story.stages[0]:
            self._stories[one] = story
            self._ready.append(one if isinstance(one, Registration) else [one])
            if isinstance(one, Told):
                self.tally.events.add((one.endpoint.name, one.event_id))
                if self._chance.random() < 0.05:  # twice at once
                    self._ready.append([one])

    async def _send(self, session: aiohttp.ClientSession, job: Job) -> None:
        wait_s = _FIRST_WAIT_S
        key = self._new_key()
        while True:
            status = await self._attempt(session, job, key)
            if status is not None and status < HTTPStatus.MULTIPLE_CHOICES:
                self._acknowledge(job)
                return
            if status == HTTPStatus.CONFLICT:
                # The attempt before died with the process that had it, or still runs. What makes a
                # registration one is its reference, so it may be sent under another key.
                key = self._new_key()
            self.tally.retried += 1
            if not self._sending:
                self._put_back(job)
                return
            await asyncio.sleep(wait_s * self._chance.uniform(0.5, 1.5))
            wait_s = min(_LONGEST_WAIT_S, 2 * wait_s)

    async def _attempt(self, session: aiohttp.ClientSession, job: Job, key: str) -> int | None:
        """Send once; the answer's status, or None where there was none."""
        if isinstance(job, Registration):
            path, body = "/api/v1/payments", json.dumps(job.body).encode()
            headers = {"Authorization": f"Bearer {self._key}", "Idempotency-Key": key}
        else:
            call = sign(job)
            path, body, headers = f"/webhooks/{job[0].endpoint.name}", call.body, call.headers
        clock = asyncio.get_running_loop().time
        started = clock()
        # Now and then a caller hangs up at once; what it sent may be taken all the same.
        hangs_up = self._chance.random() < 0.02
        until = started + self._chance.uniform(0, 0.02) if hangs_up else None
        self.in_flight += 1
        try:
            async with (
                asyncio.timeout_at(until),
                session.post(self._address() + path, data=body, headers=headers) as answer,
            ):
                said = await answer.text()
        except TimeoutError:
            if hangs_up:
                self.tally.hung_up += 1
                return None
            # Our own callers are promised no time; they ask again.
            if not isinstance(job, Registration):
                self.tally.faults.append(f"{path}: no answer within {_PATIENCE_OF_A_PSP_S} s")
            return None
        except aiohttp.ClientConnectorError:
            self.tally.unanswered += 1
            return None
        except (aiohttp.ClientError, OSError):
            self.tally.unanswered += 1
            self.tally.broken_off += 1
            return None
        finally:
            self.in_flight -= 1
        if not isinstance(job, Registration):
            self.tally.slowest_s = max(self.tally.slowest_s, clock() - started)
        self.tally.statuses[answer.status] += 1
        if not self._is_known(job, answer):
            self.tally.faults.append(f"{path}: {answer.status} {said}")
        return answer.status

    @staticmethod
    def _is_known(job: Job, answer: aiohttp.ClientResponse) -> bool:
        """Whether the contract has such an answer for an honest call."""
        if answer.status == HTTPStatus.SERVICE_UNAVAILABLE:
            return answer.headers.get("Retry-After", "").isdecimal()
        if isinstance(job, Registration):
            return answer.status in {HTTPStatus.CREATED, HTTPStatus.CONFLICT}
        return answer.status == HTTPStatus.OK

    def _acknowledge(self, job: Job) -> None:
        for one in job if isinstance(job, list) else [job]:
            if isinstance(one, Told):
                self.tally.acknowledged.add((one.endpoint.name, one.event_id))
                if self._inventive and self._chance.random() < 0.05:  # by mistake
                    self.tally.again += 1
                    self._ready.append([one])
            if not one.acknowledged:
                one.acknowledged = True
                self._advance(one)

    def _advance(self, one: Told | Registration) -> None:
        story = self._stories.pop(one)
        if all(other.acknowledged for other in story.stages[0]):
            del story.stages[0]
            if story.stages:
                self._open(story)

    def _put_back(self, job: Job) -> None:
        self._ready += [job] if isinstance(job, Registration) else [[one] for one in job]

    def _new_key(self) -> str:
        self._keys += 1
        return f"register-{self._keys}"
