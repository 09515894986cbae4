"""The step that collects questions with the answers an expert would give."""

from __future__ import annotations

from seed_space.page import Page
from seed_space.parts import part
from seed_space.screen import at_most
from seed_space.tabs import example, notes, panel


def build(page: Page) -> None:
    """Lay out the step."""
    with panel("examples", "examples.title", "examples.lead"):
        page.fields["examples"] = part(
            "examples", [], elem_id="field-examples", limit=at_most("examples")
        )
        example("examples.example")
        page.notes["examples"] = notes("examples")
