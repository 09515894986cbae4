"""The words of the page in the reader's language, by way of Gradio's own translations.

Gradio translates what stands in a component's ``value`` by the browser's language, with English
for languages that are not there. So all the words of a component travel as one translation: a JSON
object, which the component's script reads from ``props.value``.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import gradio as gr
from gradio.i18n import I18nData

from pipeline.web.words import LANGUAGES


def translations() -> gr.I18n:
    """What ``launch`` is to be given as ``i18n``: the words of every component in this package."""
    files = sorted(Path(__file__).parent.glob("*/words.json"))
    words = {file: json.loads(file.read_text(encoding="utf-8")) for file in files}
    return gr.I18n(
        **{
            language: {
                _key(file): json.dumps({name: said[language] for name, said in words[file].items()})
                for file in files
            }
            for language in LANGUAGES
        }
    )


def component_props(file: Path) -> dict[str, Any]:
    """What ``gr.HTML`` is to be given, so that its script finds the words of ``file``."""
    return {"value": I18nData(_key(file))}


def _key(file: Path) -> str:
    return f"seedbed_{file.parent.name}"
