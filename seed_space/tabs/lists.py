"""The two steps that list short texts: topics and perspectives."""

from __future__ import annotations

from pipeline.generation.suggest import Kind
from seed_space import suggesting
from seed_space.page import Page
from seed_space.parts import part
from seed_space.screen import at_most
from seed_space.tabs import Wire, notes, panel, paragraph


def build_topics(page: Page) -> Wire:
    """Lay out the step of the topics."""
    return _build(page, "topics")


def build_perspectives(page: Page) -> Wire:
    """Lay out the step of the perspectives."""
    return _build(page, "perspectives")


def _build(page: Page, field: Kind) -> Wire:
    with panel(field, f"lists.{field}_title", f"lists.{field}_lead"):
        page.fields[field] = part(
            "rows", [], elem_id=f"field-{field}", kind=field, limit=at_most(field)
        )
        paragraph("lists.hint", style="sb-hint")
        page.notes[field] = notes(field)
        return suggesting.build(page, field)
