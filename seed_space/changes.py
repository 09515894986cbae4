"""What differs between two versions of a seed, in words, and how two versions become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

from pipeline.core.schema import LANGUAGES, Example, Quota, Seed
from seed_space.screen import FIELDS, LABELS

Choice = Literal["mine", "theirs"]
_SHOWN: Final = 6
_QUOTED: Final = 70


@dataclass(frozen=True, slots=True)
class Change:
    """One field that differs.

    Attributes:
        field: Its name in the seed.
        label: Its name on the screen.
        words: What happened to it, a sentence each.
        before: The old text in full, for comparing.
        after: The new text in full.
    """

    field: str
    label: str
    words: tuple[str, ...]
    before: str
    after: str


def compare(old: Seed, new: Seed) -> list[Change]:
    """Every field of the screen that differs, in its order there."""
    return [
        Change(
            field=field,
            label=LABELS[field],
            words=tuple(_words(field, getattr(old, field), getattr(new, field))),
            before=as_text(old, field),
            after=as_text(new, field),
        )
        for field in FIELDS
        if getattr(old, field) != getattr(new, field)
    ]


def as_text(seed: Seed, field: str) -> str:
    """A field as somebody would write it down."""
    value = getattr(seed, field)
    if field == "language":
        return LANGUAGES.get(seed.language, seed.language)
    if field == "examples":
        return "\n\n".join(_example_text(example) for example in value)
    if field == "quotas":
        return "\n".join(map(_quota_text, value))
    return "\n".join(value) if isinstance(value, list) else str(value)


def choices(base: Seed | None, mine: Seed, theirs: Seed) -> list[dict[str, str]]:
    """Each field on which two versions differ, with the choice that loses nothing preselected.

    Where only one of the two changed ``base``, that one is it. Where both did, or where the base
    is not known, the choice is empty: only a person can make it.
    """
    rows = []
    for change in compare(theirs, mine):
        before = getattr(base, change.field) if base is not None else None
        choice = ""
        if base is not None and getattr(mine, change.field) == before:
            choice = "theirs"
        elif base is not None and getattr(theirs, change.field) == before:
            choice = "mine"
        rows.append(
            {
                "field": change.field,
                "label": change.label,
                "mine": change.after,
                "theirs": change.before,
                "choice": choice,
            }
        )
    return rows


def merge(mine: Seed, theirs: Seed, chosen: Mapping[str, Choice]) -> Seed:
    """Their version with every field of mine but those chosen to be theirs."""
    taken: dict[str, Any] = {
        field: getattr(mine, field) for field in FIELDS if chosen.get(field) != "theirs"
    }
    return theirs.model_copy(update=taken)


def _words(field: str, old: Any, new: Any) -> list[str]:  # noqa: ANN401 - any field of a seed
    if field == "examples":
        asked = [[example.question for example in version] for version in (old, new)]
        return [*_list_words(*asked), *_edited(old, new)]
    if field == "quotas":
        return _list_words(list(map(_quota_text, old)), list(map(_quota_text, new)))
    if field == "language":
        return [f"{LANGUAGES.get(old, old)} became {LANGUAGES.get(new, new)}."]
    return _list_words(old, new) if isinstance(new, list) else [_text_words(old, new)]


def _text_words(old: str, new: str) -> str:
    if not old.strip():
        return f"Added: {_quoted(new)}."
    if not new.strip():
        return f"Removed: {_quoted(old)}."
    if max(len(old), len(new)) <= _QUOTED:
        return f"{_quoted(old)} became {_quoted(new)}."
    return f"Rewritten; it had {len(old):,} characters and now has {len(new):,}."


def _list_words(old: Sequence[str], new: Sequence[str]) -> list[str]:
    added = [text for text in new if text not in old]
    removed = [text for text in old if text not in new]
    words = []
    if added:
        words.append(f"Added: {_listed(added)}.")
    if removed:
        words.append(f"Removed: {_listed(removed)}.")
    kept_before = [text for text in old if text in new]
    kept_now = [text for text in new if text in old]
    if sorted(kept_before) != sorted(kept_now):
        words.append("A repeated entry was added or removed.")
    elif kept_before != kept_now:
        words.append("Put into another order.")
    return words


def _edited(old: Sequence[Example], new: Sequence[Example]) -> list[str]:
    before = {example.question: example for example in old}
    edited = [e.question for e in new if e.question in before and before[e.question] != e]
    return [f"Changed: {_listed(edited)}."] if edited else []


def _listed(texts: Sequence[str]) -> str:
    shown = ", ".join(_quoted(text) for text in texts[:_SHOWN])
    more = len(texts) - _SHOWN
    return f"{shown} and {more} more" if more > 0 else shown


def _quoted(text: str) -> str:
    text = " ".join(text.split())
    return f"“{text}”" if len(text) <= _QUOTED else f"“{text[: _QUOTED - 1]}…”"


def _quota_text(quota: Quota) -> str:
    return f"{quota.topic} · {quota.perspective}: {quota.rows or 'off'}"


def _example_text(example: Example) -> str:
    about = " · ".join(filter(None, (example.topic, example.perspective)))
    lines = [f"Question: {example.question}", f"Answer: {example.answer}"]
    return "\n".join([*lines, f"About: {about}"] if about else lines)
