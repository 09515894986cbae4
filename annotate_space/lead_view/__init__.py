"""The lead's live view: one HTML component with its own html, css, js and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr

from annotate_space.words import component_props

_HERE: Final = Path(__file__).parent

WORDS: Final = _HERE / "words.json"

_SCRIPTS: Final = ("words.js", "figures.js", "invitations.js", "settings.js", "lead.js")
"""Gradio runs one script with ``element``, ``props`` and ``server`` in scope: these, in order."""


def lead_view(server_functions: Sequence[Callable[..., Any]]) -> gr.HTML:
    """The view, hidden until the card asks for it.

    It is wired to the server functions ``overview``, ``invite``, ``extend``, ``revoke`` and
    ``configure``.
    """
    return gr.HTML(
        html_template=_text("lead.html"),
        css_template=_text("lead.css"),
        js_on_load="\n".join(_text(name) for name in _SCRIPTS),
        server_functions=list(server_functions),
        apply_default_css=False,
        elem_id="lead",
        **component_props(WORDS),
    )


def _text(name: str) -> str:
    return (_HERE / name).read_text(encoding="utf-8")
