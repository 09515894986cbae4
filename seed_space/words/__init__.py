"""The page's words in five languages, a JSON file for each part of the page."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from pipeline.core.errors import InvalidInput, SeedbedError
from pipeline.web.words import Words

WORDS: Final = Words(Path(__file__).parent)
say = WORDS.say
count = WORDS.count
label = WORDS.label
layout = WORDS.layout


class Spoken(SeedbedError):
    """An error that is told in the reader's language already."""


class Told(Spoken, InvalidInput):
    """Input that cannot be used, told in the reader's language."""
