"""Who calls is told by trusted proxies, hop by hop from the right; nobody else is believed."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from aiohttp import web
from aiohttp.test_utils import make_mocked_request
from hypothesis import example, given
from hypothesis import strategies as st
from multidict import CIMultiDict

from recon.http.proxies import TrustedProxies, origin_of
from recon.web import Role, add_staff
from tests.http.serving import serving

if TYPE_CHECKING:
    from recon.db import Pool
    from recon.http.proxies import ProxyHeader

EDGE, INNER, SOMEBODY, OTHER = "10.0.0.1", "10.0.0.2", "203.0.113.7", "198.51.100.9"


def asked(peer: str, headers: CIMultiDict[str]) -> web.Request:
    transport = SimpleNamespace(get_extra_info=lambda *_: None)  # no TLS
    app = web.Application()
    request = make_mocked_request("GET", "/", headers=headers, transport=transport, app=app)
    return request.clone(remote=peer, host="recon.example")


def caller(
    peer: str,
    said: dict[str, str],
    header: ProxyHeader = "x-forwarded",
    trusted: tuple[str, ...] = ("10.0.0.0/8",),
) -> tuple[str, bool]:
    """Address, and whether https, of a request that a peer sends with these headers."""
    headers = CIMultiDict({name.replace("_", "-"): text for name, text in said.items()})
    found = TrustedProxies(trusted, header=header).caller(asked(peer, headers))
    return found.address, found.is_https


@pytest.mark.parametrize(
    ("peer", "said", "found"),
    [
        (SOMEBODY, {}, (SOMEBODY, False)),
        (EDGE, {"X_Forwarded_For": SOMEBODY, "X_Forwarded_Proto": "https"}, (SOMEBODY, True)),
        (EDGE, {"X_Forwarded_For": f"{SOMEBODY}:51234"}, (SOMEBODY, False)),
        (EDGE, {"X_Forwarded_For": "[2001:db8::7]:443"}, ("2001:db8::7", False)),
        (EDGE, {"X_Forwarded_For": "2001:db8::7"}, ("2001:db8::7", False)),
        (INNER, {"X_Forwarded_For": f"{SOMEBODY}, {EDGE}"}, (SOMEBODY, False)),
        # Whoever calls past the proxies says what they like.
        (SOMEBODY, {"X_Forwarded_For": OTHER, "X_Forwarded_Proto": "https"}, (SOMEBODY, False)),
        # What a caller wrote before the first trusted proxy added its address.
        (EDGE, {"X_Forwarded_For": f"{OTHER}, {SOMEBODY}"}, (SOMEBODY, False)),
        (INNER, {"X_Forwarded_For": f"{EDGE}, {OTHER}, {SOMEBODY}, {EDGE}"}, (SOMEBODY, False)),
        (
            INNER,
            {"X_Forwarded_For": f"{SOMEBODY}, {EDGE}", "X_Forwarded_Proto": "https, http"},
            (SOMEBODY, True),
        ),
        (
            EDGE,
            {"X_Forwarded_For": f"{OTHER}, {SOMEBODY}", "X_Forwarded_Proto": "https, http"},
            (SOMEBODY, False),
        ),
        # The other header is the caller's own.
        (EDGE, {"X_Forwarded_For": SOMEBODY, "Forwarded": f"for={OTHER}"}, (SOMEBODY, False)),
        # What is no address ends the walk at the last that is known.
        (EDGE, {"X_Forwarded_For": f"{OTHER}, unknown"}, (EDGE, False)),
        (EDGE, {"X_Forwarded_For": ""}, (EDGE, False)),
        (EDGE, {"X_Forwarded_For": "999.1.1.1"}, (EDGE, False)),
        (EDGE, {"X_Forwarded_For": f"[{SOMEBODY}]"}, (EDGE, False)),
        (EDGE, {"X_Forwarded_For": f"{SOMEBODY}:x"}, (EDGE, False)),
        (EDGE, {"X_Forwarded_For": "[2001:db8::7]x"}, (EDGE, False)),
        (EDGE, {"X_Forwarded_For": "fe80::7%1"}, (EDGE, False)),
        (EDGE, {"X_Forwarded_For": f"{SOMEBODY},"}, (EDGE, False)),
        (EDGE, {"X_Forwarded_Proto": "https"}, (EDGE, True)),
        (INNER, {"X_Forwarded_For": EDGE}, (EDGE, False)),
        ("::ffff:10.0.0.1", {"X_Forwarded_For": f"::ffff:{SOMEBODY}"}, (SOMEBODY, False)),
        ("", {"X_Forwarded_For": SOMEBODY}, ("unknown", False)),
    ],
)
def test_the_first_that_is_not_trusted_is_the_caller(
    peer: str, said: dict[str, str], found: tuple[str, bool]
) -> None:
    assert caller(peer, said) == found


@pytest.mark.parametrize(
    ("said", "found"),
    [
        ({"Forwarded": f'for={SOMEBODY};proto=https;by="_x"'}, (SOMEBODY, True)),
        ({"Forwarded": 'for="[2001:db8::7]:443";proto=HTTPS'}, ("2001:db8::7", True)),
        ({"Forwarded": f"for={OTHER}, for={SOMEBODY};proto=http"}, (SOMEBODY, False)),
        ({"Forwarded": f"for={SOMEBODY};proto=https, for={INNER};proto=http"}, (SOMEBODY, True)),
        ({"Forwarded": f"for={SOMEBODY}", "X_Forwarded_For": OTHER}, (SOMEBODY, False)),
        # RFC 7239, section 4: quoted pairs, spaces around commas, names in any case, parameters
        # of others, an IPv6 address in brackets and quotes; a port may be a made-up name.
        ({"Forwarded": r'FOR="203.0.113.\7";Proto="http\s"'}, (SOMEBODY, True)),
        ({"Forwarded": f'for={OTHER} ,\tfor="{SOMEBODY}:_p";x="a,b;for=\\"";'}, (SOMEBODY, False)),
        ({"Forwarded": f'for="[::ffff:{SOMEBODY}]"'}, (SOMEBODY, False)),
        # No address, or not by the grammar: the walk ends at who said so.
        ({"Forwarded": "for=_hidden"}, (EDGE, False)),
        ({"Forwarded": "for=unknown;proto=https"}, (EDGE, True)),
        ({"Forwarded": 'for="' + SOMEBODY}, (EDGE, False)),
        ({"Forwarded": f"for={SOMEBODY}:443"}, (EDGE, False)),
        ({"Forwarded": 'for="2001:db8::7"'}, (EDGE, False)),
        ({"Forwarded": "for=[2001:db8::7]"}, (EDGE, False)),
        ({"Forwarded": 'for="[2001:db8::7%1]"'}, (EDGE, False)),
        ({"Forwarded": 'for="[2001:db8::7]x"'}, (EDGE, False)),
        ({"Forwarded": f"for={SOMEBODY};for={OTHER}"}, (EDGE, False)),
        ({"Forwarded": f"for={SOMEBODY} ;proto=https"}, (EDGE, False)),
        ({"Forwarded": f"for={SOMEBODY}, "}, (EDGE, False)),
        ({"Forwarded": "for=1.2.3"}, (EDGE, False)),
        ({"X_Forwarded_For": SOMEBODY}, (EDGE, False)),
    ],
)
def test_forwarded_is_read_where_it_is_what_proxies_write(
    said: dict[str, str], found: tuple[str, bool]
) -> None:
    assert caller(EDGE, said, "forwarded") == found


# What somebody may write in a header who knows how it is read: quotes, commas, elements of their
# own, halves of them, and anything else that fits into a line.
CRAFTED = st.lists(
    st.sampled_from(
        [
            *('"', "\\", ",", ";", "=", " ", "for=", "proto=https", "[", "]", ":", "x"),
            *(OTHER, f"for={OTHER}", f'for="{OTHER}', f',for={EDGE};x="', EDGE, "2001:db8::7"),
        ]
    ),
    max_size=12,
).map("".join)
LINE = CRAFTED | st.text(st.characters(exclude_characters="\r\n\0"), max_size=60)


WRITTEN_BY_PROXIES: list[tuple[ProxyHeader, str, str, str]] = [
    (
        *("forwarded", "Forwarded"),
        *(f'for="{SOMEBODY}:443";by="_\\"a,b";proto=http', f'for="{EDGE}";host="a"'),
    ),
    ("x-forwarded", "X-Forwarded-For", SOMEBODY, f"{EDGE}:51234"),
]


@given(written=st.lists(LINE, max_size=4), same_line=st.booleans(), two_hops=st.booleans())
@example(written=['for="'], same_line=True, two_hops=False)
@example(written=['for="'], same_line=False, two_hops=True)
@example(written=["x\\"], same_line=True, two_hops=True)
@example(written=[f'for={OTHER};by="'], same_line=True, two_hops=True)
def test_nothing_that_a_caller_writes_changes_whose_address_is_taken(
    *, written: list[str], same_line: bool, two_hops: bool
) -> None:
    """Whether the proxies go on with the caller's header or write one below it."""
    for header, name, by_edge, by_inner in WRITTEN_BY_PROXIES:
        lines = [*written]
        for added in (by_edge, by_inner) if two_hops else (by_edge,):
            if same_line and lines:
                lines[-1] += f", {added}"
            else:
                lines.append(added)
        said = CIMultiDict((name, line) for line in lines)
        trusted = TrustedProxies(("10.0.0.0/8",), header=header)

        found = trusted.caller(asked(INNER if two_hops else EDGE, said))

        assert (found.address, found.is_https) == (SOMEBODY, False)


