"""Who is at the screen, and what the store lets them do.

On a Space each visitor acts with their own sign-in, which lives in their request only. On a laptop
the person at the screen is the owner.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import gradio as gr
from gradio import oauth

from pipeline.core.errors import NotSignedIn
from pipeline.core.projects import open_store
from pipeline.core.settings import Settings
from pipeline.core.store import Store


@dataclass(frozen=True, slots=True)
class Visitor:
    """The person behind one request.

    Attributes:
        name: Hugging Face user name, or None when nobody is signed in.
        token: Their own token, None when they have none.
    """

    name: str | None = None
    token: str | None = field(default=None, repr=False)


def sign_in_button(settings: Settings) -> None:
    """Lay out the button to sign in, on a Space that has OAuth switched on (``hf_oauth: true``).

    Elsewhere Gradio's button stands for the account of the machine, and raises where there is none.
    """
    if settings.on_space and oauth.OAUTH_CLIENT_ID:
        gr.LoginButton(size="sm", elem_id="sign-in")


def visitor(
    settings: Settings, profile: gr.OAuthProfile | None, token: gr.OAuthToken | None
) -> Visitor:
    """Tell who sent a request, from what Gradio hands to its handler."""
    if not settings.on_space:
        return Visitor(None, settings.hf_token)
    return Visitor(
        profile.username if profile is not None else None,
        token.token if token is not None else None,
    )


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
