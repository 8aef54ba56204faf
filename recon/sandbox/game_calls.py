"""What the game API says about rounds and balances."""

from __future__ import annotations

from datetime import timedelta
from email.utils import format_datetime, parsedate_to_datetime
from hashlib import sha256
from itertools import islice
from typing import TYPE_CHECKING, Final

from recon.clock import format_time
from recon.errors import Invalid
from recon.money import exponent_of, format_minor
from recon.sandbox.curve import as_multiplier
from recon.sandbox.wire import Answer, Refused, encode

if TYPE_CHECKING:
    from datetime import datetime

    from recon.sandbox.call import Call
    from recon.sandbox.engine import Round

__all__ = ["balance", "one_round", "past_rounds", "state"]

_NO_STORE: Final = {"Cache-Control": "no-store"}
_SETTLED_AFTER = timedelta(minutes=3)
_PAGE_MOST = 200
_PAGE_DEFAULT = 50


def state(call: Call) -> Answer:
    """``GET /api/v1/game/state``: the current round, never cached."""
    sandbox = call.sandbox
    engine = sandbox.engine
    current = engine.current
    return Answer(
        200,
        encode(
            {
                "round_id": current.round_id,
                "current_multiplier": as_multiplier(engine.multiplier(current, call.reached)),
                "status": current.status,
                "elapsed_ms": engine.elapsed_ms(current, call.reached),
                "timestamp": format_time(sandbox.timeline.clock.now()),
                "participants": len(current.participants),
            }
        ),
        _NO_STORE,
    )


def past_rounds(call: Call) -> Answer:
    """``GET /api/v1/game/rounds``: the finished rounds, newest first, as ``{"rounds": [...]}``.

    Raises:
        Refused: ``validation_failed`` for a limit outside 1 to 200 or an unknown ``before``.
    """
    query = call.request.query
    limit = _limit(query.get("limit"))
    rounds = call.sandbox.engine.newest_first()
    before = query.get("before")
    if before is not None:
        if before not in call.sandbox.engine.rounds:
            raise Refused("validation_failed", "before names no round that is known")
        for round_ in rounds:
            if round_.round_id == before:
                break
    finished = (round_.as_json() for round_ in rounds if round_.finished_at is not None)
    return Answer(200, encode({"rounds": list(islice(finished, limit))}), _NO_STORE)


def one_round(call: Call) -> Answer:
    """``GET /api/v1/game/rounds/{round_id}``; a finished one has an ETag and may answer 304.

    Raises:
        Refused: ``not_found``.
    """
    round_ = call.sandbox.engine.rounds.get(call.request.match_info["round_id"])
    if round_ is None:
        raise Refused("not_found", "there is no such round")
    body = encode(round_.as_json())
    if round_.finished_at is None:
        return Answer(200, body, _NO_STORE)
    headers = _validators(call, round_, round_.finished_at, body)
    if _is_fresh(call, headers["ETag"], round_.finished_at):
        return Answer(304, b"", headers)
    return Answer(200, body, headers)


def balance(call: Call) -> Answer:
    """``GET /api/v1/user/balance``: what the player has in one currency, never cached.

    Raises:
        Refused: ``validation_failed`` without a known currency; ``currency_mismatch`` when the
            player has no wallet in it.
    """
    currency = call.request.query.get("currency", "")
    try:
        exponent_of(currency)
    except Invalid as error:
        raise Refused("validation_failed", error.message) from None
    wallet = call.sandbox.backend.wallet(call.user_id, currency)
    return Answer(
        200,
        encode(
            {
                "user_id": call.user_id,
                "currency": currency,
                "available": format_minor(wallet.available, currency),
                "held": format_minor(wallet.held, currency),
                "as_of": format_time(call.sandbox.timeline.clock.now()),
            }
        ),
        _NO_STORE,
    )


def _limit(text: str | None) -> int:
    if text is None:
        return _PAGE_DEFAULT
    if text.isascii() and text.isdigit() and len(text) <= len(str(_PAGE_MOST)):
        limit = int(text)
        if 1 <= limit <= _PAGE_MOST:
            return limit
    raise Refused("validation_failed", f"limit must be a whole number from 1 to {_PAGE_MOST}")


def _validators(call: Call, round_: Round, finished_at: datetime, body: bytes) -> dict[str, str]:
    age = call.sandbox.timeline.clock.now() - finished_at
    return {
        "ETag": f'"{round_.round_id}-{sha256(body).hexdigest()[:16]}"',
        "Last-Modified": format_datetime(finished_at, usegmt=True),
        # Fresh results are looked at again each time; settled ones never change.
        "Cache-Control": "private, max-age=86400" if age >= _SETTLED_AFTER else "no-cache",
    }


def _is_fresh(call: Call, etag: str, finished_at: datetime) -> bool:
    """Whether the caller's copy is still right; If-None-Match wins (RFC 9110, 13.2.2)."""
    sent = call.request.headers
    matches = sent.get("If-None-Match")
    if matches is not None:
        tags = [tag.strip().removeprefix("W/") for tag in matches.split(",")]
        return "*" in tags or etag in tags
    since = sent.get("If-Modified-Since")
    if since is None:
        return False
    try:
        instant = parsedate_to_datetime(since)
    except ValueError:
        return False
    if instant.tzinfo is None:
        return False
    return finished_at.replace(microsecond=0) <= instant
