"""The two steps that list short texts: topics and perspectives."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from seed_space.parts import part
from seed_space.screen import at_most
from seed_space.tabs import notes, panel


@dataclass(frozen=True, slots=True)
class ListTab:
    """The step's components."""

    rows: gr.HTML
    notes: gr.HTML


def build_topics() -> ListTab:
    """Lay out the step of the topics."""
    return _build(
        "topics",
        "topic",
        "What do people ask about?",
        "Each topic is a part of the domain that people have questions about. Samples are spread "
        "evenly over your topics. Examples: Soil health, Crop rotation, Grazing and pasture",
    )


def build_perspectives() -> ListTab:
    """Lay out the step of the perspectives."""
    return _build(
        "perspectives",
        "perspective",
        "Who is asking?",
        "The same question means something else to somebody else. Each topic is asked about from "
        "each perspective. Examples: Beginner, Experienced grower, Environmental, Farm business",
    )


def _build(field: str, one: str, title: str, lead: str) -> ListTab:
    with panel(field, title, lead):
        rows = part(
            "rows",
            [],
            elem_id=f"field-{field}",
            kind=field,
            one=one,
            many=field,
            limit=at_most(field),
        )
        gr.HTML(
            "Enter adds the next one. A list pasted from elsewhere becomes one row for each line. "
            "Alt with an arrow key moves a row.",
            elem_classes="sb-hint",
        )
        problems = notes(field)
    return ListTab(rows, problems)
