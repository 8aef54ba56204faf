"""Money, cursors, times, forwarded addresses: any text is read as what it means, or refused."""

from __future__ import annotations

import base64
from contextlib import suppress
from fractions import Fraction
from types import SimpleNamespace

from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from recon.clock import parse_duration, parse_time
from recon.errors import Invalid
from recon.http.paging import Cursor
from recon.http.proxies import TrustedProxies
from recon.money import MAX_MINOR, exponents, format_minor, parse_minor
from tests.fuzzing import fuzz

CURRENCIES = sorted(exponents())
DIGITISH = st.text("0123456789.-+eE, _\u0661\u00b2xXnNaA", max_size=50)
ASCII = st.text(st.characters(min_codepoint=33, max_codepoint=126), max_size=200)


@fuzz(1_000)
@given(text=DIGITISH | st.text(max_size=60), currency=st.sampled_from(CURRENCIES))
@example(text="9" * 5_000, currency="GBP")
@example(text="1." + "0" * 5_000, currency="GBP")
@example(text="\u0662\u0660.\u0660\u0660", currency="GBP")
@example(text="1e3", currency="GBP")
@example(text="-0", currency="JPY")
@example(text="NaN", currency="GBP")
@example(text="12.50\n", currency="GBP")
def test_an_amount_is_exactly_what_it_says_or_none(text: str, currency: str) -> None:
    try:
        minor = parse_minor(text, currency)
    except Invalid:
        return

    assert abs(minor) <= MAX_MINOR
    assert Fraction(text) == Fraction(minor, 10 ** exponents()[currency])
    assert parse_minor(format_minor(minor, currency), currency) == minor


@fuzz(500)
@given(minor=st.integers(-MAX_MINOR, MAX_MINOR), currency=st.sampled_from(CURRENCIES))
def test_every_amount_can_be_written_and_is_read_as_itself(minor: int, currency: str) -> None:
    assert parse_minor(format_minor(minor, currency), currency) == minor


def _sealed(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).decode()


@fuzz(500)
@given(cursor=ASCII | st.binary(max_size=100).map(_sealed))
@example(cursor=Cursor.seal("9" * 5_000))
@example(cursor="=")
def test_a_cursor_is_one_of_ours_or_refused(cursor: str) -> None:
    request = make_mocked_request("GET", "/").clone(
        rel_url=make_mocked_request("GET", "/").rel_url.with_query(cursor=cursor)
    )
    with suppress(Invalid):
        after = Cursor.of(request).after
        assert after is not None
        assert len(after) < len(cursor) + 1
        after.encode()
        _ = Cursor.of(request).after_id


@fuzz(500)
@given(text=st.text(max_size=60) | st.text("0123456789-:TZ+. smhd", max_size=40))
@example(text="0001-01-01T00:00:00+23:59")
@example(text="9" * 5_000 + "d")
def test_a_time_and_a_span_are_read_or_refused(text: str) -> None:
    with suppress(Invalid):
        assert parse_time(text).tzinfo is not None
    with suppress(ValueError):
        assert parse_duration(text).total_seconds() >= 0


@fuzz(500)
@given(
    forwarded=ASCII | st.lists(st.ip_addresses().map(str), max_size=40).map(",".join),
    scheme=ASCII,
    header=st.sampled_from(["x-forwarded", "forwarded"]),
    trusted=st.sampled_from([(), ("0.0.0.0/0", "::/0"), ("10.0.0.0/8",)]),
)
def test_whatever_a_header_says_the_caller_has_an_address(
    forwarded: str, scheme: str, header: str, trusted: tuple[str, ...]
) -> None:
    said = {"X-Forwarded-For": forwarded, "X-Forwarded-Proto": scheme, "Forwarded": forwarded}
    transport = SimpleNamespace(get_extra_info=lambda *_: None)  # no TLS
    request = make_mocked_request(
        "GET", "/", headers=CIMultiDict(said), transport=transport, app=web.Application()
    ).clone(remote="10.0.0.1")

    found = TrustedProxies(trusted, header=header).caller(request)  # type: ignore[arg-type] # one of the two

    assert found.address == "10.0.0.1" or trusted
    assert 0 < len(found.counted_as) < 64
