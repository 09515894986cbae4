"""The page beside the steps on which a project for another domain is made."""

from __future__ import annotations

from collections.abc import Callable

import gradio as gr

from pipeline.core.settings import Settings
from pipeline.core.store import Store
from seed_space import domains
from seed_space.asking import Asked, serves
from seed_space.parts import part
from seed_space.words import label

_OPEN = "() => { document.dispatchEvent(new CustomEvent('seedbed:page', {detail: 'domains'})); }"


def button() -> None:
    """Lay out the way to the page, at the top."""
    opens = gr.Button(label("domains.open"), size="sm", elem_id="open-domains")
    opens.click(fn=None, js=_OPEN, api_visibility="private")


def build(settings: Settings, store: Store | None) -> None:
    """Lay out the page; nothing is asked for until somebody opens it."""
    acts: dict[str, Callable[[Asked], domains.Reply]] = {
        "domain_options": lambda asked: domains.options(settings, store, asked.who),
        "domain_check": lambda asked: domains.check(settings, store, asked.who, asked.detail),
        "domain_make": lambda asked: domains.make(settings, store, asked.who, asked.detail),
    }
    part(
        "domains",
        None,
        elem_id="domains",
        server_functions=[serves(settings, name, act) for name, act in acts.items()],
    )