def test_without_a_trusted_proxy_nobodys_word_is_taken() -> None:
    said = {"X_Forwarded_For": SOMEBODY, "X_Forwarded_Proto": "https"}

    assert caller("127.0.0.1", said, trusted=()) == ("127.0.0.1", False)


@pytest.mark.parametrize(
    ("address", "counted_as"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2::1", "2001:db8:1:2::/64"),
        ("2001:db8:1:3::1", "2001:db8:1:3::/64"),
    ],
)
def test_the_addresses_of_one_ipv6_customer_are_counted_as_one(
    address: str, counted_as: str
) -> None:
    request = asked(address, CIMultiDict())

    assert TrustedProxies().caller(request).counted_as == counted_as


def test_links_lead_to_where_the_caller_is() -> None:
    told = CIMultiDict({"X-Forwarded-Proto": "https", "X-Forwarded-Host": "evil.example"})

    assert origin_of(asked("127.0.0.1", told)) == "https://recon.example"
    assert origin_of(asked(SOMEBODY, told)) == "http://recon.example"


async def test_the_proxys_word_rules_throttling_audit_and_cookies(
    database_url: str, pool: Pool
) -> None:
    """Guesses through one proxy: each caller behind it is slowed down by itself."""
    await add_staff(
        pool, name="ada", role=Role.ADMIN, password="correct horse battery", actor="cli"
    )
    form = {"name": "ada", "password": "wrong"}
    origin = {"Sec-Fetch-Site": "same-origin", "X-Forwarded-Proto": "https"}
    async with serving(database_url) as behind:

        async def sign_in(address: str, **fields: str) -> tuple[int, str]:
            async with behind.session.post(
                f"{behind.url}/sign-in",
                data=form | fields,
                headers=origin | {"X-Forwarded-For": address},
                allow_redirects=False,
            ) as answer:
                return answer.status, answer.headers.getall("Set-Cookie", [""])[0]

        guesses = [(await sign_in(f"{OTHER}, {SOMEBODY}"))[0] for _ in range(6)]
        spoofed, _ = await sign_in(f"192.0.2.1, {SOMEBODY}")
        customer = [(await sign_in(f"2001:db8:1:2::{n}", name="eve"))[0] for n in range(6)]
        status, cookie = await sign_in("192.0.2.1", password="correct horse battery")
    audited = await pool.fetch("SELECT * FROM audit ORDER BY audit_id")

    assert guesses == [401, 401, 401, 401, 401, 429]
    assert spoofed == 429
    assert customer == [401, 401, 401, 401, 401, 429]
    assert status == 303
    assert cookie.startswith("__Host-recon=")
    assert "Secure" in cookie
    where = " ".join(str(dict(row)) for row in audited if "sign" in row["action"])
    assert "192.0.2.1" in where
    assert "127.0.0.1" not in where
    async with (
        serving(database_url, trusted_proxies=()) as open_door,
        open_door.session.post(
            f"{open_door.url}/sign-in",
            data=form,
            headers={"Host": "recon.example", **origin, "X-Forwarded-For": "192.0.2.2"},
        ) as answer,
    ):
        assert answer.status == 403
        assert "RECON_TRUSTED_PROXIES" in await answer.text()
