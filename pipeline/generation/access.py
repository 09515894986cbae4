"""Who may be asked on whose behalf: credentials, and the address a model is called at."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pipeline.core.errors import InvalidInput, NotSignedIn
from pipeline.core.schema import ModelChoice

ROUTER: Final = "https://router.huggingface.co/v1"
"""Inference Providers speak the same protocol as any OpenAI-compatible server."""

_CHAT: Final = "/chat/completions"


@dataclass(frozen=True, slots=True)
class ModelAccess:
    """Credentials for one run, on behalf of one person.

    Attributes:
        hf_token: Sent to Inference Providers, never to a ``base_url``.
        api_key: Sent to the ``base_url`` of a model, never to Inference Providers.
        router: Where Inference Providers are reached.
    """

    hf_token: str | None = field(default=None, repr=False)
    api_key: str | None = field(default=None, repr=False)
    router: str = ROUTER


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
    url = urlunsplit(parts)
    return Endpoint(choice.model, url, _shown(parts), secret, through_hub)


def _split(base: str) -> SplitResult:
    try:
        parts = urlsplit(base.strip())
        reachable = bool(parts.hostname) and (parts.port is None or parts.port > 0)
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
