"""The annotation card: one HTML component with its own html, css, js and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr

from annotate_space.component import component

_HERE: Final = Path(__file__).parent

_SCRIPTS: Final = (
    "words.js",
    "storage.js",
    "who.js",
    "clock.js",
    "outbox.js",
    "hand.js",
    "card.js",
    "tasks.js",
    "describe.js",
    "diff.js",
    "swipe.js",
    "keys.js",
    "dialogs.js",
    "own.js",
    "start.js",
)


def deck(server_functions: Sequence[Callable[..., Any]]) -> gr.HTML:
    """The card, wired to the server functions that its script calls by name."""
    return component(_HERE, "deck", _SCRIPTS, server_functions)
