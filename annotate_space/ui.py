"""The Annotate Space's page: the card, the lead's view, and a sign-in where one is possible."""

from __future__ import annotations

import inspect
import logging
import signal
import sys
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_type_hints

import gradio as gr
from fastapi.responses import JSONResponse

from annotate_space import adjudicating, handlers, insights, lead_handlers, own, searching
from annotate_space.api import add_endpoints
from annotate_space.deck import deck
from annotate_space.handlers import Caller, Opening, Payload, Reply
from annotate_space.lead_view import lead_view
from annotate_space.own_page import own_page
from annotate_space.people import HubUser, user_of_profile
from annotate_space.words import translations
from pipeline.core.errors import SeedbedError
from pipeline.core.settings import Settings
from pipeline.web.address import address_of
from pipeline.web.serve import launch, settle
from pipeline.web.signing import sign_in_button

_log = logging.getLogger(__name__)

STYLE: Final = Path(__file__).with_name("style.css")
_SWITCH_SECONDS: Final = 0.0005
_MOST_BYTES: Final = 32_000_000
"""In a request: the most events at once, each as long as it may be, are about as much."""

Handler = Callable[[Opening, Payload, Caller], Reply]


def build_app(opening: Opening) -> gr.Blocks:
    """Lay out the page; nothing is read until a visitor comes."""
    page = gr.Blocks(title="Annotate · Seedbed", analytics_enabled=False, fill_width=True)
    with page:
        sign_in_button(opening.settings)
        deck(
            _server_functions(
                opening,
                hello=handlers.hello,
                next=handlers.next_,
                submit=handlers.submit,
                check=handlers.check,
                passage=handlers.passage,
                control=lead_handlers.control,
            )
        )
        own_page(
            _server_functions(opening, history=own.history, answer=own.answer, check=handlers.check)
        )
        lead_view(
            _server_functions(
                opening,
                overview=lead_handlers.overview,
                figures=insights.figures,
                disputes=adjudicating.disputes,
                settle=adjudicating.settle,
                settled=adjudicating.settled,
                reopen=adjudicating.reopen,
                rests_on=adjudicating.rests_on,
                search=searching.search,
                sample=searching.sample,
                mark=searching.mark,
                unmark=searching.unmark,
                invite=lead_handlers.invite,
                revoke=lead_handlers.revoke,
                extend=lead_handlers.extend,
                configure=lead_handlers.configure,
            )
        )
        add_endpoints(opening)
    return page


def main(settings: Settings) -> None:
    """Serve until told to stop, then commit what is pending."""
    # A vote shall not wait five milliseconds for each of the threads that render cards.
    sys.setswitchinterval(_SWITCH_SECONDS)
    opening = Opening(settings)
    stopped = threading.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: stopped.set())
    launch(
        build_app(opening),
        settings,
        styles=[STYLE],
        translations=translations(),
        max_body=_MOST_BYTES,
        wait=False,
    )
    threading.Thread(target=_open_early, args=(opening,), daemon=True).start()
    stopped.wait()
    try:
        opening.close()
    except SeedbedError as error:
        _log.warning("Feedback stays in the journal until the next start: %s", error)


def _open_early(opening: Opening) -> None:
    """Read the project before somebody waits for it."""
    try:
        opening.service()
    except SeedbedError as error:
        _log.warning("Not ready yet, tried again when somebody comes: %s", error)
    settle()


def _server_functions(opening: Opening, **named: Handler) -> list[Callable[..., Any]]:
    return [_server_function(name, handler, opening) for name, handler in named.items()]


def _server_function(name: str, handler: Handler, opening: Opening) -> Callable[..., Any]:
    """Make a handler callable from a component: Gradio finds it by name, and adds the sign-in."""
    on_space = opening.settings.on_space  # elsewhere everybody is the machine's own account

    def call(
        payload: dict[str, Any],
        request: gr.Request,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
    ) -> JSONResponse:
        if not isinstance(payload, dict):
            payload = {}
        try:
            user = _user(profile, token) if on_space else None
            reply = handler(opening, payload, Caller(user, address_of(request)))
        except SeedbedError as error:
            reply = handlers.failure(error, payload)
        # Made here, or each value in it would be looked at before it is written.
        return JSONResponse(reply)

    call.__name__ = name
    # Gradio looks at both at each call, and evaluating annotations that are text takes long.
    call.__annotations__ = get_type_hints(call)
    call.__signature__ = inspect.signature(call)  # type: ignore[attr-defined]
    return call


def _user(profile: gr.OAuthProfile | None, token: gr.OAuthToken | None) -> HubUser | None:
    if profile is None:
        return None
    return user_of_profile(profile, token.token if token is not None else None)
