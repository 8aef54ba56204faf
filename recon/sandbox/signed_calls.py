"""A signed call: authentic, for the first time, and carried out once per idempotency key."""

from __future__ import annotations

import hashlib
import re
from dataclasses import replace
from typing import TYPE_CHECKING, Final

from recon.sandbox.answer_faults import with_fault
from recon.sandbox.responding import refusal, request_id_of
from recon.sandbox.signing import SignedCall
from recon.sandbox.wire import Answer, Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from recon.sandbox.call import Call
    from recon.sandbox.idempotency import Attempt

__all__ = ["carry_out_signed"]

_KEY: Final = re.compile(r"[\x21-\x7e]{1,255}", re.ASCII)


async def carry_out_signed(call: Call, act: Callable[[Call], Answer]) -> Answer:
    """Check a signed call, then run it unless its key has an answer already.

    Args:
        call: its key, scope and player are known to be right; its body is not read yet.
        act: changes the state in one step.

    Raises:
        Refused: ``idempotency_key_missing``, ``bad_request``, as `SignatureCheck.check` and
            `IdempotencyStore.begin`.
    """
    sent = call.request.headers
    idempotency_key = sent.get("Idempotency-Key", "")
    if not idempotency_key:
        raise Refused("idempotency_key_missing", "a signed call needs an Idempotency-Key")
    if not _KEY.fullmatch(idempotency_key):
        raise Refused("bad_request", "Idempotency-Key must be 1 to 255 printable ASCII characters")
    if sent.get("Content-Encoding", "identity") != "identity":
        raise Refused("bad_request", "a signed body is sent as it is, not compressed")
    body = await call.request.read()
    signed = SignedCall(
        timestamp=sent.get("X-Timestamp", ""),
        nonce=sent.get("X-Nonce", ""),
        method=call.request.method,
        path_and_query=call.request.raw_path,
        user_id=call.user_id,
        idempotency_key=idempotency_key,
        body=body,
    )
    call.sandbox.signatures.check(call.key, signed, sent.get("X-Signature", ""))
    return await _once(
        replace(call, idempotency_key=idempotency_key, body=body), _fingerprint(signed), act
    )


def _fingerprint(signed: SignedCall) -> bytes:
    """Of what must be the same on every attempt at one intent."""
    line = f"{signed.method}\n{signed.path_and_query}\n{signed.user_id}\n"
    return hashlib.sha256(line.encode("utf-8", "surrogateescape") + signed.body).digest()


async def _once(call: Call, fingerprint: bytes, act: Callable[[Call], Answer]) -> Answer:
    store = call.sandbox.idempotency
    attempt = store.begin(call.idempotency_key, fingerprint)
    identity = f"{call.idempotency_key}/{attempt.count}"
    kept = attempt.answer
    if kept is not None:
        replayed = replace(kept, headers={**kept.headers, "Idempotency-Replayed": "true"})
        return await with_fault(call, lambda: replayed, identity)
    try:
        return await with_fault(call, lambda: _run(call, attempt, act), identity)
    finally:
        # Also when a fault or a stopping server kept it from running: the next attempt may.
        attempt.running = False


def _run(call: Call, attempt: Attempt, act: Callable[[Call], Answer]) -> Answer:
    # The state may have moved on while a fault held the call up.
    reached = call.sandbox.timeline.catch_up()
    try:
        answer = act(replace(call, reached=reached))
    except Refused as refused:
        answer = refusal(refused, request_id_of(call.request))
    call.sandbox.idempotency.finish(attempt, answer)
    return answer
