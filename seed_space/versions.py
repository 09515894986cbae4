"""What a visitor does with saved versions: look through them, compare, restore; free of Gradio."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from pipeline.core import versions
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import load_seed
from pipeline.core.schema import Seed
from pipeline.core.store import Store
from pipeline.core.versions import Entry, SeedVersion
from seed_space.screen import FIELDS, read, show

SCREEN: Final = "screen"
"""Stands for what is on the screen where a version may be named."""


@dataclass(frozen=True, slots=True)
class Restored:
    """A version whose words were put onto the screen.

    Attributes:
        name: The version's.
        seed: What it says.
        fields: What it changed on the screen.
    """

    name: str
    seed: Seed
    fields: tuple[str, ...]


@dataclass(slots=True)
class Past:
    """What one visitor has seen of the history.

    Attributes:
        entries: The lines that are shown, the newest first.
        more: Whether there are older ones.
        outside: Fields of ``seed_data.json`` that were changed without Seedbed.
        restored: The version that is on the screen, if any.
        aside: The screen as it was before something was put in its place.
    """

    entries: list[Entry] = field(default_factory=list)
    more: bool = False
    outside: tuple[str, ...] = ()
    restored: Restored | None = None
    aside: list[Any] | None = None


def look(store: Store, past: Past) -> None:
    """Read the newest lines of the history into ``past``.

    Raises:
        SeedbedError: The project cannot be read now.
    """
    page = versions.history(store, load_seed(store).seed)
    past.entries, past.more, past.outside = list(page.entries), page.more, page.outside


def look_further(store: Store, past: Past) -> None:
    """Add older lines to ``past``.

    Raises:
        SeedbedError: The project cannot be read now.
    """
    shown = {entry.name for entry in past.entries}
    # Somebody may have saved meanwhile, which moves all lines; none is shown twice.
    page = versions.history(store, Seed(), start=len(shown))
    past.entries += [entry for entry in page.entries if entry.name not in shown]
    past.more = page.more


def pair(
    store: Store, base: Seed, values: Sequence[object], name: str, other: str, language: str
) -> tuple[Seed, Seed]:
    """The two seeds to compare, the older first.

    Args:
        store: The project.
        base: What the screen started from.
        values: The screen.
        name: A version.
        other: Another version, or ``SCREEN``.
        language: Of messages about a screen that cannot be read.

    Raises:
        InvalidInput: There is no such version, or the screen cannot be read.
    """
    one = versions.read_version(store, name).seed
    if other == SCREEN:
        return one, read(values, base).require(language)
    two = versions.read_version(store, other).seed
    return (one, two) if name < other else (two, one)


def restore(
    store: Store, base: Seed, past: Past, values: Sequence[object], name: str
) -> tuple[list[Any], SeedVersion]:
    """The screen with the words of a version, which nothing but saving writes.

    What was there is kept in ``past.aside``.

    Raises:
        InvalidInput: There is no such version.
    """
    version = versions.read_version(store, name)
    now = read(values, base).seed or Seed()
    fields = tuple(f for f in FIELDS if getattr(now, f) != getattr(version.seed, f))
    if not fields:
        raise InvalidInput("The screen says the same as this version.", "There is nothing to do.")
    past.restored = Restored(name, version.seed, fields)
    past.aside = list(values)
    return show(version.seed), version


def put_back(past: Past, values: Sequence[object]) -> list[Any]:
    """The screen as it was before the last restoring or import; doing it twice changes nothing.

    Raises:
        InvalidInput: There is nothing to put back.
    """
    if past.aside is None:
        raise InvalidInput("There is nothing to undo.", "The screen stays as it is.")
    back, past.aside = past.aside, list(values)
    return back


def source_of(past: Past, seed: Seed) -> str:
    """The version that ``seed`` takes up again: the restored one, if anything of it is left."""
    restored = past.restored
    if restored is None:
        return ""
    kept = any(getattr(seed, f) == getattr(restored.seed, f) for f in restored.fields)
    return restored.name if kept else ""
