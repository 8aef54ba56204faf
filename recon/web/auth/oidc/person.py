"""Who of the staff a provider speaks of, by its claims."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from recon.web.auth.oidc.errors import SignInRefused

if TYPE_CHECKING:
    from recon.web.auth.oidc.model import Claims, Client
    from recon.web.roles import Role

__all__ = ["Person", "lacks", "person_of"]

_LONGEST_NAME: Final = 128


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody, as a provider knows them.

    Args:
        issuer: the provider.
        subject: what never changes of them there.
        name: what they are called there, which is a name on the staff.
        role: what the provider says that they may do; ``None`` where it is not asked.
    """

    issuer: str
    subject: str
    name: str
    role: Role | None


def lacks(client: Client, claims: Claims) -> bool:
    """Whether something that we go by is not among the claims."""
    wanted = {client.name_claim} | ({client.roles_claim} if client.roles else set())
    if client.name_claim == "email":
        wanted.add("email_verified")
    return not wanted <= claims.keys()


def person_of(client: Client, claims: Claims) -> Person:
    """Who it is.

    Raises:
        SignInRefused: ``no_name``, ``email_not_verified`` or ``no_role``.
    """
    name = claims.get(client.name_claim)
    if (
        not isinstance(name, str)
        or not 1 <= len(name) <= _LONGEST_NAME
        or not name.isprintable()
        or name != name.strip()
    ):
        raise SignInRefused(
            "The sign-in provider does not say by which name you are on the staff. Tell an"
            " administrator.",
            code="no_name",
            detail=f"the claim {client.name_claim} is missing or no name",
        )
    # Anybody may write anybody's address where nobody checks it.
    if client.name_claim == "email" and claims.get("email_verified") is not True:
        raise SignInRefused(
            "The sign-in provider has not verified your e-mail address. Verify it there, then sign"
            " in once more.",
            code="email_not_verified",
        )
    return Person(client.issuer, claims["sub"], name, _role(client, claims))


def _role(client: Client, claims: Claims) -> Role | None:
    if not client.roles:
        return None
    said = _texts(claims.get(client.roles_claim))
    for value, role in client.roles.items():
        if value in said:
            return role
    raise SignInRefused(
        "The sign-in provider gives you no role here. Ask an administrator if you need one.",
        code="no_role",
    )


def _texts(said: Any) -> list[Any]:  # noqa: ANN401 - any JSON
    return said if isinstance(said, list) else [said]
