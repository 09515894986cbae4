"""The page's own components: each is one HTML component with its html, css and js beside it.

Its words, in five languages, are in ``name.json`` and, for what all parts say, ``shared.json``; the
script gets them as ``word(key, values)``, and what the html marks with ``data-say`` is filled in.
What a person typed enters the page only through ``textContent`` and ``value``. The parts talk to
each other through events on ``document``, named in ``parts/shared.js``, without a server.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import gradio as gr

from pipeline.web.words import typeset

_HERE: Final = Path(__file__).parent


def part(name: str, value: object = None, *, elem_id: str, **props: Any) -> gr.HTML:  # noqa: ANN401
    """The component in ``name.html``, ``name.css`` and ``name.js``; ``props`` reach its script."""
    return gr.HTML(
        value=value,
        html_template=text(f"{name}.html"),
        css_template=text(f"{name}.css"),
        js_on_load=f"const WORDS = {_words(name)};\n{text('shared.js')}\n{text(f'{name}.js')}",
        apply_default_css=False,
        elem_id=elem_id,
        elem_classes=["sb-part"],
        **props,
    )


def _words(name: str) -> str:
    said = json.loads(text("shared.json"))
    if (_HERE / f"{name}.json").is_file():
        said |= json.loads(text(f"{name}.json"))
    spoken = {
        key: {language: typeset(language, words) for language, words in texts.items()}
        for key, texts in said.items()
    }
    return json.dumps(spoken, ensure_ascii=False)


def text(name: str) -> str:
    """A file of this folder."""
    return (_HERE / name).read_text(encoding="utf-8")
