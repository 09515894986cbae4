"""The step that describes the expert who answers."""

from __future__ import annotations

from typing import Final

import gradio as gr

from seed_space.page import Page
from seed_space.parts import part
from seed_space.screen import at_most
from seed_space.tabs import example, notes, panel

_EXAMPLE: Final = (
    "You are an agronomist with thirty years in the field, first as a grower and then as an "
    "adviser. Explain things the way you would at the gate: plainly, with the reason behind each "
    "piece of advice. Say what can be checked with a spade or a hand before anything is bought. "
    "Say openly when the answer depends on soil, climate or local rules. For plant protection "
    "products, point to the label and never give doses from memory."
)


def build(page: Page) -> None:
    """Lay out the step."""
    with panel(
        "expert",
        "Who answers?",
        "Describe the person whose answers you would trust: what they have done, how they "
        "explain, what they are careful about.",
    ):
        page.fields["domain_expert_prompt"] = gr.Textbox(
            label="The expert",
            info=(
                "Every answer is written as if by this person, so what you say here shows in tone, "
                "detail and caution."
            ),
            placeholder="You are …",
            lines=10,
            elem_id="field-domain_expert_prompt",
        )
        example("See an example from farming", _EXAMPLE)
        gr.HTML(
            "<h3>Rules</h3><p>One sentence each, for what every answer must do or never do. "
            "Example: Never give doses from memory; point to the label.</p>",
            elem_classes="sb-subhead",
        )
        page.fields["rules"] = part(
            "rows",
            [],
            elem_id="field-rules",
            kind="rules",
            one="rule",
            many="rules",
            limit=at_most("rules"),
        )
        page.notes["expert"] = notes("expert")
