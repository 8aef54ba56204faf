"""``recon webhooks send``: sign a sample event and post it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import aiohttp
import click

from recon.cli.context import console, print_json, run_async, settings_of
from recon.cli.durations import duration
from recon.clock import new_id, now
from recon.money import Money
from recon.webhooks import build_endpoints
from recon.webhooks.samples import Sample, SampleCall, build_sample, kind_named, sign_sample

if TYPE_CHECKING:
    from datetime import timedelta

__all__ = ["send"]

_EXIT_FAILED = 1
_SUCCESSFUL = range(200, 300)
_TIMEOUT = aiohttp.ClientTimeout(total=30)


@click.command()
@click.argument("endpoint")
@click.argument("event")
@click.option("--url", default="http://127.0.0.1:8080", show_default=True, help="The service.")
@click.option("--user", "user_id", default="u_sample", show_default=True)
@click.option("--amount", default="10.00", show_default=True)
@click.option("--currency", default="GBP", show_default=True)
@click.option("--reference", help="Of the payment; its ids come of it. Default: a new one.")
@click.option("--duplicate", is_flag=True, help="Send it twice.")
@click.option(
    "--late", callback=duration, default="0s", help="It happened and was signed so long ago."
)
@click.option("--bad-signature", is_flag=True, help="Sign with a key that nobody has.")
@click.option("--json", "as_json", is_flag=True)
@click.pass_context
def send(  # noqa: PLR0913 - one per option of the contract
    ctx: click.Context,
    *,
    endpoint: str,
    event: str,
    url: str,
    user_id: str,
    amount: str,
    currency: str,
    reference: str | None,
    late: timedelta,
    duplicate: bool,
    bad_signature: bool,
    as_json: bool,
) -> None:
    """Sign a sample EVENT with the secret of ENDPOINT and post it.

    EVENT is a word such as deposit.succeeded or the provider's own, such as refund.created.

    Exits 1 when an answer is not 2xx.
    """
    endpoints = build_endpoints(settings_of(ctx).psp)
    if endpoint not in endpoints:
        known = ", ".join(sorted(endpoints)) or "none"
        raise click.UsageError(f"there is no endpoint {endpoint!r}; configured: {known}")
    account = endpoints[endpoint]
    at = now() - late
    sample = Sample(
        kind=kind_named(account, event),
        user_id=user_id,
        amount=Money.parse(amount, currency),
        reference=reference or f"sample-{new_id().hex[:20]}",
        at=at,
    )
    document = build_sample(account, sample)
    call = sign_sample(account, document, at=at, forged=bad_signature)
    target = f"{url.rstrip('/')}/webhooks/{endpoint}"
    answers = run_async(_post(target, call, times=2 if duplicate else 1))
    if as_json:
        print_json({"reference": sample.reference, "answers": answers})
    else:
        for answer in answers:
            console.print(f"{answer['status']}  {answer['body']}", markup=False, highlight=False)
    if any(answer["status"] not in _SUCCESSFUL for answer in answers):
        ctx.exit(_EXIT_FAILED)


async def _post(url: str, call: SampleCall, *, times: int) -> list[dict[str, Any]]:
    answers = []
    try:
        async with aiohttp.ClientSession(timeout=_TIMEOUT) as session:
            for _ in range(times):
                async with session.post(url, data=call.body, headers=call.headers) as response:
                    answers.append({"status": response.status, "body": await response.text()})
    except (aiohttp.ClientError, TimeoutError) as error:
        raise click.ClickException(f"{url} does not answer: {error}") from None
    return answers
