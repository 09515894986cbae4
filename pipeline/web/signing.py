"""The button to sign in with Hugging Face and out again, in the reader's language."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio import oauth
from gradio.utils import get_icon_path

from pipeline.core.settings import Settings
from pipeline.web.words import Words, language_of

_WORDS: Final = Words(Path(__file__).with_name("said"))
_SIGNED_IN: Final = "signed-in"
_GO: Final = (
    "() => { window.parent?.postMessage({ type: 'SET_SCROLLING', enabled: true }, '*');"
    f" const out = document.querySelector('#sign-in').classList.contains('{_SIGNED_IN}');"
    " window.location.assign((out ? '/logout' : '/login/huggingface') + '?_target_url=/'"
    " + window.location.search); }"
)
"""As Gradio's own button does, which compares its English words to tell where to go."""


def sign_in_button(settings: Settings) -> None:
    """Lay out the button, on a Space that has OAuth switched on (``hf_oauth: true``).

    Elsewhere Gradio's sign-in stands for the machine's account, and raises where there is none.
    """
    if not (settings.on_space and oauth.OAUTH_CLIENT_ID):
        return
    gr.LoginButton(visible=False)  # Gradio serves the addresses for signing in where there is one
    button = gr.Button(
        "Hugging Face",
        variant="huggingface",
        size="sm",
        icon=get_icon_path("huggingface-logo.svg"),
        elem_id="sign-in",
    )
    button.click(fn=None, js=_GO, api_visibility="private")
    button.attach_load_event(_told, None)


def _told(request: gr.Request, profile: gr.OAuthProfile | None) -> dict[str, Any]:
    """What the button says to whom."""
    language = language_of(request)
    if profile is None:
        return gr.update(value=_WORDS.say(language, "sign.in"), elem_classes=[])
    text = _WORDS.say(language, "sign.out", name=profile.username)
    return gr.update(value=text, elem_classes=[_SIGNED_IN])
