"""What differs between two versions of a seed, in words, and how two versions become one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Literal

from pipeline.core.schema import Example, Quota, Seed
from pipeline.web.words import Say
from seed_space.screen import FIELDS, OWN_NAMES, name_of
from seed_space.words import say

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


def compare(old: Seed, new: Seed, language: str) -> list[Change]:
    """Every field of the screen that differs, in its order there, told in ``language``."""
    tell = partial(say, language)
    return [
        Change(
            field=field,
            label=name_of(language, field),
            words=tuple(_words(tell, field, getattr(old, field), getattr(new, field))),
            before=as_text(old, field, language),
            after=as_text(new, field, language),
        )
        for field in FIELDS
        if getattr(old, field) != getattr(new, field)
    ]


def as_text(seed: Seed, field: str, language: str) -> str:
    """A field as somebody would write it down."""
    value = getattr(seed, field)
    if field == "language":
        return OWN_NAMES.get(seed.language, seed.language)
    if field == "examples":
        return "\n\n".join(_example_text(partial(say, language), example) for example in value)
    if field == "quotas":
        return "\n".join(_quota_text(partial(say, language), quota) for quota in value)
    return "\n".join(value) if isinstance(value, list) else str(value)


def choices(base: Seed | None, mine: Seed, theirs: Seed, language: str) -> list[dict[str, str]]:
    """Each field on which two versions differ, with the choice that loses nothing preselected.

    Where only one of the two changed ``base``, that one is it. Where both did, or where the base
    is not known, the choice is empty: only a person can make it.
    """
    rows = []
    for change in compare(theirs, mine, language):
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


def _words(tell: Say, field: str, old: Any, new: Any) -> list[str]:  # noqa: ANN401 - any field of a seed
    if field == "examples":
        asked = [[example.question for example in version] for version in (old, new)]
        return [*_list_words(tell, *asked), *_edited(tell, old, new)]
    if field == "quotas":
        shown = [[_quota_text(tell, quota) for quota in version] for version in (old, new)]
        return _list_words(tell, *shown)
    if field == "language":
        return [tell("changes.became", old=OWN_NAMES.get(old, old), new=OWN_NAMES.get(new, new))]
    return _list_words(tell, old, new) if isinstance(new, list) else [_text_words(tell, old, new)]


def _text_words(tell: Say, old: str, new: str) -> str:
    if not old.strip():
        return tell("changes.added", texts=_quoted(tell, new))
    if not new.strip():
        return tell("changes.removed", texts=_quoted(tell, old))
    if max(len(old), len(new)) <= _QUOTED:
        return tell("changes.became", old=_short(old), new=_short(new))
    return tell("changes.rewritten", before=len(old), after=len(new))


def _list_words(tell: Say, old: Sequence[str], new: Sequence[str]) -> list[str]:
    added = [text for text in new if text not in old]
    removed = [text for text in old if text not in new]
    words = []
    if added:
        words.append(tell("changes.added", texts=_listed(tell, added)))
    if removed:
        words.append(tell("changes.removed", texts=_listed(tell, removed)))
    kept_before = [text for text in old if text in new]
    kept_now = [text for text in new if text in old]
    if sorted(kept_before) != sorted(kept_now):
        words.append(tell("changes.repeated"))
    elif kept_before != kept_now:
        words.append(tell("changes.reordered"))
    return words


def _edited(tell: Say, old: Sequence[Example], new: Sequence[Example]) -> list[str]:
    before = {example.question: example for example in old}
    edited = [e.question for e in new if e.question in before and before[e.question] != e]
    return [tell("changes.edited", texts=_listed(tell, edited))] if edited else []


def _listed(tell: Say, texts: Sequence[str]) -> str:
    shown = ", ".join(_quoted(tell, text) for text in texts[:_SHOWN])
    more = len(texts) - _SHOWN
    return tell("changes.more", texts=shown, n=more) if more > 0 else shown


def _quoted(tell: Say, text: str) -> str:
    return tell("changes.quoted", text=_short(text))


def _short(text: str) -> str:
    text = " ".join(text.split())
    return text if len(text) <= _QUOTED else f"{text[: _QUOTED - 1]}…"


def _quota_text(tell: Say, quota: Quota) -> str:
    rows = quota.rows or tell("changes.off")
    return f"{quota.topic} · {quota.perspective}: {rows}"


def _example_text(tell: Say, example: Example) -> str:
    lines = [
        tell("changes.question", text=example.question),
        tell("changes.answer", text=example.answer),
    ]
    about = " · ".join(filter(None, (example.topic, example.perspective)))
    return "\n".join([*lines, tell("changes.about", text=about)] if about else lines)
