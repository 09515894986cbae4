"""The step that collects questions with the answers an expert would give."""

from __future__ import annotations

from typing import Final

from seed_space.page import Page
from seed_space.parts import part
from seed_space.screen import at_most
from seed_space.tabs import example, notes, panel

_EXAMPLE: Final = (
    "Question: How can I tell with nothing but a spade whether my soil is compacted? — Answer: Dig "
    "a block 20 cm wide and 30 cm deep when the ground is moist, and drop it from hip height. Good "
    "soil falls apart into rounded crumbs; compacted soil stays in plates or sharp-edged lumps."
)


def build(page: Page) -> None:
    """Lay out the step."""
    with panel(
        "examples",
        "Show how it is done",
        "Two or three questions with the answers you would give. New samples take after them in "
        "length, tone and depth, more than after anything else you write here.",
    ):
        page.fields["examples"] = part(
            "examples", [], elem_id="field-examples", limit=at_most("examples")
        )
        example("See an example from farming", _EXAMPLE)
        page.notes["examples"] = notes("examples")
