"""What a provider's answers must be for anybody to be let in."""

from __future__ import annotations

import asyncio
import base64
import hmac
import json
import time
from typing import TYPE_CHECKING, Any

import aiohttp
import pytest
from aiohttp import web
from joserfc import jwt
from joserfc.errors import SecurityWarning
from joserfc.jwk import RSAKey

from tests.web.oidc.house import CLIENT_ID, ec, rsa, saying, silence

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.oidc.conftest import Desk
    from tests.web.oidc.house import House


def parts_of(id_token: str) -> tuple[dict[str, Any], dict[str, Any], str]:
    """Header and claims of a token, and its signature."""
    header, claims, signature = id_token.split(".")
    return _decoded(header), _decoded(claims), signature


def _decoded(text: str) -> dict[str, Any]:
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))
    return decoded


def _encoded(document: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(document).encode()).rstrip(b"=").decode()


def unsigned(id_token: str) -> str:
    """The same claims with ``alg: none``."""
    return f"{_encoded({'alg': 'none'})}.{id_token.split('.')[1]}."


def by_public_key(id_token: str) -> str:
    """The same claims, signed by HS256 with what everybody knows of the key."""
    signed = f"{_encoded({'alg': 'HS256', 'kid': 'first'})}.{id_token.split('.')[1]}"
    signature = hmac.digest(rsa("first").as_pem(private=False), signed.encode(), "sha256")
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def by_a_strangers_key(id_token: str) -> str:
    """The same claims, signed by a key that only calls itself the provider's."""
    return jwt.encode(
        {"alg": "RS256", "kid": "first"}, parts_of(id_token)[1], rsa("stranger"), ["RS256"]
    )


def by_its_own_key(id_token: str) -> str:
    """The same claims, signed by a key that comes along in the header."""
    key = rsa("stranger")
    header = {"alg": "RS256", "jwk": key.as_dict(private=False)}
    return jwt.encode(header, parts_of(id_token)[1], key, ["RS256"])


def with_crit(id_token: str) -> str:
    """Rightly signed, with an extension that must be understood."""
    header = {"alg": "RS256", "kid": "first", "crit": ["mood"], "mood": "odd"}
    claims = _encoded(parts_of(id_token)[1])
    signed = f"{_encoded(header)}.{claims}"
    private = rsa("first").private_key
    assert private is not None
    signature = private.sign(signed.encode(), *_pkcs1())
    return f"{signed}.{base64.urlsafe_b64encode(signature).rstrip(b'=').decode()}"


def _pkcs1() -> tuple[Any, Any]:
    from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - of this attack alone
    from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 - the same

    return padding.PKCS1v15(), hashes.SHA256()


FORGED: dict[str, tuple[Callable[[str], str], str]] = {
    "alg none": (unsigned, "algorithm_refused"),
    "HS256 with the public key": (by_public_key, "algorithm_refused"),
    "a stranger's key": (by_a_strangers_key, "signature_mismatch"),
    "a key of its own": (by_its_own_key, "signature_mismatch"),
    "an extension": (with_crit, "malformed"),
    "a changed claim": (
        lambda t: f"{t.split('.')[0]}.{_encoded(parts_of(t)[1] | {'sub': 'x'})}.{t.split('.')[2]}",
        "signature_mismatch",
    ),
    "two parts": (lambda t: t.rpartition(".")[0], "malformed"),
    "five parts": (lambda t: f"{t}.x.y", "malformed"),
    "nothing": (lambda _: "", "malformed"),
    "no JSON": (lambda t: f"eA.{t.split('.')[1]}.eA", "malformed"),
    "a header that is a list": (lambda t: f"W10.{t.split('.')[1]}.eA", "malformed"),
    "a header that is text": (lambda t: f"ImFsZyI.{t.split('.')[1]}.eA", "malformed"),
    "huge": (lambda t: t + "A" * 70_000, "malformed"),
}


