"""The step that names and describes the domain."""

from __future__ import annotations

import gradio as gr

from seed_space import importing_tab
from seed_space.page import Page
from seed_space.screen import OWN_NAMES
from seed_space.tabs import Wire, notes, panel
from seed_space.words import label


def build(page: Page) -> Wire:
    """Lay out the step; what is returned wires it, once all fields are there."""
    with panel("domain", "domain.title", "domain.lead"):
        page.fields["domain"] = gr.Textbox(
            label=label("fields.domain"),
            info=label("domain.name_info"),
            elem_id="field-domain",
            max_lines=1,
        )
        page.fields["description"] = gr.Textbox(
            label=label("domain.description"),
            info=label("domain.description_info"),
            elem_id="field-description",
            lines=3,
        )
        page.fields["language"] = gr.Dropdown(
            label=label("fields.language"),
            info=label("domain.language_info"),
            choices=[(name, code) for code, name in OWN_NAMES.items()],
            value="en",
            allow_custom_value=True,
            elem_id="field-language",
        )
        page.notes["domain"] = notes("domain")
        return importing_tab.build(page)
