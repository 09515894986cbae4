"""Who wrote which paragraph of a text that a program writes anew and people edit.

The program's part stands between two marks. The first one names each of the program's paragraphs
with a digest of it. What is found between the marks and has none of these digests is a person's: a
paragraph of their own, or one of ours that they changed. It is kept behind the paragraph that it
stood behind.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from hashlib import sha256
from typing import Final

_BEGIN: Final = "<!-- written by Seedbed: begin"
_END: Final = "<!-- written by Seedbed: end -->"
_OURS: Final = re.compile(
    rf"{re.escape(_BEGIN)}(?P<told>[^\n]*?)-->\n?(?P<held>.*?){re.escape(_END)}", re.DOTALL
)


@dataclass(frozen=True, slots=True)
class Paragraph:
    """One paragraph, table or block of code.

    Attributes:
        key: ``section.number``: what tells where a person's paragraph stood.
    """

    key: str
    text: str

    def digest(self) -> str:
        """Of the text, whatever the spaces at its ends."""
        return sha256(self.text.strip().encode()).hexdigest()[:12]


def paragraphs(section: str, texts: Iterable[str]) -> list[Paragraph]:
    """The paragraphs of one section."""
    cut = (piece for text in texts for piece in split(text))
    return [Paragraph(f"{section}.{number}", piece) for number, piece in enumerate(cut)]


def merge(old: str, ours: Sequence[Paragraph]) -> str:
    """``old`` with our part written anew; a part that is not there yet comes first."""
    found = _OURS.search(old)
    if found is None:
        return f"{_part(ours, {})}\n\n{old}"
    kept = _kept(found["told"], found["held"])
    return old[: found.start()] + _part(ours, kept) + old[found.end() :]


def split(text: str) -> Iterator[str]:
    """Paragraphs; an empty line inside a block of code ends none."""
    held: list[str] = []
    fenced = False
    for line in text.splitlines():
        if line.lstrip().startswith(("```", "~~~")):
            fenced = not fenced
        if line.strip() or fenced:
            held.append(line)
        elif held:
            yield "\n".join(held)
            held = []
    if held:
        yield "\n".join(held)


def _kept(told: str, held: str) -> dict[str, list[str]]:
    """A person's paragraphs by the key of ours before them, which may be none."""
    if not told.strip():
        return {}  # from before digests were told: all is ours
    keys: dict[str, list[str]] = defaultdict(list)
    for entry in told.split():
        key, _, digest = entry.rpartition(":")
        keys[digest].append(key)
    kept: dict[str, list[str]] = defaultdict(list)
    after = ""
    for piece in split(held):
        mine = keys.get(Paragraph("", piece).digest())
        if mine:
            after = mine.pop(0)
        else:
            kept[after].append(piece)
    return kept


def _part(ours: Sequence[Paragraph], kept: dict[str, list[str]]) -> str:
    there = {paragraph.key for paragraph in ours}
    last = {paragraph.key.partition(".")[0]: paragraph.key for paragraph in ours}
    placed: dict[str, list[str]] = defaultdict(list)
    for key, pieces in kept.items():
        end = ours[-1].key if ours else ""
        placed[key if not key or key in there else last.get(key.partition(".")[0], end)] += pieces
    told = " ".join(f"{paragraph.key}:{paragraph.digest()}" for paragraph in ours)
    lines = [f"{_BEGIN} {told} -->", *placed[""]]
    for paragraph in ours:
        lines += [paragraph.text, *placed[paragraph.key]]
    return "\n\n".join([*lines, _END])