def untrue(issuer: str) -> dict[str, tuple[dict[str, Any], str]]:
    """By what is not so: claims to put in (``None``: to leave out), and how it is told."""
    now = int(time.time())
    return {
        "another issuer": ({"iss": "https://other.example"}, "wrong_issuer"),
        "an issuer with a slash more": ({"iss": f"{issuer}/"}, "wrong_issuer"),
        "another audience": ({"aud": "somebody else"}, "wrong_audience"),
        "ours among others": ({"aud": [CLIENT_ID, "somebody else"]}, "wrong_audience"),
        "ours, for another party": ({"azp": "somebody else"}, "wrong_audience"),
        "no audience": ({"aud": None}, "malformed"),
        "expired": ({"exp": now - 61}, "expired"),
        "no end": ({"exp": None}, "malformed"),
        "an end that is text": ({"exp": "tomorrow"}, "malformed"),
        "of the future": ({"iat": now + 300}, "malformed"),
        "not yet": ({"nbf": now + 300}, "malformed"),
        "without an instant": ({"iat": None}, "malformed"),
        "another question's": ({"nonce": "n-0S6_WzA2Mj"}, "nonce_mismatch"),
        "no question's": ({"nonce": None}, "nonce_mismatch"),
        "a list of questions'": ({"nonce": ["n"]}, "nonce_mismatch"),
        "another access token's": ({"at_hash": "MTIzNDU2Nzg5MDEyMzQ1Ng"}, "at_hash_mismatch"),
        "nobody's": ({"sub": ""}, "malformed"),
        "of a number": ({"sub": 7}, "malformed"),
        "of a novel": ({"sub": "s" * 256}, "malformed"),
    }


async def test_a_token_that_is_not_the_providers_lets_nobody_in(desk: Desk) -> None:
    told = {}
    for name, (forge, _) in FORGED.items():
        desk.house.id_token = forge
        status, text = await desk.sign_in()
        assert (status, "cannot be trusted" in text) == (401, True), name
        told[name] = (await desk.reasons())[-1]

    assert told == {name: f"id_token_{why}" for name, (_, why) in FORGED.items()}
    assert await desk.sessions() == 0
    desk.house.id_token = None
    assert (await desk.sign_in())[0] == 303


async def test_a_token_that_says_what_is_not_so_lets_nobody_in(desk: Desk) -> None:
    told = {}
    table = untrue(desk.house.issuer)
    for name, (lies, _) in table.items():
        desk.house.claims = lambda claims, lies=lies: {
            claim: value for claim, value in (claims | lies).items() if value is not None
        }
        assert (await desk.sign_in())[0] == 401, name
        told[name] = (await desk.reasons())[-1]

    assert told == {name: f"id_token_{why}" for name, (_, why) in table.items()}
    assert await desk.sessions() == 0
    now = int(time.time())
    desk.house.claims = lambda claims: (
        claims
        | {
            "aud": [CLIENT_ID, "somebody else"],
            "azp": CLIENT_ID,
            "exp": now - 30,
            "iat": now + 30,
        }
    )
    assert (await desk.sign_in())[0] == 303, "clocks may differ a little"


async def test_new_keys_of_the_provider_are_found_but_not_asked_for_at_will(desk: Desk) -> None:
    assert (await desk.sign_in())[0] == 303
    assert desk.house.asked["/jwks"] == 1

    desk.house.keys.append(rsa("second"))
    assert (await desk.sign_in())[0] == 401
    assert (await desk.sign_in())[0] == 401
    assert desk.house.asked["/jwks"] == 1, "not within half a minute"
    desk.clock.at += 31
    assert (await desk.sign_in())[0] == 303
    assert (await desk.sign_in())[0] == 303
    assert desk.house.asked["/jwks"] == 2

    # Another key under the same name, and the old ones gone.
    desk.house.keys = [RSAKey.import_key(rsa("third").as_dict(private=True) | {"kid": "second"})]
    desk.clock.at += 31
    assert (await desk.sign_in())[0] == 303
    desk.house.keys = [rsa("first")]
    desk.clock.at += 3601
    assert (await desk.sign_in())[0] == 303
    assert desk.house.asked["/jwks"] == 4
    assert desk.house.asked["/.well-known/openid-configuration"] == 2


async def test_keys_that_cannot_have_signed_are_passed_over(desk: Desk) -> None:
    with pytest.warns(SecurityWarning, match="2048"):
        short = RSAKey.generate_key(1024, {"kid": "short"})
    good = rsa("first").as_dict(private=False)
    listed = [
        short.as_dict(private=False),
        {"kty": "oct", "k": "c2VjcmV0", "kid": "first"},
        {**rsa("second").as_dict(private=False), "kid": "first", "use": "enc"},
        {**ec("curve").as_dict(private=False), "x": "AAAA"},
        {"kty": "RSA", "n": 7},
        {"kty": ["RSA"]},
        "first",
        good,
    ]
    desk.house.answers["/jwks"] = saying(text=json.dumps({"keys": listed}))

    assert (await desk.sign_in())[0] == 303
    desk.house.id_token = lambda token: jwt.encode(
        {"alg": "RS256", "kid": "short"}, parts_of(token)[1], short, ["RS256"]
    )
    desk.clock.at += 31
    assert (await desk.sign_in())[0] == 401
    assert await desk.reasons() == ["id_token_signature_mismatch"]


