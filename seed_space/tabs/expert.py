"""The step that describes the expert who answers, and the rules for every answer."""

from __future__ import annotations

import gradio as gr

from seed_space.page import Page
from seed_space.parts import part
from seed_space.screen import at_most
from seed_space.tabs import example, notes, panel, paragraph
from seed_space.words import label


def build(page: Page) -> None:
    """Lay out the step."""
    with panel("expert", "expert.title", "expert.lead"):
        page.fields["domain_expert_prompt"] = gr.Textbox(
            label=label("fields.domain_expert_prompt"),
            info=label("expert.info"),
            placeholder=label("expert.placeholder"),
            lines=10,
            elem_id="field-domain_expert_prompt",
        )
        example("expert.example")
        paragraph("expert.rules_lead", title="fields.rules", style="sb-subhead")
        page.fields["rules"] = part(
            "rows", [], elem_id="field-rules", kind="rules", limit=at_most("rules")
        )
        page.notes["expert"] = notes("expert")
