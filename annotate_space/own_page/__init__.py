"""Everybody's own page: an HTML component with its own html, css, js and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr

from annotate_space.component import component

_HERE: Final = Path(__file__).parent

_SCRIPTS: Final = (
    "../lead_view/words.js",
    "../deck/describe.js",
    "figures.js",
    "rows.js",
    "own.js",
)


def own_page(server_functions: Sequence[Callable[..., Any]]) -> gr.HTML:
    """The page, hidden until the card asks for it.

    It is wired to the server functions ``history``, ``answer`` and ``check``.
    """
    return component(_HERE, "own", _SCRIPTS, server_functions)