def _unusable(house: House) -> dict[str, dict[str, Any]]:
    """By what is wrong with it, what the discovery document says."""
    return {
        "of another issuer": {"issuer": "https://other.example"},
        "without a token endpoint": {"token_endpoint": None},
        "http to another machine": {"token_endpoint": "http://other.example/token"},
        "http to another name of this machine": {
            "jwks_uri": house.origin.replace("127.0.0.1", "localhost") + "/jwks"
        },
        "a file": {"jwks_uri": "file:///etc/passwd"},
        "with a password": {"jwks_uri": "https://u:p@other.example/jwks"},
        "PKCE in the clear": {"code_challenge_methods_supported": ["plain"]},
        "shared secrets": {"id_token_signing_alg_values_supported": ["HS256", "none"]},
        "a number for a list": {"id_token_signing_alg_values_supported": 7},
    }


async def test_a_provider_that_says_odd_things_of_itself_is_not_used(desk: Desk) -> None:
    for name, document in _unusable(desk.house).items():
        desk.house.metadata = document
        desk.clock.at += 6
        status, text = await desk.site.get("/sign-in/oidc")
        assert (status, "provider is out of reach" in text) == (503, True), name

    desk.house.metadata = {}
    assert (await desk.site.get("/sign-in/oidc"))[0] == 503, "it is left alone for a moment"
    desk.clock.at += 6
    assert (await desk.sign_in())[0] == 303


@pytest.mark.parametrize("path", ["/.well-known/openid-configuration", "/jwks", "/token"])
async def test_an_answer_that_is_huge_odd_or_none_is_told_calmly(
    desk: Desk, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def endless() -> web.StreamResponse:
        return web.Response(text='"' + "x" * (1 << 18) + '"')

    answers = {
        "an error": saying(status=500, text="{}"),
        "no JSON": saying(text="<html>"),
        "a list": saying(text="[]"),
        "deep": saying(text="[" * 100_000),
        "huge": endless,
        "compressed": saying(body=b"\x1f\x8b", headers={"Content-Encoding": "gzip"}),
        "elsewhere": saying(status=302, headers={"Location": "http://other.example/"}),
    }
    for name, answer in answers.items():
        desk.house.answers[path] = answer
        desk.clock.at += 3601
        status, text = await _try(desk, path)
        assert (status, "provider is out of reach" in text) == (503, True), name
    slow = asyncio.Event()
    desk.house.answers[path] = silence(slow)
    desk.clock.at += 3601
    # Its quarter of a second is over however fast the machine is: the answer does not come.
    monkeypatch.setattr("recon.web.auth.oidc.fetching._TIMEOUT", aiohttp.ClientTimeout(total=0.25))
    assert (await _try(desk, path))[0] == 503
    slow.set()
    assert await desk.sessions() == 0


async def test_a_document_of_more_than_a_quarter_of_a_megabyte_is_not_read(desk: Desk) -> None:
    desk.house.metadata = {"padding": "x" * (1 << 18)}
    assert (await desk.site.get("/sign-in/oidc"))[0] == 503

    desk.house.metadata = {"padding": "x" * (1 << 17)}
    desk.clock.at += 6
    assert (await desk.sign_in())[0] == 303


async def _try(desk: Desk, path: str) -> tuple[int, str]:
    """Sign in as far as it goes; the provider's own metadata may be what fails."""
    if path.startswith("/.well-known"):
        return await desk.site.get("/sign-in/oidc")
    return await desk.sign_in()


async def test_a_provider_that_is_gone_is_told_calmly_and_passwords_still_work(desk: Desk) -> None:
    desk.set_up(issuer="http://127.0.0.1:1")

    status, text = await desk.site.get("/sign-in/oidc")

    assert (status, "provider is out of reach" in text) == (503, True)
    assert await desk.site.sign_in("maker") == 303


async def test_a_secret_that_the_provider_does_not_know_is_our_fault_to_tell(desk: Desk) -> None:
    desk.set_up(client_secret="another")

    assert (await desk.sign_in())[0] == 503
    assert await desk.reasons() == ["sign_in_provider_unusable"]
