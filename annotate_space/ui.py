"""The Annotate Space's page: the card, and a sign-in where one is possible."""

from __future__ import annotations

import logging
import signal
import threading
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import gradio as gr

from annotate_space import handlers
from annotate_space.deck import deck
from annotate_space.handlers import Opening
from pipeline.core.errors import InvalidInput, SeedbedError
from pipeline.core.settings import Settings
from pipeline.web.serve import launch
from pipeline.web.visitor import sign_in_button

_log = logging.getLogger(__name__)

STYLE: Final = Path(__file__).with_name("style.css")

Handler = Callable[[Opening, Mapping[str, Any], str | None], dict[str, Any]]


def build_app(opening: Opening) -> gr.Blocks:
    """Lay out the page; nothing is read until a visitor comes."""
    page = gr.Blocks(title="Annotate · Seedbed", analytics_enabled=False, fill_width=True)
    with page:
        sign_in_button(opening.settings)
        deck(
            [
                _server_function(name, handler, opening)
                for name, handler in (
                    ("hello", handlers.hello),
                    ("more", handlers.more),
                    ("submit", handlers.submit),
                    ("check", handlers.check),
                )
            ]
        )
    return page


def main(settings: Settings) -> None:
    """Serve until told to stop, then commit what is pending."""
    opening = Opening(settings)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    launch(build_app(opening), settings, styles=[STYLE], wait=False)
    stopped.wait()
    try:
        opening.close()
    except SeedbedError as error:
        _log.warning("Feedback stays in the journal until the next start: %s", error)


def _server_function(name: str, handler: Handler, opening: Opening) -> Callable[..., Any]:
    """Make a handler callable from the card: Gradio finds it by name, and fills in the profile."""

    def call(payload: dict[str, Any], profile: gr.OAuthProfile | None) -> dict[str, Any]:
        user = profile.username if profile is not None and opening.settings.on_space else None
        try:
            if not isinstance(payload, dict):
                raise InvalidInput("The message is no object.", "Reload the page.")
            return handler(opening, payload, user)
        except SeedbedError as error:
            return {"error": str(error)}

    call.__name__ = name
    return call
