"""The named endpoints for scripts, the same in identity and checks as the screen."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import Any

import gradio as gr
from gradio.events import api

from annotate_space import handlers
from annotate_space.handlers import Caller, Opening, Reply
from annotate_space.people import HubUser, Tokens, token_in
from pipeline.core.errors import InvalidInput, NotSignedIn, SeedbedError
from pipeline.web.address import address_of


def add_endpoints(opening: Opening) -> None:
    """Add ``/next_samples``, ``/submit_feedback``, ``/undo_feedback`` and ``/progress``.

    In all of them ``invite`` is an invitation token, empty where access is open or the request
    carries a Hugging Face token.
    """
    tokens = Tokens(opening.settings.hub)

    def answer(
        invite: str, request: gr.Request, handler: Callable[..., Reply], *given: object
    ) -> Reply:
        try:
            who, user = _identity(tokens, invite, request)
            return handler(opening, who, Caller(user, address_of(request)), *given)
        except SeedbedError as error:
            raise gr.Error(str(error), print_exception=False) from error

    def next_samples(invite: str, count: int, request: gr.Request) -> dict[str, Any]:
        """Hand out the next questions: a dict with ``items`` and ``progress``."""
        tab = f"script-{request.session_hash}"[:64]
        return answer(invite, request, handlers.next_samples, tab, count)

    def submit_feedback(
        invite: str, events: list[dict[str, Any]], request: gr.Request
    ) -> dict[str, Any]:
        """Keep answers: each is a dict with the ``ticket`` of its item and the answer."""
        return answer(invite, request, handlers.submit_feedback, events)

    def undo_feedback(invite: str, event_ids: list[str], request: gr.Request) -> dict[str, Any]:
        """Take answers back, by the ids that they were received under."""
        return answer(invite, request, handlers.undo_feedback, event_ids)

    def progress(invite: str, request: gr.Request) -> dict[str, Any]:
        """Tell how far this person is and when answers were last saved."""
        return answer(invite, request, handlers.progress)

    for endpoint in (next_samples, submit_feedback, undo_feedback, progress):
        api(endpoint, api_name=endpoint.__name__, queue=False)


def _identity(
    tokens: Tokens, invite: str, request: gr.Request
) -> tuple[dict[str, Any], HubUser | None]:
    if invite:
        return {"invite": invite}, None
    if token := token_in(request.headers):
        user = tokens.user(token)
        if user is None:
            raise NotSignedIn("The Hub does not accept this token.", "Sign in with another one.")
        return {}, user
    if not request.session_hash:
        raise InvalidInput(
            "This request does not say who sends it.",
            "Use gradio_client, or send a session_hash of your own, long and random.",
        )
    # One client is one person: its session is random and known to nobody else.
    key = hashlib.md5(str(request.session_hash).encode(), usedforsecurity=False).hexdigest()
    return {"guest": {"name": "script", "key": key}}, None
