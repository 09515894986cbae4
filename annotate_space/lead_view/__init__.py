"""The lead's live view: one HTML component with its own html, css, js and words."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Final

import gradio as gr

from annotate_space.component import component

_HERE: Final = Path(__file__).parent

_SCRIPTS: Final = (
    "words.js",
    "figures.js",
    "insights.js",
    "disputes.js",
    "search.js",
    "invitations.js",
    "settings.js",
    "lead.js",
)


def lead_view(server_functions: Sequence[Callable[..., Any]]) -> gr.HTML:
    """The view, hidden until the card asks for it.

    It is wired to the server functions ``overview``, ``figures``, ``disputes``, ``settle``,
    ``settled``, ``reopen``, ``search``, ``sample``, ``mark``, ``unmark``, ``invite``, ``extend``,
    ``revoke`` and ``configure``.
    """
    return component(_HERE, "lead", _SCRIPTS, server_functions)
