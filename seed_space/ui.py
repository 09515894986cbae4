"""The Seed Space's page: its steps, and what happens when it opens and when something changes."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gradio as gr

from pipeline.core.errors import InvalidInput
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.web.serve import error_note, launch
from pipeline.web.visitor import sign_in_button, visitor
from pipeline.web.words import language_of
from seed_space import handlers, standing
from seed_space.page import Page
from seed_space.parts import part, text
from seed_space.session import Session
from seed_space.tabs import (
    STEPS,
    Wire,
    domain,
    domains,
    examples,
    expert,
    lists,
    preview,
    publish,
)
from seed_space.words import WORDS

STYLE: Final = Path(__file__).with_name("style.css")


def build_app(settings: Settings, store: Store | None = None) -> gr.Blocks:
    """Lay out and wire the page; nothing is read until a visitor comes.

    Args:
        settings: Names the project and tells whether visitors sign in.
        store: What to read from; by default the project that ``settings`` names.
    """
    blocks = gr.Blocks(title="Seed · Seedbed", analytics_enabled=False, fill_width=True)
    with blocks:
        page, wires = _lay_out(settings, store)
        _wire_opening(blocks, page)
        _wire_editing(page)
        for wire in wires:
            wire()
    return blocks


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    launch(build_app(settings), settings, styles=[STYLE], translations=WORDS.translations())


def _lay_out(settings: Settings, store: Store | None) -> tuple[Page, list[Wire]]:
    session = gr.State(Session())
    with gr.Column(elem_id="seed"):
        with gr.Row(elem_id="seed-top"):
            keeper = part("keeper", None, elem_id="keeper", project=settings.project)
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
                steps=[{"key": step.key, "name": step.name} for step in STEPS],
            )
            page = Page(settings, store, session, keeper, setup, steps, standing_line)
            with gr.Column(elem_id="panels"):
                built = [
                    build(page)
                    for build in (
                        domain.build,
                        expert.build,
                        lists.build_topics,
                        lists.build_perspectives,
                        examples.build,
                        preview.build,
                        publish.build,
                    )
                ]
    return page, [wire for wire in built if wire is not None]


def _wire_opening(blocks: gr.Blocks, page: Page) -> None:
    def open_page(
        session: Session,
        request: gr.Request,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
    ) -> list[Any]:
        session.language = language_of(request)
        who = visitor(page.settings, profile, token, request)
        opened = handlers.open_page(page.settings, page.store, session, who)
        view = page.view_values(opened.view)
        return [opened.keeper, opened.setup, *opened.values, *view]

    opening = blocks.load(
        open_page,
        inputs=[page.session],
        outputs=[page.keeper, page.setup, *page.screen, *page.view],
        show_progress="hidden",
        api_visibility="private",
    )
    standing.follow(page, opening)


def _wire_editing(page: Page) -> None:
    def look_over(session: Session, *values: object) -> list[Any]:
        return page.view_values(handlers.look_over(session, values))

    def restore(event: gr.EventData) -> list[Any]:
        try:
            return [*handlers.restore(event._data.get("draft")), ""]
        except InvalidInput as error:
            return [*(gr.skip() for _ in page.fields), error_note(error)]

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
    page.keeper.submit(
        restore,
        outputs=[*page.screen, page.setup],
        show_progress="hidden",
        api_visibility="private",
    )
