"""The step that shows what would change, and saves."""

from __future__ import annotations

from dataclasses import dataclass

import gradio as gr

from seed_space.parts import part
from seed_space.tabs import panel


@dataclass(frozen=True, slots=True)
class PublishTab:
    """The step's components."""

    summary: gr.HTML
    conflict: gr.HTML
    save: gr.Button
    result: gr.HTML


def build() -> PublishTab:
    """Lay out the step."""
    with panel(
        "publish",
        "Save it to the project",
        "Saving makes a new version. Samples that exist already stay as they are; new ones are "
        "grown from the new version.",
    ):
        summary = gr.HTML("", elem_id="publish-summary")
        result = part("news", "", elem_id="publish-result")
        conflict = part("conflict", [], elem_id="publish-conflict")
        with gr.Row(elem_classes="sb-actions"):
            save = gr.Button("Save", variant="primary", elem_id="publish-save")
    return PublishTab(summary, conflict, save, result)
