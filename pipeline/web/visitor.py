"""Who is at the screen, and what the store lets them do.

On a Space each visitor acts with their own sign-in, which lives in their request only. On a laptop
the person at the screen is the owner.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import gradio as gr

from pipeline.core.errors import NotSignedIn
from pipeline.core.projects import open_store
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.web.address import address_of
from pipeline.web.words import language_of


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person behind one request.

    Attributes:
        name: Hugging Face user name, or None when nobody is signed in.
        token: Their own token, None when they have none.
        scopes: What that token was granted, None when that is not told (a token of one's own).
        address: The machine that the request comes from.
        language: Of their browser, one of ``pipeline.web.words.LANGUAGES``.
    """

    name: str | None = None
    token: str | None = field(default=None, repr=False)
    scopes: frozenset[str] | None = None
    address: str | None = None
    language: str = "en"

    def may(self, scope: str) -> bool:
        """Tell whether their token was granted ``scope``, as far as that is told."""
        return self.token is not None and (self.scopes is None or scope in self.scopes)


def visitor(
    settings: Settings,
    profile: gr.OAuthProfile | None,
    token: gr.OAuthToken | None,
    request: gr.Request | None,
) -> Visitor:
    """Tell who sent a request, from what Gradio hands to its handler."""
    address, language = address_of(request), language_of(request)
    if not settings.on_space:
        return Visitor(None, settings.hf_token, None, address, language)
    if profile is None or token is None:
        return Visitor(address=address, language=language)
    granted = frozenset(str(token.scope or "").replace(",", " ").split())
    return Visitor(profile.username, token.token, granted or None, address, language)


def reading_store(settings: Settings) -> Store:
    """The project as the Space itself sees it."""
    return open_store(settings)


def writing_store(settings: Settings, who: Visitor) -> Store:
    """The project as ``who`` may change it; never with the Space owner's token.

    Raises:
        NotSignedIn: Nobody is signed in on a Space.
    """
    if settings.on_space and who.token is None:
        raise NotSignedIn(
            "You are not signed in, so nothing can be saved yet.",
            "Press “Sign in with Hugging Face”; what you typed stays on the screen.",
        )
    return open_store(settings, token=who.token)
