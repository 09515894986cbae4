"""The page's own components: each is one HTML component with its html, css and js beside it.

What a person typed enters the page only through ``textContent`` and ``value``. The parts talk to
each other through events on ``document``, named in ``parts/shared.js``, without a server.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import gradio as gr

_HERE: Final = Path(__file__).parent


def part(name: str, value: object = None, *, elem_id: str, **props: Any) -> gr.HTML:  # noqa: ANN401
    """The component in ``name.html``, ``name.css`` and ``name.js``; ``props`` reach its script."""
    return gr.HTML(
        value=value,
        html_template=text(f"{name}.html"),
        css_template=text(f"{name}.css"),
        js_on_load=f"{text('shared.js')}\n{text(f'{name}.js')}",
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes=["sb-part"],
        **props,
    )


def text(name: str) -> str:
    """A file of this folder."""
    return (_HERE / name).read_text(encoding="utf-8")
