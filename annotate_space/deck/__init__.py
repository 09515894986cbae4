"""The annotation card: one HTML component with its own html, css and js."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

_HERE = Path(__file__).parent


def deck(server_functions: Sequence[Callable[..., Any]]) -> gr.HTML:
    """The card, wired to the server functions ``hello``, ``more``, ``submit`` and ``check``."""
    return gr.HTML(
        html_template=_text("deck.html"),
        css_template=_text("deck.css"),
        js_on_load=_text("deck.js"),
        server_functions=list(server_functions),
        apply_default_css=False,
        elem_id="deck",
    )


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
