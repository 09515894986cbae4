"""The step that shows real samples, made from what is on the screen by the batch's own code."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any, Final

import gradio as gr
from gradio.context import Context

from pipeline.web.serve import note
from seed_space import handlers, standing
from seed_space.asking import Asked, asks
from seed_space.background import Background
from seed_space.page import Page
from seed_space.parts import part
from seed_space.session import Session
from seed_space.tabs import Wire, panel
from seed_space.trying import AT_MOST, run, warm_up
from seed_space.words import label, say

SPREAD: Final = 3
AT_ONCE: Final = 40
"""Previews of all visitors together; more wait in line."""


def build(page: Page) -> Wire:
    """Lay out the step; what is returned wires it, once all fields are there."""
    with panel("preview", "preview.title", "preview.lead"):
        cells = part("cells", [], elem_id="preview-cells", spread=SPREAD, limit=AT_MOST)
        against = part("against", {}, elem_id="preview-against")
        with gr.Row(elem_classes="sb-actions"):
            make = gr.Button(label("samples.write"), variant="primary", elem_id="preview-make")
            stop = gr.Button(label("samples.stop"), interactive=False, elem_id="preview-stop")
        status = gr.HTML("", elem_id="preview-status")
        shown = part("cards", None, elem_id="preview-cards")
        with gr.Accordion(label("samples.engineer"), open=False, elem_id="preview-engineer"):
            page.engineer = gr.HTML("", elem_classes="sb-engineer")
    background = Background()

    async def write(
        asked: Asked, session: Session, chosen: object, compared: object, *values: object
    ) -> AsyncIterator[list[Any]]:
        states = background.stream(
            asked.tab,
            lambda: run(page.settings, page.store, session, asked.who, chosen, compared, values),
        )
        async with aclosing(states) as all_states:
            async for state in all_states:
                yield [
                    {"run": state.run, "sides": list(state.sides), "cards": list(state.cards)},
                    state.status,
                    gr.update(interactive=not state.running),
                    gr.update(interactive=state.running),
                ]

    async def leave(request: gr.Request) -> None:
        background.hang_up(request.session_hash or "")

    def look_over(session: Session, *values: object) -> list[Any]:
        return page.view_values(handlers.look_over(session, values))

    def end(session: Session) -> list[Any]:
        return [stopped(session), gr.update(interactive=True), gr.update(interactive=False)]

    def offer(session: Session) -> dict[str, Any]:
        background.start(warm_up)
        return offered(session)

    def wire() -> None:
        writing = make.click(
            asks(page.settings, write),
            inputs=[page.session, cells, against, *page.screen],
            outputs=[shown, status, make, stop],
            concurrency_limit=AT_ONCE,
            show_progress="hidden",
            api_visibility="private",
        )
        standing.follow(page, writing)
        writing.then(
            look_over,
            inputs=[page.session, *page.screen],
            outputs=page.view,
            show_progress="hidden",
            api_visibility="private",
        )
        stop.click(
            end,
            inputs=[page.session],
            outputs=[status, make, stop],
            cancels=[writing],
            show_progress="hidden",
            api_visibility="private",
        )
        page.keeper.change(
            offer,
            inputs=[page.session],
            outputs=[against],
            show_progress="hidden",
            api_visibility="private",
        )
        blocks = Context.root_block
        if blocks is not None:
            blocks.unload(leave)

    return wire


def offered(session: Session) -> dict[str, Any]:
    """What can be compared: the project's models, and the expert as last saved."""
    return {
        "models": [
            {"model": choice.model, "base_url": choice.base_url or ""}
            for choice in session.generation.models
        ],
        "saved": session.saved.seed.domain_expert_prompt,
    }


def stopped(session: Session) -> str:
    """What is said when a person stops it."""
    return note("", say(session.language, "samples.stopped"))
