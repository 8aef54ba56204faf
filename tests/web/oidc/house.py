"""An OpenID provider on loopback: Authlib's authorization server, which judges every call.

`House` is what stands around it: one client, whoever is at the keyboard, and keys. It is honest
unless a test bends an answer on its way out.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from aiohttp import web
from authlib.oauth2.rfc6749 import AuthorizationServer, ClientMixin, OAuth2Payload, OAuth2Request
from authlib.oauth2.rfc6749.errors import OAuth2Error
from authlib.oauth2.rfc6749.grants import AuthorizationCodeGrant
from authlib.oauth2.rfc6750 import BearerTokenGenerator
from authlib.oauth2.rfc7636 import CodeChallenge
from authlib.oidc.core import AuthorizationCodeMixin, OpenIDCode
from joserfc import jwt
from joserfc.jwk import ECKey, RSAKey

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Awaitable, Callable, Mapping

    Bend = Callable[[dict[str, Any]], Any]

CLIENT_ID = "recon at acme"
CLIENT_SECRET = "a secret: with+signs/in&it"
ADA = {
    "sub": "248289761001",
    "email": "maker",
    "email_verified": True,
    "preferred_username": "ada",
}


@cache
def rsa(kid: str) -> RSAKey:
    """A key of that name, the same through all tests."""
    return RSAKey.generate_key(2048, {"kid": kid, "use": "sig", "alg": "RS256"})


@cache
def ec(kid: str) -> ECKey:
    """The same on a curve."""
    return ECKey.generate_key("P-256", {"kid": kid, "use": "sig"})


class _Payload(OAuth2Payload):  # type: ignore[misc] # Authlib has no types
    def __init__(self, fields: Mapping[str, str]) -> None:
        self._fields = dict(fields)

    @property
    def data(self) -> dict[str, str]:
        return self._fields

    @property
    def datalist(self) -> defaultdict[str, list[str]]:
        lists: defaultdict[str, list[str]] = defaultdict(list)
        for name, value in self._fields.items():
            lists[name].append(value)
        return lists


class _Request(OAuth2Request):  # type: ignore[misc] # Authlib has no types
    def __init__(self, request: web.Request, fields: Mapping[str, str]) -> None:
        super().__init__(request.method, str(request.url), headers=request.headers)
        self.payload = _Payload(fields)

    @property
    def form(self) -> dict[str, str]:
        return dict(self.payload.data)


@dataclass
class _Client(ClientMixin):  # type: ignore[misc] # Authlib has no types
    redirect_uris: list[str]
    methods: tuple[str, ...] = ("client_secret_basic",)

    def get_client_id(self) -> str:
        return CLIENT_ID

    def get_default_redirect_uri(self) -> None:
        return None

    def get_allowed_scope(self, scope: str) -> str:
        return " ".join(one for one in scope.split() if one in {"openid", "email", "profile"})

    def check_redirect_uri(self, redirect_uri: str) -> bool:
        return redirect_uri in self.redirect_uris

    def check_client_secret(self, client_secret: str) -> bool:
        return client_secret == CLIENT_SECRET

    def check_endpoint_auth_method(self, method: str, endpoint: str) -> bool:
        return endpoint != "token" or method in self.methods

    def check_response_type(self, response_type: str) -> bool:
        return response_type == "code"

    def check_grant_type(self, grant_type: str) -> bool:
        return grant_type == "authorization_code"


@dataclass
class _Code(AuthorizationCodeMixin):  # type: ignore[misc] # Authlib has no types
    user: dict[str, Any]
    redirect_uri: str
    scope: str
    nonce: str
    code_challenge: str
    code_challenge_method: str

    def get_redirect_uri(self) -> str:
        return self.redirect_uri

    def get_scope(self) -> str:
        return self.scope

    def get_nonce(self) -> str:
        return self.nonce

    def get_auth_time(self) -> None:
        return None

    def get_acr(self) -> None:
        return None

    def get_amr(self) -> None:
        return None


class _Grant(AuthorizationCodeGrant):  # type: ignore[misc] # Authlib has no types
    TOKEN_ENDPOINT_AUTH_METHODS = ("client_secret_basic", "client_secret_post", "none")

    def save_authorization_code(self, code: str, request: _Request) -> None:
        said = request.payload.data
        self.server.house.codes[code] = _Code(
            request.user,
            said["redirect_uri"],
            request.scope,
            said["nonce"],
            said.get("code_challenge", ""),
            said.get("code_challenge_method", ""),
        )

    def query_authorization_code(self, code: str, client: _Client) -> _Code | None:
        del client
        found: _Code | None = self.server.house.codes.get(code)
        return found

    def delete_authorization_code(self, authorization_code: _Code) -> None:
        codes = self.server.house.codes
        for code in [code for code, one in codes.items() if one is authorization_code]:
            del codes[code]

    def authenticate_user(self, authorization_code: _Code) -> dict[str, Any]:
        return authorization_code.user


class _IdTokens(OpenIDCode):  # type: ignore[misc] # Authlib has no types
    def __init__(self, house: House) -> None:
        super().__init__(require_nonce=True)
        self._house = house

    def exists_nonce(self, nonce: str, request: _Request) -> bool:
        del request
        return any(code.nonce == nonce for code in self._house.codes.values())

    def resolve_client_private_key(self, client: _Client) -> RSAKey | ECKey:
        del client
        return self._house.keys[-1]

    def get_client_algorithm(self, client: _Client) -> str:
        del client
        return self._house.alg

    def get_encode_header(self, client: _Client) -> dict[str, Any]:
        return {"alg": self.get_client_algorithm(client), "kid": self._house.keys[-1].kid}

    def get_client_claims(self, client: _Client) -> dict[str, Any]:
        return {"iss": self._house.issuer, "aud": [client.get_client_id()]}

    def generate_user_info(self, user: dict[str, Any], scope: str) -> dict[str, Any]:
        del scope
        return {name: user[name] for name in user if name not in self._house.only_in_userinfo}


class _Server(AuthorizationServer):  # type: ignore[misc] # Authlib has no types
    def __init__(self, house: House) -> None:
        super().__init__(scopes_supported=["openid", "email", "profile"])
        self.house = house
        self.register_grant(_Grant, [CodeChallenge(required=True), _IdTokens(house)])
        self.register_token_generator("default", BearerTokenGenerator(lambda **_: "at-1"))

    def query_client(self, client_id: str) -> _Client | None:
        return self.house.client if client_id == CLIENT_ID else None

    def save_token(self, token: dict[str, Any], request: _Request) -> None:
        self.house.bearers[token["access_token"]] = request.user

    def send_signal(self, name: str, *_: object, **__: object) -> None:
        pass

    def create_oauth2_request(self, request: _Request) -> _Request:
        return request

    def handle_response(
        self, status: int, body: object, headers: list[tuple[str, str]]
    ) -> tuple[int, object, dict[str, str]]:
        return status, body, dict(headers)


@dataclass
class House:
    """The provider, and what a test may do to it.

    Args:
        origin: where it is.
        who: the claims of whoever is at the keyboard.
        keys: that it knows; the last signs.
        metadata: what its discovery document says otherwise than it is.
        claims: bends the claims of an ID token, which is then signed anew.
        id_token: bends a signed ID token.
        answers: other answers than its own, by path.
    """

    origin: str = ""
    who: dict[str, Any] = field(default_factory=lambda: dict(ADA))
    keys: list[RSAKey | ECKey] = field(default_factory=lambda: [rsa("first")])
    alg: str = "RS256"
    only_in_userinfo: frozenset[str] = frozenset()
    metadata: dict[str, Any] = field(default_factory=dict)
    claims: Bend | None = None
    id_token: Callable[[str], str] | None = None
    answers: dict[str, Callable[[], Awaitable[web.StreamResponse]]] = field(default_factory=dict)
    says_iss: bool = False
    denies: bool = False
    asked: Counter[str] = field(default_factory=Counter)
    codes: dict[str, _Code] = field(default_factory=dict)
    bearers: dict[str, dict[str, Any]] = field(default_factory=dict)
    client: _Client = field(default_factory=lambda: _Client([]))
    seen: list[dict[str, str]] = field(default_factory=list)

    @property
    def issuer(self) -> str:
        """As it calls itself."""
        return self.origin

    def app(self) -> web.Application:
        """What it serves."""
        server = _Server(self)

        async def discovery(_: web.Request) -> web.Response:
            return web.json_response(self._document() | self.metadata)

        async def jwks(_: web.Request) -> web.Response:
            return web.json_response({"keys": [key.as_dict(private=False) for key in self.keys]})

        async def sign_in(request: web.Request) -> web.Response:
            """A page with a button, on which whoever is at the keyboard says that it is them."""
            if request.method == "GET":
                return web.Response(
                    text='<!doctype html><html lang="en"><title>Acme</title>'
                    '<link rel="icon" href="data:,">'
                    '<form method="post"><button>I am Ada</button></form>',
                    content_type="text/html",
                )
            return self._authorized(server, request)

        async def token(request: web.Request) -> web.Response:
            fields = {name: str(value) for name, value in (await request.post()).items()}
            self.seen.append(fields)
            status, body, headers = server.create_token_response(_Request(request, fields))
            if status == 200:
                body["id_token"] = self._bent(body["id_token"])
            return web.json_response(body, status=status, headers=_plain(headers))

        async def userinfo(request: web.Request) -> web.Response:
            bearer = request.headers["Authorization"].removeprefix("Bearer ")
            return web.json_response(self.bearers[bearer])

        @web.middleware
        async def bent(request: web.Request, handler: Any) -> web.StreamResponse:  # noqa: ANN401
            self.asked[request.path] += 1
            other = self.answers.get(request.path)
            answer: web.StreamResponse = await (handler(request) if other is None else other())
            return answer

        app = web.Application(middlewares=[bent])
        app.router.add_get("/.well-known/openid-configuration", discovery)
        app.router.add_get("/jwks", jwks)
        app.router.add_route("*", "/authorize", sign_in)
        app.router.add_post("/token", token)
        app.router.add_get("/userinfo", userinfo)
        return app

    def _document(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.origin}/authorize?tenant=acme",
            "token_endpoint": f"{self.origin}/token",
            "jwks_uri": f"{self.origin}/jwks",
            "userinfo_endpoint": f"{self.origin}/userinfo",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["RS256", "ES256", "HS256", "none"],
            "token_endpoint_auth_methods_supported": list(self.client.methods),
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": self.says_iss,
        }

    def _authorized(self, server: _Server, request: web.Request) -> web.Response:
        asked = _Request(request, request.query)
        try:
            grant = server.get_authorization_grant(asked)
            status, _, headers = server.create_authorization_response(
                asked, grant_user=None if self.denies else dict(self.who), grant=grant
            )
        except OAuth2Error as error:
            return web.Response(status=400, text=str(error))
        if self.says_iss:
            headers["Location"] += f"&iss={self.issuer}"
        return web.Response(status=status, headers=_plain(headers))

    def _bent(self, id_token: str) -> str:
        if self.claims is not None:
            key = self.keys[-1]
            claims = jwt.decode(id_token, key, algorithms=[self.alg]).claims
            bent = self.claims(claims)
            id_token = jwt.encode({"alg": self.alg, "kid": key.kid}, bent, key, [self.alg])
        return id_token if self.id_token is None else self.id_token(id_token)


def _plain(headers: Mapping[str, str]) -> dict[str, str]:
    return {name: value for name, value in headers.items() if name != "Content-Type"}


def silence(event: asyncio.Event) -> Callable[[], Awaitable[web.StreamResponse]]:
    """An answer that does not come before ``event``."""

    async def answer() -> web.StreamResponse:
        await event.wait()
        return web.Response()

    return answer


def saying(**response: Any) -> Callable[[], Awaitable[web.StreamResponse]]:  # noqa: ANN401 - of a response
    """A fixed answer."""

    async def answer() -> web.StreamResponse:
        return web.Response(**response)

    return answer
