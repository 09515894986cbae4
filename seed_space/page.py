"""What all steps of the page share: the project, the visitor's session, and the seed's fields."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import gradio as gr

from pipeline.core.settings import Settings
from pipeline.core.store import Store
from seed_space.handlers import View
from seed_space.screen import FIELDS


@dataclass(slots=True)
class Page:
    """The page, filled step by step while it is laid out.

    Attributes:
        settings: Names the project and tells whether visitors sign in.
        store: What to read from; None is the project that ``settings`` names.
        session: The visitor's ``Session``.
        keeper: Keeps drafts; tells the server when a field changed.
        undo: Undoes and redoes changes of the seed's fields.
        setup: Why the editor cannot be shown.
        steps: The stepper.
        fields: The seed's fields by name.
        notes: The place of each step's problems, by step.
        summary: What saving would change.
        engineer: Models, parameters and fingerprint.
    """

    settings: Settings
    store: Store | None
    session: gr.State
    keeper: gr.HTML
    undo: gr.HTML
    setup: gr.HTML
    steps: gr.HTML
    fields: dict[str, gr.components.Component] = field(default_factory=dict)
    notes: dict[str, gr.HTML] = field(default_factory=dict)
    summary: gr.HTML = field(init=False)
    engineer: gr.HTML = field(init=False)

    @property
    def screen(self) -> list[gr.components.Component]:
        """The seed's fields in the order of ``FIELDS``."""
        return [self.fields[name] for name in FIELDS]

    @property
    def view(self) -> list[gr.components.Component]:
        """What shows how things stand, in the order of ``view_values``."""
        return [self.steps, *self.notes.values(), self.summary, self.engineer]

    def view_values(self, view: View) -> list[Any]:
        """The values of ``view``'s components."""
        notes = [view.notes.get(step, "") for step in self.notes]
        return [view.marks, *notes, view.summary, view.engineer]
