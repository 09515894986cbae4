"""What went wrong, in the reader's language.

The errors of the layers below speak English. Those that people meet when they do something are
translated, in ``messages.json``. Of any other one readers are told in their language what it is
about and what to do; its own words are behind a fold.
"""

from __future__ import annotations

import html
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.core.errors import SeedbedError
from pipeline.web.messages import Messages
from seed_space.words import WORDS, Spoken, say

FILE: Final = Path(__file__).with_name("messages.json")
_MESSAGES: Final = Messages(FILE)


@dataclass(frozen=True, slots=True)
class Trouble:
    """An error for a reader.

    Attributes:
        text: What it is about and what to do, in their language.
        exactly: Its own words in English; empty if ``text`` says them.
    """

    text: str
    exactly: str = ""

    def for_part(self) -> dict[str, str]:
        """As a part's script draws it."""
        return {"error": self.text, "exactly": self.exactly}


def told(language: str, error: SeedbedError) -> Trouble:
    """What to say of ``error`` in the reader's language."""
    own = str(error).strip()
    if language == "en" or isinstance(error, Spoken):
        return Trouble(own)
    if _MESSAGES.knows(error, language):
        return Trouble(_MESSAGES.told(error, language))
    keys = [f"errors.{kind.__name__}" for kind in type(error).__mro__]
    key = next(key for key in keys if key in WORDS.texts)
    return Trouble(say(language, key), own)


def failure(language: str, error: SeedbedError) -> str:
    """An error as a notice in HTML."""
    trouble = told(language, error)
    return notice(language, trouble.text, trouble.exactly)


def notice(language: str, text: str, exactly: str, *, about: str = "") -> str:
    """A notice of something bad in HTML.

    Args:
        language: The reader's.
        text: What is wrong and what to do.
        exactly: An error's own words in English, if they are to be found behind a fold.
        about: What it is about.
    """
    names = f'<p class="sb-quiet">{html.escape(about)}</p>' if about else ""
    fold = ""
    if exactly:
        fold = (
            f"<details><summary>{html.escape(say(language, 'errors.exactly'))}</summary>"
            f'<p lang="en">{html.escape(exactly)}</p></details>'
        )
    return f'<div class="sb-note bad" role="alert"><p>{html.escape(text)}</p>{names}{fold}</div>'
