"""The step that shows what would change, saves, and shows what was saved before."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from pipeline.core.errors import SeedbedError
from pipeline.web.visitor import Visitor
from seed_space import handlers, paying, standing, versions, versions_pieces
from seed_space.asking import Asked, asks, hears
from seed_space.page import Page
from seed_space.parts import part
from seed_space.session import Session, open_for
from seed_space.tabs import Wire, panel
from seed_space.telling import told
from seed_space.words import label, say

_SAVE: Final = "publish.save"
_CHOOSING: Final = "publish.save_chosen"


def build(page: Page) -> Wire:
    """Lay out the step; what is returned wires it, once all fields are there."""
    with panel("publish", "publish.title", "publish.lead"):
        page.summary = gr.HTML("", elem_id="publish-summary")
        access = gr.HTML("", elem_id="publish-access")
        result = part("news", "", elem_id="publish-result")
        conflict = part("conflict", [], elem_id="publish-conflict")
        with gr.Row(elem_classes="sb-actions"):
            page.save = gr.Button(label(_SAVE), variant="primary", elem_id="publish-save")
        past = part("history", None, elem_id="publish-history")

    def save(asked: Asked, session: Session, chosen: object, *values: object) -> list[Any]:
        saving = handlers.save(page.settings, session, asked.who, values, chosen)
        view = handlers.look_over(session, saving.values or list(values))
        *shown, button = page.view_values(view)
        words = say(session.language, _CHOOSING if saving.rows else _SAVE)
        return [
            saving.result,
            saving.rows,
            saving.keeper or gr.skip(),
            *(saving.values or (gr.skip() for _ in page.fields)),
            *shown,
            {**button, "value": words},
        ]

    def look(asked: Asked, session: Session, *values: object) -> list[Any]:
        who = asked.who
        now = paying.standing(page.settings, who, session.generation)
        session.saving = now.saving
        told = standing.cannot_save(now, page.settings, who)
        view = page.view_values(handlers.look_over(session, values))
        return [_history(page, session, who), told, *view]

    def act(asked: Asked, session: Session, *values: object) -> list[Any]:
        shown, new = _act(page, session, asked, values)
        if new is None:
            return [shown, *(gr.skip() for _ in (*page.screen, *page.view))]
        return [shown, *new, *page.view_values(handlers.look_over(session, new))]

    def wire() -> None:
        quietly: dict[str, Any] = {"show_progress": "hidden", "api_visibility": "private"}
        saved = page.save.click(
            asks(page.settings, save),
            inputs=[page.session, conflict, *page.screen],
            outputs=[result, conflict, page.keeper, *page.screen, *page.view],
            **quietly,
        )
        for happens in (past.expand, saved.then):  # the step is opened; there is a new version
            happens(
                asks(page.settings, look),
                inputs=[page.session, *page.screen],
                outputs=[past, access, *page.view],
                **quietly,
            )
        past.submit(
            hears(page.settings, act),
            inputs=[page.session, *page.screen],
            outputs=[past, *page.screen, *page.view],
            **quietly,
        )
        standing.follow(page, saved)

    return wire


def _history(page: Page, session: Session, who: Visitor) -> dict[str, Any]:
    """The newest lines of the history as its part draws them."""
    try:
        versions.look(page.store or open_for(page.settings, who), session.past)
    except SeedbedError as error:
        return versions_pieces.shown(session.past, **told(session.language, error).for_part())
    return versions_pieces.shown(session.past)


def _act(
    page: Page, session: Session, asked: Asked, values: tuple[object, ...]
) -> tuple[dict[str, Any], list[Any] | None]:
    """What a visitor asked of the history: how it is drawn now, and the screen if it changed."""
    past, base = session.past, session.saved.seed
    does, name = asked.detail.get("do"), str(asked.detail.get("name"))
    other = str(asked.detail.get("other"))
    try:
        if does == "undo":
            return versions_pieces.shown(past, note={"kind": "undone"}), versions.put_back(
                past, values
            )
        store = page.store or open_for(page.settings, asked.who)
        if does == "restore":
            new, version = versions.restore(store, base, past, values, name)
            return versions_pieces.shown(
                past, note={"kind": "restored", "at": version.saved_at}
            ), new
        if does == "compare":
            old, new_seed = versions.pair(store, base, values, name, other, session.language)
            text = versions_pieces.comparison(session.language, old, new_seed)
            chosen = {"name": name, "other": other, "html": text}
            return versions_pieces.shown(past, comparison=chosen), None
        versions.look_further(store, past)
    except SeedbedError as error:
        return versions_pieces.shown(
            past, **told(session.language, error).for_part(), at=name
        ), None
    return versions_pieces.shown(past), None
