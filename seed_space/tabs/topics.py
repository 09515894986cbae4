"""The step that lists the topics."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from seed_space.parts import part
from seed_space.screen import at_most
from seed_space.tabs import notes, panel


@dataclass(frozen=True, slots=True)
class TopicsTab:
    """The step's components."""

    topics: gr.HTML
    notes: gr.HTML


def build() -> TopicsTab:
    """Lay out the step."""
    with panel(
        "topics",
        "What do people ask about?",
        "Each topic is a part of the domain that people have questions about. Samples are spread "
        "evenly over your topics. Examples: Soil health, Crop rotation, Grazing and pasture",
    ):
        rows = part(
            "rows",
            [],
            elem_id="field-topics",
            kind="topics",
            one="topic",
            many="topics",
            limit=at_most("topics"),
        )
        gr.HTML(
            "Enter adds the next one. A list pasted from elsewhere becomes one row for each line. "
            "Alt with an arrow key moves a row.",
            elem_classes="sb-hint",
        )
        problems = notes("topics")
    return TopicsTab(rows, problems)
