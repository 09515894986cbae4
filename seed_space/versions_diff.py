"""Two texts side by side, with the words that differ marked."""

from __future__ import annotations

import html
import re
from difflib import SequenceMatcher
from typing import Final

_TOKENS: Final = re.compile(r"\s+|[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]|\w+|[^\w\s]")
_LINES: Final = re.compile(r"[^\n]*\n|[^\n]+")
_MOST_STEPS: Final = 1_500_000
"""Pairs of words that may be compared; beyond it whole lines are, and then nothing."""


def marked(before: str, after: str) -> tuple[str, str]:
    """Both texts as HTML: what only the first has is in ``<del>``, only the second in ``<ins>``.

    Texts that are too long to be compared word by word are compared by lines, which takes at most
    about a second; such that are too long for that are shown without marks.
    """
    for pattern in (_TOKENS, _LINES):
        old, new = pattern.findall(before), pattern.findall(after)
        if len(old) * len(new) <= _MOST_STEPS:
            return _mark(old, new)
    return html.escape(before), html.escape(after)


def _mark(old: list[str], new: list[str]) -> tuple[str, str]:
    left, right = [], []
    for kind, i, j, k, m in SequenceMatcher(None, old, new, autojunk=False).get_opcodes():
        mine, theirs = html.escape("".join(old[i:j])), html.escape("".join(new[k:m]))
        left.append(mine if kind == "equal" or not mine else f"<del>{mine}</del>")
        right.append(theirs if kind == "equal" or not theirs else f"<ins>{theirs}</ins>")
    return "".join(left), "".join(right)
