"""Pieces of HTML about saved versions; every text from outside is escaped here."""

from __future__ import annotations

import html
import uuid
from collections.abc import Sequence
from typing import Any

from pipeline.core.schema import Example, Seed
from pipeline.core.versions import Entry
from seed_space.changes import as_text, compare
from seed_space.versions import Past
from seed_space.versions_diff import marked
from seed_space.words import say


def comparison(language: str, old: Seed, new: Seed) -> str:
    """Every field on which two versions differ, side by side, the differing words marked."""
    changes = compare(old, new, language)
    if not changes:
        text = html.escape(say(language, "versions.same"))
        return f'<p class="sb-quiet" role="status">{text}</p>'
    # Of examples only those that differ: both sides may hold hundreds.
    before, after = _without_shared(old, new), _without_shared(new, old)
    empty = f'<span class="none">{html.escape(say(language, "versions.empty"))}</span>'
    rows = []
    for change in changes:
        left, right = marked(
            as_text(before, change.field, language), as_text(after, change.field, language)
        )
        rows.append(
            f"<section><h4>{html.escape(change.label)}</h4>"
            '<div class="sides">'
            f"<div><h5>{html.escape(say(language, 'versions.before'))}</h5>"
            f'<p tabindex="0">{left or empty}</p></div>'
            f"<div><h5>{html.escape(say(language, 'versions.after'))}</h5>"
            f'<p tabindex="0">{right or empty}</p></div>'
            "</div></section>"
        )
    return "".join(rows)


def _without_shared(seed: Seed, other: Seed) -> Seed:
    theirs: Sequence[Example] = other.examples
    return seed.model_copy(update={"examples": [e for e in seed.examples if e not in theirs]})


def saver(language: str, entry: Entry) -> str:
    """Who saved a version and when, as a sentence."""
    who = entry.saved_by or say(language, "versions.owner")
    text = html.escape(say(language, "versions.saved_by", who=who, when="\0"))
    return text.replace("\0", _time(entry.saved_at))


def other_version(language: str, entry: Entry | None) -> str:
    """Whose version is in the way of saving."""
    text = (
        saver(language, entry)
        if entry is not None
        else html.escape(say(language, "versions.unknown"))
    )
    return f'<p class="sb-quiet">{text}</p>'


def shown(past: Past, **also: Any) -> dict[str, Any]:  # noqa: ANN401 - what the part understands
    """``past`` as the part of the history draws it."""
    at = {entry.name: entry.saved_at for entry in past.entries}
    return {
        "state": "ready",
        "entries": [
            {
                "name": entry.name,
                "at": entry.saved_at,
                "by": entry.saved_by,
                "fields": list(entry.changed),
                "restored": entry.restored_from,
                "restored_at": at.get(entry.restored_from, ""),
                "outside": entry.outside,
                "readable": entry.readable,
            }
            for entry in past.entries
        ],
        "more": past.more,
        "outside": list(past.outside),
        "turn": uuid.uuid4().hex,  # the same answer twice is drawn twice
        **also,
    }


def _time(at: str) -> str:
    """A moment that the page puts into the reader's own zone and format."""
    text = html.escape(at, quote=True)
    return f'<time datetime="{text}" data-day>{text}</time>'
