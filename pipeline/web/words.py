"""The words of a page in the reader's language.

Words stand in JSON files, one object for each key with the text in every language. What a page is
laid out with is translated by Gradio in the browser; what the server writes later is written in the
language that the browser asks for; a component's script gets the words of its own file.
"""

from __future__ import annotations

import json
from functools import cached_property
from pathlib import Path
from typing import Final

import gradio as gr
from gradio.i18n import I18nData

LANGUAGES: Final = ("en", "es", "pt", "fr", "de")


class Words:
    """The words in a folder's JSON files: ``{"key": {"en": "…", "es": "…", …}}``.

    Keys are unique in the folder. A text may hold ``{name}``, which ``say`` fills in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    @cached_property
    def texts(self) -> dict[str, dict[str, str]]:
        """Every text by key and language.

        Raises:
            ValueError: Two files have the same key.
        """
        found: dict[str, dict[str, str]] = {}
        for file in sorted(self._folder.glob("*.json")):
            for key, said in json.loads(file.read_text(encoding="utf-8")).items():
                if key in found:
                    raise ValueError(f"{file.name} repeats the words of {key}")
                found[key] = said
        return found

    def say(self, language: str, key: str, **values: object) -> str:
        """The text of ``key``; not escaped, nor are the values."""
        return self.texts[key][language].format_map(values)

    def label(self, key: str) -> str:
        """A text that the browser translates: for labels and values of a page's layout."""
        if key not in self.texts:
            raise KeyError(key)
        data: str = I18nData(key)  # type: ignore[assignment]  # Gradio takes it wherever it takes text
        return data

    def translations(self) -> gr.I18n:
        """What ``launch`` is to be given as ``i18n``."""
        return gr.I18n(
            **{
                language: {key: said[language] for key, said in self.texts.items()}
                for language in LANGUAGES
            }
        )


def language_of(request: gr.Request | None) -> str:
    """The language among ``LANGUAGES`` that a browser asks for first, else English."""
    asked = request.headers.get("accept-language", "") if request is not None else ""
    ranked = []
    for place, item in enumerate(asked.split(",")):
        name, _, quality = item.partition(";q=")
        try:
            weight = float(quality) if quality else 1.0
        except ValueError:
            weight = 0.0
        ranked.append((-weight, place, name.strip().lower().split("-")[0]))
    return next((name for _, _, name in sorted(ranked) if name in LANGUAGES), "en")
