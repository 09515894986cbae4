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

from pipeline.web.words import Say
from seed_space.words import layout


@dataclass(frozen=True, slots=True)
class Step:
    """One step.

    Attributes:
        key: Its name in addresses and in code.
        name: The key of its name on the screen.
    """

    key: str
    name: str


STEPS: Final = (
    Step("domain", "steps.domain"),
    Step("expert", "steps.expert"),
    Step("topics", "steps.topics"),
    Step("perspectives", "steps.perspectives"),
    Step("examples", "steps.examples"),
    Step("documents", "steps.documents"),
    Step("preview", "steps.preview"),
    Step("coverage", "steps.coverage"),
    Step("publish", "steps.publish"),
)
NAME_OF: Final = {step.key: step.name for step in STEPS}


Wire = Callable[[], None]


@contextmanager
def panel(key: str, title: str, lead: str) -> Iterator[None]:
    """A step's panel: heading and lead above its content, ways on below.

    Args:
        key: Of the step.
        title: Key of the heading's words.
        lead: Key of the sentence below it.
    """
    keys = [step.key for step in STEPS]
    at = keys.index(key)
    with gr.Column(elem_id=f"step-{key}", elem_classes=["sb-step"]):
        head = layout(
            lambda say: (
                f'<h2 tabindex="-1">{html.escape(say(title))}</h2><p>{html.escape(say(lead))}</p>'
            )
        )
        gr.HTML(head, elem_classes="sb-head")
        with gr.Column(elem_classes=["sb-fields"]):
            yield
        gr.HTML(layout(lambda say: _ways(say, at)), elem_classes="sb-ways")


def notes(key: str) -> gr.HTML:
    """The place for what is wrong with a step."""
    return gr.HTML("", elem_id=f"notes-{key}")


def paragraph(text: str, *, title: str = "", style: str) -> gr.HTML:
    """Words between fields, by the key of their text and of a small heading."""

    def write(say: Say) -> str:
        head = f"<h3>{html.escape(say(title))}</h3>" if title else ""
        return f"{head}<p>{html.escape(say(text))}</p>"

    return gr.HTML(layout(write), elem_classes=style)


def example(text: str) -> gr.HTML:
    """A folded example from farming, by the key of its text."""
    return gr.HTML(
        layout(
            lambda say: (
                f"<details><summary>{html.escape(say('steps.example'))}</summary>"
                f"<p>{html.escape(say(text))}</p></details>"
            )
        ),
        elem_classes="sb-example",
    )


def _ways(say: Say, at: int) -> str:
    """The buttons to the steps before and after."""
    ways = []
    if at:
        before = STEPS[at - 1]
        ways.append(_way(before.key, say("steps.back", step=say(before.name)), "text"))
    if at + 1 < len(STEPS):
        after = STEPS[at + 1]
        ways.append(_way(after.key, say("steps.next", step=say(after.name)), "plain"))
    return "".join(ways)


def _way(key: str, name: str, kind: str) -> str:
    return f'<button type="button" class="{kind}" data-go="{key}">{html.escape(name)}</button>'
