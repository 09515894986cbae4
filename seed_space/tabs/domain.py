"""The step that names and describes the domain."""

from __future__ import annotations

import gradio as gr

from pipeline.core.schema import LANGUAGES
from seed_space import importing_tab
from seed_space.page import Page
from seed_space.tabs import Wire, notes, panel


def build(page: Page) -> Wire:
    """Lay out the step; what is returned wires it, once all fields are there."""
    with panel(
        "domain",
        "What is it about?",
        "A domain is one field of knowledge that you know well. Everything else builds on it.",
    ):
        page.fields["domain"] = gr.Textbox(
            label="Name of the domain",
            info="Every sample is about this. Example: Small-scale farming in temperate climates",
            elem_id="field-domain",
            max_lines=1,
        )
        page.fields["description"] = gr.Textbox(
            label="Description, in one sentence",
            info=(
                "Says what belongs to the domain and what does not, so that samples stay inside "
                "it. Example: Practical decisions on mixed farms of up to 50 hectares, without "
                "farm law and veterinary treatment."
            ),
            elem_id="field-description",
            lines=3,
        )
        page.fields["language"] = gr.Dropdown(
            label="Language",
            info=(
                "Samples are written in this language. If yours is not listed, type its code. "
                "Example: ca for Catalan"
            ),
            choices=[(name, code) for code, name in LANGUAGES.items()],
            value="en",
            allow_custom_value=True,
            elem_id="field-language",
        )
        page.notes["domain"] = notes("domain")
        return importing_tab.build(page)
