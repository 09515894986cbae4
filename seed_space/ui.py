"""The Seed Space's page: its steps, and what happens when it opens and when something changes."""

from __future__ import annotations

from pathlib import Path
from threading import Thread
from typing import Any, Final

import gradio as gr

from pipeline.core.errors import SeedbedError
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.web.serve import launch, settle
from pipeline.web.signing import sign_in_button
from seed_space import handlers, standing
from seed_space.asking import Asked, asks, hears
from seed_space.page import Page
from seed_space.parts import part, text
from seed_space.screen import FIELDS, warm_up
from seed_space.session import Session
from seed_space.tabs import (
    STEPS,
    Wire,
    coverage,
    documents,
    domain,
    domains,
    examples,
    expert,
    lists,
    preview,
    publish,
)
from seed_space.telling import failure
from seed_space.words import WORDS

STYLE: Final = Path(__file__).with_name("style.css")


def build_app(settings: Settings, store: Store | None = None) -> gr.Blocks:
    """Lay out and wire the page; nothing is read until a visitor comes.

    Args:
        settings: Names the project and tells whether visitors sign in.
        store: What to read from; by default the project that ``settings`` names.
    """
    blocks = gr.Blocks(title="Seedbed", analytics_enabled=False, fill_width=True)
    with blocks:
        page, wires = _lay_out(settings, store)
        _wire_opening(blocks, page)
        _wire_editing(page)
        for wire in wires:
            wire()
    return blocks


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    Thread(target=_warm_up, daemon=True).start()
    launch(build_app(settings), settings, styles=[STYLE], translations=WORDS.translations())


def _warm_up() -> None:
    warm_up()
    settle()


def _lay_out(settings: Settings, store: Store | None) -> tuple[Page, list[Wire]]:
    session = gr.State(Session())
    with gr.Column(elem_id="seed"):
        with gr.Row(elem_id="seed-top"):
            keeper = part(
                "keeper", None, elem_id="keeper", project=settings.project, fields=list(FIELDS)
            )
            undo = part(
                "undo",
                None,
                elem_id="undo",
                fields=list(FIELDS),
                names={field: WORDS.texts[f"fields.{field}"] for field in FIELDS},
            )
            standing_line = gr.HTML("", elem_id="standing")
            domains.button()
            sign_in_button(settings)
        setup = gr.HTML("", elem_id="setup")
        domains.build(settings, store)
        with gr.Row(elem_id="editor"):
            steps = part(
                "steps",
                {},
                elem_id="steps",
                steps=[{"key": step.key, "name": WORDS.texts[step.name]} for step in STEPS],
            )
            page = Page(settings, store, session, keeper, undo, setup, steps, standing_line)
            with gr.Column(elem_id="panels"):
                built = [
                    build(page)
                    for build in (
                        domain.build,
                        expert.build,
                        lists.build_topics,
                        lists.build_perspectives,
                        examples.build,
                        documents.build,
                        preview.build,
                        coverage.build,
                        publish.build,
                    )
                ]
    return page, [wire for wire in built if wire is not None]


def _wire_opening(blocks: gr.Blocks, page: Page) -> None:
    def open_page(asked: Asked, session: Session) -> list[Any]:
        session.language = asked.who.language
        opened = handlers.open_page(page.settings, page.store, session, asked.who)
        view = page.view_values(opened.view)
        return [opened.keeper, opened.setup, *opened.values, *view]

    opening = blocks.load(
        asks(page.settings, open_page),
        inputs=[page.session],
        outputs=[page.keeper, page.setup, *page.screen, *page.view],
        show_progress="hidden",
        api_visibility="private",
    )
    standing.follow(page, opening)


def _wire_editing(page: Page) -> None:
    def look_over(session: Session, *values: object) -> list[Any]:
        return page.view_values(handlers.look_over(session, values))

    def restore(asked: Asked, session: Session) -> list[Any]:
        draft, base = asked.detail.get("draft"), asked.detail.get("base")
        try:
            values = handlers.restore(session, draft, base)
        except SeedbedError as error:
            return [*(gr.skip() for _ in page.fields), failure(session.language, error)]
        return [*values, ""]

    def reopen(asked: Asked, session: Session) -> None:
        session.language = asked.who.language
        base = asked.detail.get("base")
        handlers.reopen(page.settings, page.store, session, asked.who, base)

    def set_language(event: gr.EventData) -> str:
        return str(event._data.get("language"))

    gr.on(
        [field.change for field in page.screen],  # type: ignore[attr-defined]
        fn=None,
        inputs=page.screen,
        js=text("tell.js"),
        api_visibility="private",
    )
    page.keeper.input(
        look_over,
        inputs=[page.session, *page.screen],
        outputs=page.view,
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )
    page.keeper.select(
        hears(page.settings, reopen),
        inputs=[page.session],
        show_progress="hidden",
        api_visibility="private",
    )
    # Gradio's drop-down cannot be set by a script of ours.
    page.undo.submit(
        set_language,
        outputs=[page.fields["language"]],
        show_progress="hidden",
        api_visibility="private",
    )
    page.keeper.submit(
        hears(page.settings, restore),
        inputs=[page.session],
        outputs=[*page.screen, page.setup],
        show_progress="hidden",
        api_visibility="private",
    )
