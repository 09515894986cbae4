"""Who may be asked on whose behalf: credentials, and the address a model is called at."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from ipaddress import ip_address
from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pipeline.core.errors import InvalidInput, NotAllowed, NotSignedIn
from pipeline.core.schema import ModelChoice

ROUTER: Final = "https://router.huggingface.co/v1"
"""Inference Providers speak the same protocol as any OpenAI-compatible server."""

_CHAT: Final = "/chat/completions"
_HOST: Final = re.compile(r"[\w.:-]+")
_PORTS: Final = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """Credentials for one run, on behalf of one person.

    Attributes:
        hf_token: Sent to Inference Providers, never to a ``base_url``.
        api_key: Sent to the ``base_url`` of a model, never to Inference Providers.
        router: Where Inference Providers are reached.
        api_hosts: Where ``api_key`` may be sent besides this machine: ``host``, or ``host:port``
            for that port alone. A ``base_url`` comes from a project, which others may write to,
            so it alone must not decide who gets the key.
    """

    hf_token: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    router: str = ROUTER
    api_hosts: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where one model is asked.

    Attributes:
        model: As the server calls it.
        url: The full address of its chat completions.
        name: The address as a person knows it.
        key: What is sent as bearer token, if anything.
        through_hub: Whether it is Inference Providers.
    """

    model: str
    url: str
    name: str
    key: str | None = field(repr=False)
    through_hub: bool


def find_endpoint(choice: ModelChoice, access: ModelAccess) -> Endpoint:
    """The endpoint of ``choice``, with the one credential that belongs there.

    Raises:
        NotSignedIn: Inference Providers are meant and there is no token, or a credential holds
            characters that no credential has.
        NotAllowed: There is a key, and it may not be sent to this host.
        InvalidInput: The address is not one.
    """
    through_hub = choice.base_url is None
    base = access.router if choice.base_url is None else choice.base_url
    secret = (access.hf_token if through_hub else access.api_key) or None
    if through_hub and secret is None:
        raise NotSignedIn(
            f"{choice.model} is called through Hugging Face Inference Providers, "
            "and nobody is signed in.",
            "Sign in or set HF_TOKEN, or give the address of your own server as base_url.",
        )
    if secret is not None and not (secret.isascii() and secret.isprintable() and " " not in secret):
        raise NotSignedIn(
            f"The {'token' if through_hub else 'key'} for {choice.model} holds characters that "
            "cannot be sent.",
            "Copy it again, without spaces, line breaks or quotation marks.",
        )
    parts = _split(base)
    if secret is not None and not through_hub:
        _require_trust(parts, access.api_hosts)
    url = urlunsplit(parts)
    return Endpoint(choice.model, url, _shown(parts), secret, through_hub)


def host_of(base_url: str) -> str:
    """The host of a model server, with its port if the address names one, as ``api_hosts`` does.

    Raises:
        InvalidInput: The address is not one.
    """
    return _host(_split(base_url))


def _require_trust(parts: SplitResult, trusted: frozenset[str]) -> None:
    """Refuse to send the key to a host that its owner did not name; this machine needs no name."""
    name, host = parts.hostname or "", _host(parts)
    bare = _bracketed(name)
    if _is_loopback(name) or {bare, f"{bare}:{parts.port or _PORTS.get(parts.scheme)}"} & trusted:
        return
    raise NotAllowed(
        f"The project has a model at {host}, which you have not named as a host that may get your "
        "SEEDBED_API_KEY.",
        f"If you trust it, set SEEDBED_API_HOST={host} to send your key there (several with "
        "commas); if not, unset SEEDBED_API_KEY or change base_url in project.json.",
    )


def _host(parts: SplitResult) -> str:
    bare = _bracketed(parts.hostname or "")
    return bare if parts.port is None else f"{bare}:{parts.port}"


def _bracketed(name: str) -> str:
    return f"[{name}]" if ":" in name else name


def _is_loopback(name: str) -> bool:
    try:
        return name == "localhost" or ip_address(name).is_loopback
    except ValueError:
        return False  # a name; whom it leads to is not for us to find out


def _split(base: str) -> SplitResult:
    try:
        parts = urlsplit(base.strip())
        # A host is shown in what a person may paste into a shell, so it holds nothing else.
        named = bool(_HOST.fullmatch(parts.hostname or ""))
        reachable = named and (parts.port is None or parts.port > 0)
    except ValueError:
        reachable = False
    if not reachable:
        raise InvalidInput(
            f"{base!r} is not the address of a model server.",
            "Give one such as http://localhost:8000/v1.",
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidInput(
            f"The address of the model server {parts.hostname} holds a password.",
            "Take it out, because settings are shared, and set SEEDBED_API_KEY instead.",
        )
    path = parts.path.rstrip("/").removesuffix(_CHAT) or "/v1"
    return parts._replace(path=path + _CHAT, fragment="")


def _shown(parts: SplitResult) -> str:
    return urlunsplit((parts.scheme, parts.netloc, parts.path.removesuffix(_CHAT), "", ""))
