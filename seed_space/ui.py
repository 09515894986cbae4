"""The Seed Space's page: its steps, and what is wired to what."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import gradio as gr

from pipeline.core.errors import InvalidInput
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.web.serve import error_note, launch
from pipeline.web.visitor import sign_in_button, visitor
from seed_space import handlers
from seed_space.handlers import View
from seed_space.parts import part, text
from seed_space.session import Session
from seed_space.tabs import (
    STEPS,
    domain,
    examples,
    expert,
    lists,
    preview,
    publish,
)

STYLE: Final = Path(__file__).with_name("style.css")


@dataclass(frozen=True, slots=True)
class Page:
    """All components that are wired.

    Attributes:
        fields: In the order of ``screen.FIELDS``.
        notes: The place of each step's problems, by step.
    """

    session: gr.State
    keeper: gr.HTML
    setup: gr.HTML
    steps: gr.HTML
    fields: list[gr.components.Component]
    notes: dict[str, gr.HTML]
    preview: preview.PreviewTab
    publish: publish.PublishTab


def build_app(settings: Settings, store: Store | None = None) -> gr.Blocks:
    """Lay out and wire the page; nothing is read until a visitor comes.

    Args:
        settings: Names the project and tells whether visitors sign in.
        store: What to read from; by default the project that ``settings`` names.
    """
    blocks = gr.Blocks(title="Seed · Seedbed", analytics_enabled=False, fill_width=True)
    with blocks:
        page = _lay_out(settings)
        _wire_opening(blocks, page, settings, store)
        _wire_editing(page)
        _wire_preview(page, settings, store)
        _wire_saving(page, settings)
    return blocks


def main(settings: Settings) -> None:
    """Serve until told to stop."""
    launch(build_app(settings), settings, styles=[STYLE])


def _lay_out(settings: Settings) -> Page:
    session = gr.State(Session())
    with gr.Column(elem_id="seed"):
        with gr.Row(elem_id="seed-top"):
            keeper = part("keeper", None, elem_id="keeper", project=settings.project)
            sign_in_button(settings)
        setup = gr.HTML("", elem_id="setup")
        with gr.Row(elem_id="editor"):
            steps = part(
                "steps",
                {},
                elem_id="steps",
                steps=[{"key": step.key, "name": step.name} for step in STEPS],
            )
            with gr.Column(elem_id="panels"):
                one = domain.build()
                two = expert.build()
                three = lists.build_topics()
                four = lists.build_perspectives()
                five = examples.build()
                six = preview.build()
                seven = publish.build()
    fields: list[gr.components.Component] = [
        one.domain,
        one.description,
        one.language,
        two.domain_expert_prompt,
        three.rows,
        four.rows,
        five.examples,
    ]
    notes = {
        "domain": one.notes,
        "expert": two.notes,
        "topics": three.notes,
        "perspectives": four.notes,
        "examples": five.notes,
    }
    return Page(session, keeper, setup, steps, fields, notes, six, seven)


def _view_outputs(page: Page) -> list[gr.components.Component]:
    return [page.steps, *page.notes.values(), page.publish.summary, page.preview.engineer]


def _view_values(page: Page, view: View) -> list[Any]:
    notes = [view.notes[step] for step in page.notes]
    return [view.marks, *notes, view.summary, view.engineer]


def _wire_opening(blocks: gr.Blocks, page: Page, settings: Settings, store: Store | None) -> None:
    def open_page(
        session: Session, profile: gr.OAuthProfile | None, token: gr.OAuthToken | None
    ) -> list[Any]:
        who = visitor(settings, profile, token)
        opened = handlers.open_page(settings, store, session, who)
        view = _view_values(page, opened.view)
        return [opened.keeper, opened.setup, *opened.values, *view]

    blocks.load(
        open_page,
        inputs=[page.session],
        outputs=[page.keeper, page.setup, *page.fields, *_view_outputs(page)],
        show_progress="hidden",
        api_visibility="private",
    )


def _wire_editing(page: Page) -> None:
    def look_over(session: Session, *values: object) -> list[Any]:
        return _view_values(page, handlers.look_over(session, values))

    def restore(event: gr.EventData) -> list[Any]:
        try:
            return [*handlers.restore(event._data.get("draft")), ""]
        except InvalidInput as error:
            return [*(gr.skip() for _ in page.fields), error_note(error)]

    gr.on(
        [field.change for field in page.fields],  # type: ignore[attr-defined]
        fn=None,
        inputs=page.fields,
        js=text("tell.js"),
        api_visibility="private",
    )
    page.keeper.input(
        look_over,
        inputs=[page.session, *page.fields],
        outputs=_view_outputs(page),
        trigger_mode="always_last",
        show_progress="hidden",
        api_visibility="private",
    )
    page.keeper.submit(
        restore,
        outputs=[*page.fields, page.setup],
        show_progress="hidden",
        api_visibility="private",
    )


def _wire_preview(page: Page, settings: Settings, store: Store | None) -> None:
    tab = page.preview

    async def run(
        session: Session,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
        chosen: object,
        *values: object,
    ) -> AsyncIterator[list[Any]]:
        who = visitor(settings, profile, token)
        async for shown in preview.run(settings, store, session, who, chosen, values):
            yield [
                {"run": shown.run, "cards": list(shown.cards)},
                shown.status,
                gr.update(interactive=not shown.running),
                gr.update(interactive=shown.running),
            ]

    def look_over(session: Session, *values: object) -> list[Any]:
        return _view_values(page, handlers.look_over(session, values))

    def stop() -> list[Any]:
        return [preview.stopped(), gr.update(interactive=True), gr.update(interactive=False)]

    running = tab.make.click(
        run,
        inputs=[page.session, tab.cells, *page.fields],
        outputs=[tab.cards, tab.status, tab.make, tab.stop],
        concurrency_limit=20,
        show_progress="hidden",
        api_visibility="private",
    )
    running.then(
        look_over,
        inputs=[page.session, *page.fields],
        outputs=_view_outputs(page),
        show_progress="hidden",
        api_visibility="private",
    )
    tab.stop.click(
        stop,
        outputs=[tab.status, tab.make, tab.stop],
        cancels=[running],
        show_progress="hidden",
        api_visibility="private",
    )


def _wire_saving(page: Page, settings: Settings) -> None:
    tab = page.publish

    def save(
        session: Session,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
        chosen: object,
        *values: object,
    ) -> list[Any]:
        who = visitor(settings, profile, token)
        saving = handlers.save(settings, session, who, values, chosen)
        shown = saving.values or list(values)
        view = handlers.look_over(session, shown)
        return [
            saving.result,
            saving.rows,
            saving.keeper or gr.skip(),
            gr.update(value="Save with these choices" if saving.rows else "Save"),
            *(saving.values or (gr.skip() for _ in page.fields)),
            *_view_values(page, view),
        ]

    tab.save.click(
        save,
        inputs=[page.session, tab.conflict, *page.fields],
        outputs=[
            tab.result,
            tab.conflict,
            page.keeper,
            tab.save,
            *page.fields,
            *_view_outputs(page),
        ],
        show_progress="hidden",
        api_visibility="private",
    )
