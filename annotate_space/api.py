"""The named endpoints for scripts, the same in identity and checks as the screen."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import gradio as gr

from annotate_space import handlers
from annotate_space.handlers import Opening, Reply
from annotate_space.people import HubUser, user_of_token
from pipeline.core.errors import SeedbedError
from pipeline.core.settings import Settings


def add_endpoints(opening: Opening) -> None:
    """Add ``/next_samples``, ``/submit_feedback``, ``/undo_feedback`` and ``/progress``.

    In all of them ``invite`` is an invitation token, empty where access is open or the request
    carries a Hugging Face token.
    """

    def next_samples(invite: str, count: int, request: gr.Request) -> dict[str, Any]:
        """Hand out the next questions: a dict with ``items`` and ``progress``."""
        who, user = _identity(opening.settings, invite, request)
        tab = f"script-{request.session_hash}"[:64]
        return _told(lambda: handlers.next_samples(opening, who, tab, user, count))

    def submit_feedback(
        invite: str, events: list[dict[str, Any]], request: gr.Request
    ) -> dict[str, Any]:
        """Keep answers: each is a dict with the ``ticket`` of its item and the answer."""
        who, user = _identity(opening.settings, invite, request)
        return _told(lambda: handlers.submit_feedback(opening, who, user, events))

    def undo_feedback(invite: str, event_ids: list[str], request: gr.Request) -> dict[str, Any]:
        """Take answers back, by the ids that they were received under."""
        who, user = _identity(opening.settings, invite, request)
        return _told(lambda: handlers.undo_feedback(opening, who, user, event_ids))

    def progress(invite: str, request: gr.Request) -> dict[str, Any]:
        """Tell how far this person is and when answers were last saved."""
        who, user = _identity(opening.settings, invite, request)
        return _told(lambda: handlers.progress(opening, who, user))

    for endpoint in (next_samples, submit_feedback, undo_feedback, progress):
        gr.api(endpoint, api_name=endpoint.__name__, queue=False)


def _told(call: Callable[[], Reply]) -> Reply:
    try:
        return call()
    except SeedbedError as error:
        raise gr.Error(str(error), print_exception=False) from error


def _identity(
    settings: Settings, invite: str, request: gr.Request
) -> tuple[dict[str, Any], HubUser | None]:
    if invite:
        return {"invite": invite}, None
    header = request.headers.get("x-hf-authorization") or request.headers.get("authorization") or ""
    scheme, _, token = header.partition(" ")
    if scheme.lower() == "bearer" and token:
        return {}, user_of_token(token, settings.hub)
    # One client is one person: its session is random and known to nobody else.
    return {"guest": {"name": "script", "key": str(request.session_hash)}}, None
