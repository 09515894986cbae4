"""Who may do what: users, their organisations, their tokens."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Literal

Role = Literal["write", "read", "fineGrained"]


@dataclass(frozen=True, slots=True)
class Caller:
    """The user behind a token, with that token's role.

    A fine-grained token counts as one with every permission on its user's own namespaces; one of a
    sign-in may do what its scopes say.
    """

    name: str
    orgs: frozenset[str]
    role: Role
    org_role: str | None = "write"
    scopes: frozenset[str] | None = None

    def belongs_to(self, namespace: str) -> bool:
        """Whether the namespace is the user's own or one of their organisations."""
        return namespace == self.name or namespace in self.orgs

    @property
    def can_write(self) -> bool:
        """Whether the token can write anywhere at all."""
        writing = {"write-repos", "contribute-repos", "manage-repos"}
        return self.role != "read" and (self.scopes is None or bool(self.scopes & writing))


@dataclass(slots=True)
class Accounts:
    """All users and tokens."""

    orgs: dict[str, frozenset[str]] = field(default_factory=dict)
    org_roles: dict[str, str | None] = field(default_factory=dict)
    callers: dict[str, Caller] = field(default_factory=dict)

    def add_user(self, name: str, orgs: Iterable[str], org_role: str | None = "write") -> None:
        """Register a user; a second time replaces the organisations of later tokens."""
        self.orgs[name] = frozenset(orgs)
        self.org_roles[name] = org_role

    def add_token(
        self, name: str, role: Role, token: str | None, scopes: frozenset[str] | None = None
    ) -> str:
        """Give a registered user one more token."""
        if name not in self.orgs:
            raise KeyError(f"no user {name!r}: call add_user first")
        token = token or f"hf_{secrets.token_hex(17)}"
        self.callers[token] = Caller(name, self.orgs[name], role, self.org_roles[name], scopes)
        return token
