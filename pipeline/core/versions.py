"""Every version of the seed that was saved: who saved it when, and what it said.

Each save adds one file ``seeds/<time>-<16 hex>.json`` in the commit that writes
``seed_data.json``; no version is ever rewritten. A name sorts after those of all earlier versions,
whatever the clocks of different computers say, so that a list of names is the history in order.

Each version repeats in short who saved what in the ``_REMEMBERED`` versions before it. So one file
tells a page of the history, and no page costs a request for each of its lines.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Final

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core import layout
from pipeline.core.errors import FileMissing, InvalidInput
from pipeline.core.schema import Seed, Stored
from pipeline.core.store import Store

PAGE: Final = 20
"""Lines of the history that are read at once."""
_REMEMBERED: Final = PAGE - 1
_NAME: Final = re.compile(r"(\d{8}T\d{6})Z-([0-9a-f]{5})[0-9a-f]{11}")
_TIME: Final = "%Y%m%dT%H%M%S"
_LAST_YEAR: Final = 9_000
_OTHER: Final = "other"
"""Stands for keys that the seed has and Seedbed does not know."""


class Entry(BaseModel):
    """A line of the history.

    Attributes:
        name: Of the version, as its file is called without ``.json``.
        saved_at: ISO 8601, UTC.
        saved_by: Hugging Face name; empty for whoever ran Seedbed on their own computer.
        changed: The seed's fields that differ from the version before it.
        restored_from: The version whose words it has again, if somebody restored one.
        outside: Whether it was found in ``seed_data.json`` and not saved by Seedbed; then
            ``saved_at`` tells when it was found.
        readable: False where its file is none.
    """

    model_config = ConfigDict(frozen=True)

    name: str = Field(max_length=200)
    saved_at: str = Field(max_length=40)
    saved_by: str = Field(default="", max_length=200)
    changed: tuple[str, ...] = Field(default=(), max_length=50)
    restored_from: str = Field(default="", max_length=200)
    outside: bool = False
    readable: bool = True


class SeedVersion(Stored):
    """A version of the seed as it was saved; the attributes are those of ``Entry``."""

    FILE = "A saved version"
    MOST_BYTES = 3_000_000

    saved_at: str = Field(default="", max_length=40)
    saved_by: str = Field(default="", max_length=200)
    changed: list[str] = Field(default_factory=list, max_length=50)
    restored_from: str = Field(default="", max_length=200)
    outside: bool = False
    seed: Seed
    earlier: list[Entry] = Field(default_factory=list, max_length=200)
    """The versions before it, the newest first."""

    def entry(self, name: str) -> Entry:
        """Its line of the history."""
        return Entry(
            name=name,
            saved_at=self.saved_at,
            saved_by=self.saved_by,
            changed=tuple(self.changed),
            restored_from=self.restored_from,
            outside=self.outside,
        )


@dataclass(frozen=True, slots=True)
class History:
    """Some lines of the history.

    Attributes:
        entries: The newest first.
        start: How many newer ones there are.
        total: How many versions there are in all.
        outside: What differs between the newest version and ``seed_data.json``, if somebody
            changed that file without Seedbed; only told for the first page.
    """

    entries: tuple[Entry, ...]
    start: int
    total: int
    outside: tuple[str, ...] = ()

    @property
    def more(self) -> bool:
        """Whether there are older ones."""
        return self.start + len(self.entries) < self.total


def files(
    store: Store, before: Seed, after: Seed, *, by: str = "", restored_from: str = ""
) -> dict[str, bytes]:
    """What to write, by path, in the commit that saves ``after`` over ``before``.

    If ``before`` is not the newest version, because somebody changed ``seed_data.json`` without
    Seedbed, it is kept as a version as well: it would be lost otherwise. An empty seed is none.
    """
    newest = next(iter(names(store)), "")
    known = _try_read(store, newest) if newest else None
    last = known.seed if known is not None else Seed()
    earlier = [known.entry(newest), *known.earlier] if known is not None else []
    found = {}
    for seed, base, outside in ((before, last, True), (after, before, False)):
        if changed_fields(base, seed):
            now = datetime.now(UTC)
            version = SeedVersion(
                saved_at=now.isoformat(timespec="seconds"),
                saved_by="" if outside else by,
                changed=list(changed_fields(base, seed)),
                restored_from="" if outside else restored_from,
                outside=outside,
                seed=seed,
                earlier=earlier[:_REMEMBERED],
            )
            newest = _name(now, newest, version)
            earlier = [version.entry(newest), *earlier]
            found[layout.seed_version(newest)] = version.to_json()
    return found


def names(store: Store) -> list[str]:
    """The names of all versions, the newest first; costs no look into any file."""
    found = (path.removeprefix(f"{layout.SEEDS}/") for path in store.paths(layout.SEEDS))
    known = [name.removesuffix(".json") for name in found if name.endswith(".json")]
    return sorted((name for name in known if _moment(name) is not None), reverse=True)


def read_version(store: Store, name: str) -> SeedVersion:
    """One version in full.

    Raises:
        InvalidInput: There is no such version, or its file is none.
    """
    if _moment(name) is None:
        raise InvalidInput(f"{name[:80]!r} is no saved version.", "Choose one from the history.")
    path = layout.seed_version(name)
    try:
        return SeedVersion.from_json(store.read(path).data, path)
    except FileMissing as error:
        raise InvalidInput(
            f"The version {name} is not there any more.", "Choose another one."
        ) from error


def history(store: Store, current: Seed, start: int = 0, count: int = PAGE) -> History:
    """``count`` lines of the history after the newest ``start``.

    As a rule that reads one version; others are read only where it does not tell of them.

    Args:
        store: The project.
        current: What ``seed_data.json`` holds.
        start: How many of the newest to leave out.
        count: How many to tell of.
    """
    known = names(store)
    wanted = known[start : start + count]
    told: dict[str, Entry] = {}
    newest: SeedVersion | None = None
    for name in wanted:
        if name in told:
            continue
        version = _try_read(store, name)
        if name == known[0]:
            newest = version
        if version is None:
            told[name] = _unreadable(name)
            continue
        told |= {entry.name: entry for entry in version.earlier if entry.name not in told}
        told[name] = version.entry(name)
    outside: tuple[str, ...] = ()
    if start == 0:
        outside = changed_fields(newest.seed if newest is not None else Seed(), current)
    return History(tuple(told[name] for name in wanted), start, len(known), outside)


def last_saved(store: Store, current: Seed) -> Entry | None:
    """Who saved ``current`` when; None if it was not saved by Seedbed, or that cannot be told."""
    newest = next(iter(names(store)), "")
    version = _try_read(store, newest) if newest else None
    if version is None or changed_fields(version.seed, current):
        return None
    return version.entry(newest)


def changed_fields(old: Seed, new: Seed) -> tuple[str, ...]:
    """The fields on which two seeds differ; ``other`` for keys that Seedbed does not know."""
    known = [name for name in Seed.model_fields if name != "schema_version"]
    found = [name for name in known if getattr(old, name) != getattr(new, name)]
    other = (old.model_extra or {}) != (new.model_extra or {})
    return (*found, _OTHER) if other else tuple(found)


def _try_read(store: Store, name: str) -> SeedVersion | None:
    try:
        return read_version(store, name)
    except InvalidInput:
        return None


def _unreadable(name: str) -> Entry:
    moment = _moment(name)
    at = moment.isoformat(timespec="seconds") if moment is not None else ""
    return Entry(name=name, saved_at=at, readable=False)


def _name(at: datetime, newest: str, version: SeedVersion) -> str:
    """A name that no other version has and that sorts after ``newest``."""
    last = _moment(newest)
    if last is not None:
        at = max(at, last + timedelta(microseconds=1))
    digest = hashlib.sha256(version.to_json()).hexdigest()
    return f"{at:{_TIME}}Z-{at.microsecond:05x}{digest[:11]}"


def _moment(name: str) -> datetime | None:
    """The moment that a name tells; None if it is the name of no version."""
    found = _NAME.fullmatch(name)
    try:
        second = datetime.strptime(f"{found[1]}Z", f"{_TIME}%z") if found else None
    except ValueError:
        return None
    if found is None or second is None or second.year > _LAST_YEAR:
        return None
    return second + timedelta(microseconds=min(int(found[2], 16), 999_999))
