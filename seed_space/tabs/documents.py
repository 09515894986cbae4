"""The step where documents are added that samples rest on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from gradio.utils import get_upload_folder

from seed_space import documents, handlers
from seed_space.asking import Asked, Handler, asks, serves
from seed_space.documents import LIMITS, Reply
from seed_space.page import Page
from seed_space.parts import part
from seed_space.session import Session
from seed_space.tabs import Wire, example, panel


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

    def look_over(asked: Asked, session: Session, *values: object) -> list[Any]:
        handlers.read_documents(page.settings, page.store, session, asked.who)
        return page.view_values(handlers.look_over(session, values))

    def wire() -> None:
        shelf.input(
            asks(page.settings, look_over),
            inputs=[page.session, *page.screen],
            outputs=page.view,
            trigger_mode="always_last",
            show_progress="hidden",
            api_visibility="private",
        )

    return wire


def _server_functions(page: Page) -> list[Handler]:
    settings, store = page.settings, page.store

    def add(asked: Asked) -> Reply:
        uploads = Path(get_upload_folder())
        return documents.add(settings, asked.who, asked.detail.get("files"), uploads)

    def opened(asked: Asked) -> Reply:
        name, at = asked.detail.get("name"), asked.detail.get("at")
        return documents.opened(settings, store, asked.who, name, at)

    acts: dict[str, Callable[[Asked], Reply]] = {
        "listed": lambda asked: documents.listed(settings, store, asked.who),
        "add": add,
        "opened": opened,
        "removed": lambda asked: documents.removed(settings, asked.who, asked.detail.get("name")),
        "restored": lambda asked: documents.restored(settings, asked.who, asked.detail.get("name")),
    }
    return [serves(settings, name, act) for name, act in acts.items()]
