"""The step where documents are added that samples rest on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.utils import get_upload_folder

from pipeline.web.visitor import Visitor, visitor
from seed_space import documents, handlers
from seed_space.documents import LIMITS, Reply
from seed_space.page import Page
from seed_space.parts import part
from seed_space.session import Session
from seed_space.tabs import Wire, example, panel

Act = Callable[[Visitor, dict[str, Any]], Reply]


def build(page: Page) -> Wire:
    """Lay out the step; what is returned wires it, once all fields are there."""
    with panel("documents", "documents.title", "documents.lead"):
        shelf = part(
            "documents",
            None,
            elem_id="documents-shelf",
            limits=LIMITS,
            server_functions=_server_functions(page),
        )
        example("documents.example")

    def look_over(
        session: Session,
        request: gr.Request,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
        *values: object,
    ) -> list[Any]:
        who = visitor(page.settings, profile, token, request)
        handlers.read_documents(page.settings, page.store, session, who)
        return page.view_values(handlers.look_over(session, values))

    def wire() -> None:
        shelf.input(
            look_over,
            inputs=[page.session, *page.screen],
            outputs=page.view,
            trigger_mode="always_last",
            show_progress="hidden",
            api_visibility="private",
        )

    return wire


def _server_functions(page: Page) -> list[Callable[..., Any]]:
    settings, store = page.settings, page.store
    acts: dict[str, Act] = {
        "listed": lambda who, _: documents.listed(settings, store, who),
        "add": lambda who, asked: documents.add(
            settings, who, asked.get("files"), Path(get_upload_folder())
        ),
        "opened": lambda who, asked: documents.opened(
            settings, store, who, asked.get("name"), asked.get("at")
        ),
        "removed": lambda who, asked: documents.removed(settings, who, asked.get("name")),
        "restored": lambda who, asked: documents.restored(settings, who, asked.get("name")),
    }
    return [_server_function(page, name, act) for name, act in acts.items()]


def _server_function(page: Page, name: str, act: Act) -> Callable[..., Any]:
    """Make something callable from the part: Gradio finds it by name, and adds the sign-in."""

    def call(
        asked: dict[str, Any],
        request: gr.Request,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
    ) -> Reply:
        return act(
            visitor(page.settings, profile, token, request),
            asked if isinstance(asked, dict) else {},
        )

    call.__name__ = name
    return call
