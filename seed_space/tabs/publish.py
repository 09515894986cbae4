"""The step that shows what would change, and saves."""

from __future__ import annotations

from typing import Any

import gradio as gr

from pipeline.web.visitor import visitor
from seed_space import handlers, standing
from seed_space.page import Page
from seed_space.parts import part
from seed_space.session import Session
from seed_space.tabs import Wire, panel


def build(page: Page) -> Wire:
    """Lay out the step; what is returned wires it, once all fields are there."""
    with panel(
        "publish",
        "Save it to the project",
        "Saving makes a new version. Samples that exist already stay as they are; new ones are "
        "grown from the new version.",
    ):
        page.summary = gr.HTML("", elem_id="publish-summary")
        result = part("news", "", elem_id="publish-result")
        conflict = part("conflict", [], elem_id="publish-conflict")
        with gr.Row(elem_classes="sb-actions"):
            button = gr.Button("Save", variant="primary", elem_id="publish-save")

    def save(
        session: Session,
        request: gr.Request,
        profile: gr.OAuthProfile | None,
        token: gr.OAuthToken | None,
        chosen: object,
        *values: object,
    ) -> list[Any]:
        who = visitor(page.settings, profile, token, request)
        saving = handlers.save(page.settings, session, who, values, chosen)
        view = handlers.look_over(session, saving.values or list(values))
        return [
            saving.result,
            saving.rows,
            saving.keeper or gr.skip(),
            gr.update(value="Save with these choices" if saving.rows else "Save"),
            *(saving.values or (gr.skip() for _ in page.fields)),
            *page.view_values(view),
        ]

    def wire() -> None:
        saving = button.click(
            save,
            inputs=[page.session, conflict, *page.screen],
            outputs=[result, conflict, page.keeper, button, *page.screen, *page.view],
            show_progress="hidden",
            api_visibility="private",
        )
        standing.follow(page, saving)

    return wire
