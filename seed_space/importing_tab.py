"""The fold in which a visitor brings what they already have."""

from __future__ import annotations

import uuid
from typing import Any

import gradio as gr

from pipeline.core.errors import InvalidInput, SeedbedError
from pipeline.core.sheets import MOST_BYTES
from pipeline.web.visitor import Visitor
from seed_space import handlers, importing, versions
from seed_space.asking import Asked, hears
from seed_space.page import Page
from seed_space.parts import part
from seed_space.session import Session
from seed_space.tabs import Wire
from seed_space.telling import told


def build(page: Page) -> Wire:
    """Lay out the fold; what is returned wires it, once all fields are there."""
    bring = part("bring", None, elem_id="bring", limit=MOST_BYTES)

    def act(asked: Asked, session: Session, *values: object) -> list[Any]:
        drawn: dict[str, Any]
        try:
            drawn, new = _act(page, session, asked.who, asked.detail, values)
        except SeedbedError as error:
            trouble = told(session.language, error)
            drawn, new = {**trouble.for_part(), "again": session.bringing is not None}, None
        drawn["turn"] = uuid.uuid4().hex  # the same answer twice is drawn twice
        if new is None:
            return [drawn, *(gr.skip() for _ in (*page.screen, *page.view))]
        return [drawn, *new, *page.view_values(handlers.look_over(session, new))]

    def wire() -> None:
        bring.submit(
            hears(page.settings, act),
            inputs=[page.session, *page.screen],
            outputs=[bring, *page.screen, *page.view],
            show_progress="hidden",
            api_visibility="private",
        )

    return wire


def _act(
    page: Page, session: Session, who: Visitor, asked: dict[str, Any], values: tuple[object, ...]
) -> tuple[dict[str, Any], list[Any] | None]:
    """What a visitor asked for: how the fold looks now, and the screen if it changed."""
    if asked.get("do") == "file":
        session.bringing = None
        session.bringing = importing.from_upload(asked.get("name"), asked.get("data"))
    elif asked.get("do") == "project":
        session.bringing = None
        session.bringing = importing.from_project(page.settings, who, asked.get("name"))
    elif asked.get("do") == "undo":
        return {"done": {"kind": "undone"}}, versions.put_back(session.past, values)
    elif asked.get("do") == "close":
        session.bringing = None
        return {}, None
    bringing = session.bringing
    if bringing is None:
        raise InvalidInput("What you brought is not here any more.", "Choose the file again.")
    if asked.get("do") in ("roles", "put"):
        brought = importing.with_roles(bringing.brought, asked.get("tables"))
        bringing = session.bringing = importing.Import(bringing.name, brought)
    if asked.get("do") != "put":
        return importing.drawn(bringing, values), None
    modes = asked.get("modes")
    new = importing.put(bringing.brought.take(), values, modes if isinstance(modes, dict) else {})
    if new == list(values):
        return {"done": {"kind": "same"}}, None
    session.past.aside, session.bringing = list(values), None
    return {"done": {"kind": "put", "name": bringing.name}}, new
