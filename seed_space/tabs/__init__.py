"""The steps, one module each.

A module's ``build(page)`` lays its step out and puts the seed's fields into the page. A step that
does something returns how it is wired, which happens once all steps are laid out.
"""

from __future__ import annotations

import html
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

import gradio as gr


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        key: Its name in addresses and in code.
        name: Its name on the screen.
    """

    key: str
    name: str


STEPS: Final = (
    Step("domain", "Domain"),
    Step("expert", "Expert"),
    Step("topics", "Topics"),
    Step("perspectives", "Perspectives"),
    Step("examples", "Examples"),
    Step("preview", "Preview"),
    Step("coverage", "Coverage"),
    Step("publish", "Publish"),
)
NAME_OF: Final = {step.key: step.name for step in STEPS}


Wire = Callable[[], None]


@contextmanager
def panel(key: str, title: str, lead: str) -> Iterator[None]:
    """A step's panel: heading and lead above its content, ways on below."""
    keys = [step.key for step in STEPS]
    at = keys.index(key)
    with gr.Column(elem_id=f"step-{key}", elem_classes=["sb-step"]):
        gr.HTML(f'<h2 tabindex="-1">{html.escape(title)}</h2><p>{lead}</p>', elem_classes="sb-head")
        with gr.Column(elem_classes=["sb-fields"]):
            yield
        ways = []
        if at:
            ways.append(_way(keys[at - 1], f"Back: {STEPS[at - 1].name}", "text"))
        if at + 1 < len(keys):
            ways.append(_way(keys[at + 1], f"Next: {STEPS[at + 1].name}", "plain"))
        gr.HTML("".join(ways), elem_classes="sb-ways")


def notes(key: str) -> gr.HTML:
    """The place for what is wrong with a step."""
    return gr.HTML("", elem_id=f"notes-{key}")


def example(summary: str, text: str) -> gr.HTML:
    """A folded example from farming."""
    return gr.HTML(
        f"<details><summary>{html.escape(summary)}</summary><p>{html.escape(text)}</p></details>",
        elem_classes="sb-example",
    )


def _way(key: str, name: str, kind: str) -> str:
    return f'<button type="button" class="{kind}" data-go="{key}">{html.escape(name)}</button>'
