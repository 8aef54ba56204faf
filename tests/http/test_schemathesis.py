"""Whatever fits the OpenAPI document, and whatever does not, is answered as the document says.

Each operation is called with made-up requests by schemathesis, the same in every run; the budget
is ``RECON_SCHEMATHESIS_EXAMPLES`` requests for each way of making them: five in the suite, some
hundred take minutes.
"""

from __future__ import annotations

import asyncio
import os
from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import pytest
import requests
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from schemathesis import GenerationMode
from schemathesis.core.failures import FailureGroup
from schemathesis.core.parameters import ParameterLocation
from schemathesis.core.result import Ok
from schemathesis.specs.openapi import checks

from recon.http.keys import Scope, create_key
from recon.http.rate_limits import FAILURES, RateLimiter
from recon.reconciliation import Cause
from tests.http.conftest import PAYMENT
from tests.http.serving import serving
from tests.reconciliation.cases import Cases

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from recon.db import Pool
    from tests.http.serving import Served

EXAMPLES: Final = int(os.environ.get("RECON_SCHEMATHESIS_EXAMPLES", "5"))
OF_THE_GAME: Final = {
    "GET /api/v1/game/state",
    "POST /api/v1/bets",
    "POST /api/v1/bets/{bet_id}/cashout",
    "POST /api/v1/reconciliation/runs",
}
# Not among them: that all that fits the document is taken, which the books decide; and that what
# does not is refused, for parameters of the query that the document does not know are let pass.
CHECKED: Final = [
    checks.status_code_conformance,
    checks.content_type_conformance,
    checks.response_headers_conformance,
    checks.response_schema_conformance,
    checks.missing_required_header,
    checks.ignored_auth,
    checks.unsupported_method,
]


@pytest.fixture
async def served(database_url: str) -> AsyncIterator[Served]:
    async with serving(database_url, api_quota=10**6, api_quota_bets=10**6) as service:
        service.app._state[FAILURES] = RateLimiter(10**6, 60)  # noqa: SLF001 - a started application is frozen
        yield service


async def names_of_what_is_there(
    served: Served, pool: Pool, headers: dict[str, str]
) -> dict[str, str]:
    """Path parameters that lead somewhere: what is made up would mostly be answered 404."""
    case = await Cases(pool).seen("u_7", "20.00", evidence=[("p", "20.00", Cause.MISSING_WEBHOOK)])
    async with served.session.post(
        f"{served.url}/api/v1/payments", json=PAYMENT, headers=headers | {"Idempotency-Key": "1"}
    ) as answer:
        assert answer.status == 201
    async with served.session.post(
        f"{served.url}/api/v1/discrepancies/{case}/adjustments",
        json={"amount": "20.00", "reason": "report"},
        headers=headers | {"Idempotency-Key": "2"},
    ) as answer:
        adjustment = (await answer.json())["adjustment_id"]
    return {
        "discrepancy_id": str(case),
        "adjustment_id": adjustment,
        "reference": PAYMENT["reference"],
        "user_id": "u_7",
    }


class Calls:
    """Requests made up from the document, sent, and their answers held against it."""

    def __init__(self, served: Served, key: str, known: dict[str, str]) -> None:
        self.url, self.known = served.url, known
        self.session = requests.Session()
        self.headers = {"Authorization": f"Bearer {key}"}
        self.answered: Counter[int] = Counter()
        self.faults: dict[str, str] = {}
        self.number = 0

    def make(self) -> set[str]:
        """All of them, one after the other; the operations that were called."""
        document = schemathesis.openapi.from_url(f"{self.url}/openapi.json")
        called = set()
        for found in document.get_all_operations():
            assert isinstance(found, Ok), found
            operation = found.ok()
            called.add(operation.label)
            for mode in (GenerationMode.POSITIVE, GenerationMode.NEGATIVE):
                self._call(operation.as_strategy(generation_mode=mode))
        self.session.close()
        return called

    def _call(self, strategy: Any) -> None:  # noqa: ANN401 - schemathesis' own
        @settings(
            max_examples=EXAMPLES,
            derandomize=True,
            database=None,
            deadline=None,
            phases=[Phase.generate],
            suppress_health_check=list(HealthCheck),
        )
        @given(strategy)
        def one(case: Any) -> None:  # noqa: ANN401 - the same
            self.number += 1
            if self.number % 2:
                for name in case.path_parameters.keys() & self.known.keys():
                    case.path_parameters[name] = self.known[name]
            answer = case.call(session=self.session, headers=self.headers, timeout=60)
            self.answered[answer.status_code] += 1
            if answer.status_code >= 500 and not self._is_caused(case, answer):
                self._fault(case, f"{answer.status_code}: {answer.text[:500]}")
            try:
                case.validate_response(answer, checks=CHECKED, headers=self.headers)
            except FailureGroup as error:
                self._fault(case, " ".join(str(one) for one in error.exceptions))
            body = case.meta.components.get(ParameterLocation.BODY)
            if (
                body is not None
                and body.mode is GenerationMode.NEGATIVE
                and answer.status_code < 400
            ):
                self._fault(case, f"a body of another shape was taken: {case.body!r}")

        one()

    def _is_caused(self, case: Any, answer: requests.Response) -> bool:  # noqa: ANN401 - the same
        """Whether it is the one 503 that there is a reason for: this service has no game."""
        said = (answer.status_code, answer.json()["code"])
        return case.operation.label in OF_THE_GAME and said == (503, "game_not_configured")

    def _fault(self, case: Any, said: str) -> None:  # noqa: ANN401 - the same
        self.faults[f"{case.operation.label}: {said}"[:2000]] = case.as_curl_command()[:500]


async def test_every_operation_answers_as_the_document_says(served: Served, pool: Pool) -> None:
    created = await create_key(pool, name="ops", scopes=list(Scope), lifetime=None)
    headers = {"Authorization": f"Bearer {created.key}"}
    calls = Calls(served, created.key, await names_of_what_is_there(served, pool, headers))

    called = await asyncio.to_thread(calls.make)

    assert not calls.faults, "\n\n".join(f"{what}\n{how}" for what, how in calls.faults.items())
    assert len(called) > 30
    assert {200, 400, 404, 422} <= calls.answered.keys(), calls.answered
