"""The page's components: each is one ``gr.HTML`` made of the files in a folder of its own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import gradio as gr

from annotate_space.words import component_props


def component(
    folder: Path, name: str, scripts: Sequence[str], server_functions: Sequence[Callable[..., Any]]
) -> gr.HTML:
    """The component ``name`` of ``name.html``, ``name.css``, its scripts and words (``*.json``).

    Gradio runs one script with ``element``, ``props`` and ``server`` in scope: ``scripts``, in
    order.
    """

    def text(file: str) -> str:
        return (folder / file).read_text(encoding="utf-8")

    return gr.HTML(
        html_template=text(f"{name}.html"),
        css_template=text(f"{name}.css"),
        js_on_load="\n".join(map(text, scripts)),
        server_functions=list(server_functions),
        apply_default_css=False,
        elem_id=name,
        **component_props(folder),
    )
