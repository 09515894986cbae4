"""The step that lists the perspectives."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from seed_space.parts import part
from seed_space.screen import at_most
from seed_space.tabs import notes, panel


@dataclass(frozen=True, slots=True)
class PerspectivesTab:
    """The step's components."""

    perspectives: gr.HTML
    notes: gr.HTML


def build() -> PerspectivesTab:
    """Lay out the step."""
    with panel(
        "perspectives",
        "Who is asking?",
        "The same question means something else to somebody else. Each topic is asked about from "
        "each perspective. Examples: Beginner, Experienced grower, Environmental, Farm business",
    ):
        rows = part(
            "rows",
            [],
            elem_id="field-perspectives",
            kind="perspectives",
            one="perspective",
            many="perspectives",
            limit=at_most("perspectives"),
        )
        gr.HTML(
            "Enter adds the next one. A list pasted from elsewhere becomes one row for each line. "
            "Alt with an arrow key moves a row.",
            elem_classes="sb-hint",
        )
        problems = notes("perspectives")
    return PerspectivesTab(rows, problems)
