"""The two steps that list short texts: topics and perspectives."""

from __future__ import annotations

import gradio as gr

from pipeline.generation.suggest import Kind
from seed_space import suggesting
from seed_space.page import Page
from seed_space.parts import part
from seed_space.screen import at_most
from seed_space.tabs import Wire, notes, panel


def build_topics(page: Page) -> Wire:
    """Lay out the step of the topics."""
    return _build(
        page,
        "topics",
        "topic",
        "What do people ask about?",
        "Each topic is a part of the domain that people have questions about. Samples are spread "
        "evenly over your topics. Examples: Soil health, Crop rotation, Grazing and pasture",
    )


def build_perspectives(page: Page) -> Wire:
    """Lay out the step of the perspectives."""
    return _build(
        page,
        "perspectives",
        "perspective",
        "Who is asking?",
        "The same question means something else to somebody else. Each topic is asked about from "
        "each perspective. Examples: Beginner, Experienced grower, Environmental, Farm business",
    )


def _build(page: Page, field: Kind, one: str, title: str, lead: str) -> Wire:
    with panel(field, title, lead):
        page.fields[field] = part(
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
        page.notes[field] = notes(field)
        return suggesting.build(page, field)
