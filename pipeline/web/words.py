"""The words of a page in the reader's language.

Words stand in JSON files, one object for each key with the text in every language. What a page is
laid out with is translated by Gradio in the browser; what the server writes later is written in the
language that the browser asks for; a component's script gets the words of its own file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Final

import gradio as gr
from gradio.i18n import I18nData

LANGUAGES: Final = ("en", "es", "pt", "fr", "de")

_THOUSANDS: Final = {"en": ",", "es": ".", "pt": ".", "fr": "\u202f", "de": "."}
_DECIMAL: Final = {"en": ".", "es": ",", "pt": ",", "fr": ",", "de": ","}
_NOUGHT_IS_ONE: Final = frozenset({"fr", "pt"})
"""Languages that say "0 topic" rather than "0 topics"."""

_BEFORE_UNIT: Final = re.compile(r"(?<=[\d}]) (?=(?:MB|Mo|%)(?!\w))")
_BEFORE_SIGN: Final = re.compile(r" (?=[;!?])")

Say = Callable[..., str]
"""``say(key, **values)`` in one language."""


class Words:
    """The words in a folder's JSON files: ``{"key": {"en": "…", "es": "…", …}}``.

    Keys are unique in the folder. A text may hold ``{name}``, which ``say`` fills in.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._layouts: dict[str, dict[str, str]] = {}

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
                found[key] = {language: typeset(language, text) for language, text in said.items()}
        return found

    def say(self, language: str, key: str, /, **values: object) -> str:
        """The text of ``key`` with numbers as they are written there; nothing is escaped."""
        shown = {
            name: number(language, value)
            if isinstance(value, int | float) and not isinstance(value, bool)
            else value
            for name, value in values.items()
        }
        return self.texts[key][language].format_map(shown)

    def count(self, language: str, key: str, n: int, /, **values: object) -> str:
        """The text of ``key.one`` or ``key.many``, with ``{n}`` filled in."""
        one = n == 1 or (n == 0 and language in _NOUGHT_IS_ONE)
        return self.say(language, f"{key}.{'one' if one else 'many'}", n=n, **values)

    def label(self, key: str) -> str:
        """A text that the browser translates: for labels and values of a page's layout."""
        if key not in self.texts:
            raise KeyError(key)
        return _marker(key)

    def layout(self, write: Callable[[Say], str]) -> str:
        """HTML of a page's layout, which the browser shows in the reader's language.

        Call it before ``translations``.

        Args:
            write: Writes the HTML with the words it is given; called once for each language.
        """
        written = {language: write(partial(self.say, language)) for language in LANGUAGES}
        digest = hashlib.sha256(json.dumps(written).encode()).hexdigest()[:16]
        self._layouts[f"layout.{digest}"] = written
        return _marker(f"layout.{digest}")

    def translations(self) -> gr.I18n:
        """What ``launch`` is to be given as ``i18n``, once the page is laid out."""
        return gr.I18n(
            **{
                language: {
                    key: said[language] for key, said in {**self.texts, **self._layouts}.items()
                }
                for language in LANGUAGES
            }
        )


def typeset(language: str, text: str) -> str:
    """A text with spaces that do not break where a line must not: 20 MB, « ainsi » ; pourquoi ?"""
    text = _BEFORE_UNIT.sub("\u00a0", text).replace(" …", "\u00a0…")
    if language != "fr":
        return text
    text = _BEFORE_SIGN.sub("\u202f", text).replace(" :", "\u00a0:")
    return text.replace("« ", "«\u00a0").replace(" »", "\u00a0»")


def number(language: str, value: float) -> str:
    """A number as it is written in ``language``, with one decimal place where it has a fraction."""
    plain = f"{value:,.1f}".removesuffix(".0")
    signs = {",": _THOUSANDS[language], ".": _DECIMAL[language]}
    return "".join(signs.get(sign, sign) for sign in plain)


def language_of(request: gr.Request | None) -> str:
    """The language that a browser asks for first if it is one of ``LANGUAGES``, else English.

    Gradio, which translates the layout, and the parts' scripts look at the first one only; all of a
    page shall be in one language.
    """
    asked = request.headers.get("accept-language", "") if request is not None else ""
    first = asked.split(",")[0].partition(";")[0].strip().lower().split("-")[0]
    return first if first in LANGUAGES else "en"


def _marker(key: str) -> str:
    data: str = I18nData(key)  # type: ignore[assignment]  # Gradio takes it wherever it takes text
    return data
