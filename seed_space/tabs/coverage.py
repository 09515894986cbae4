"""The step that shows how samples spread over topics and perspectives, to be changed there."""

from __future__ import annotations

from typing import Any, Final

import gradio as gr

from pipeline.core.errors import SeedbedError
from seed_space import outlook
from seed_space.asking import Asked, asks
from seed_space.page import Page
from seed_space.parts import part
from seed_space.screen import at_most
from seed_space.session import Session
from seed_space.tabs import Wire, notes, panel
from seed_space.telling import failure

AT_ONCE: Final = 2
"""Projects that are counted at once; counting keeps a core busy."""


def build(page: Page) -> Wire:
    """Lay out the step; what is returned wires it, once all fields are there."""
    with panel("coverage", "coverage.title", "coverage.lead"):
        page.fields["quotas"] = part(
            "coverage", [], elem_id="field-quotas", limit=at_most("quotas")
        )
        figures = part("figures", None, elem_id="coverage-figures")
        trouble = gr.HTML("", elem_id="coverage-trouble")
        expected = gr.HTML("", elem_id="coverage-forecast")
        page.notes["coverage"] = notes("coverage")

    def count(asked: Asked, session: Session, *values: object) -> list[Any]:
        try:
            found = outlook.count(page.settings, page.store, session, asked.who)
        except SeedbedError as error:
            return [{"failed": True}, failure(asked.who.language, error), ""]
        return [found, "", outlook.forecast(session, values)]

    def forecast(session: Session, *values: object) -> str:
        return outlook.forecast(session, values)

    def wire() -> None:
        grid: Any = page.fields["quotas"]
        grid.select(
            asks(page.settings, count),
            inputs=[page.session, *page.screen],
            outputs=[figures, trouble, expected],
            concurrency_limit=AT_ONCE,
            show_progress="hidden",
            api_visibility="private",
        )
        grid.submit(
            forecast,
            inputs=[page.session, *page.screen],
            outputs=[expected],
            trigger_mode="always_last",
            show_progress="hidden",
            api_visibility="private",
        )

    return wire
