"""The words of the page in the reader's language, by way of Gradio's own translations.

Gradio translates what stands in a component's ``value`` by the browser's language, with English
for languages that are not there. So all the words of a component travel as one translation: a JSON
object, which the component's script reads from ``props.value``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import gradio as gr
from gradio.i18n import I18nData

from pipeline.web.words import LANGUAGES, typeset

_HERE: Final = Path(__file__).parent
_SHARED: Final = {_HERE / "own_page": _HERE / "deck" / "answers.json"}
"""Which folder also says what stands in a file of another."""


def translations() -> gr.I18n:
    """What ``launch`` is to be given as ``i18n``: the words of every component in this package."""
    words: dict[str, dict[str, dict[str, str]]] = {}
    said = [(file.parent, file) for file in sorted(_HERE.glob("*/*.json"))]
    for folder, file in [*said, *_SHARED.items()]:
        words.setdefault(_key(folder), {}).update(json.loads(file.read_text(encoding="utf-8")))
    return gr.I18n(
        **{
            language: {
                key: json.dumps(
                    {name: typeset(language, said[language]) for name, said in phrases.items()}
                )
                for key, phrases in words.items()
            }
            for language in LANGUAGES
        }
    )


def component_props(folder: Path) -> dict[str, Any]:
    """What ``gr.HTML`` is to be given, so that its script finds the words of ``folder``."""
    return {"value": I18nData(_key(folder))}


def _key(folder: Path) -> str:
    return f"seedbed_{folder.name}"
