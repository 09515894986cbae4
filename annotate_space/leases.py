"""What is handed out and held: by whom, in which tab, until when."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field
from typing import Final, Generic, TypeVar

LEASE_SECONDS: Final = 600.0
"""How long a tab that says nothing holds its questions."""
MOST_TABS: Final = 20
"""Tabs in which one annotator can hold questions; the one unheard of for longest goes."""
MOST_HELD: Final = 200
"""Questions that one tab can hold."""

Item = TypeVar("Item")


@dataclass(slots=True)
class Tab(Generic[Item]):
    """What one tab of one annotator holds.

    Attributes:
        items: What was handed out, by question id, in order.
        subjects: The code of the question of each.
    """

    person: int
    name: str
    since: float
    until: float
    items: dict[str, Item] = field(default_factory=dict)
    subjects: dict[str, int] = field(default_factory=dict)


@dataclass(slots=True)
class Leases(Generic[Item]):
    """Questions held, by tab and by question. Every method that looks must be told the time."""

    _tabs: dict[tuple[int, str], Tab[Item]] = field(default_factory=dict)
    _holders: dict[int, dict[int, bool]] = field(default_factory=dict)
    """By question: who holds it, and whether their answer will take a place."""

    def tab(self, person: int, name: str, now: float) -> Tab[Item]:
        """A tab, renewed; it may be new."""
        tab = self._tabs.get((person, name))
        if tab is None:
            own = [t for t in self._tabs.values() if t.person == person]
            if len(own) >= MOST_TABS:
                self._close(min(own, key=lambda t: t.until))
            tab = self._tabs[person, name] = Tab(person, name, now, now)
        if not tab.items:
            tab.since = now
        tab.until = now + LEASE_SECONDS
        return tab

    def renew(self, person: int, name: str, now: float) -> None:
        """Hold what a tab holds for longer."""
        if (person, name) in self._tabs:
            self.tab(person, name, now)

    def expire(self, now: float) -> None:
        """Let go of what tabs hold that were not heard of for too long."""
        for tab in [t for t in self._tabs.values() if t.until <= now]:
            self._close(tab)

    def hold(
        self, tab: Tab[Item], question_id: str, subject: int, item: Item, *, counts: bool
    ) -> None:
        """Hold one more question for a tab."""
        tab.items[question_id] = item
        tab.subjects[question_id] = subject
        self._holders.setdefault(subject, {})[tab.person] = counts

    def release(self, tab: Tab[Item], question_id: str) -> None:
        """Let go of one question of a tab."""
        del tab.items[question_id]
        self._free(tab.subjects.pop(question_id), tab.person)

    def release_others(self, tab: Tab[Item], keep: Collection[str]) -> dict[str, Item]:
        """Let go of all but ``keep``; what was let go of, in the order it was handed out."""
        gone = {name: item for name, item in tab.items.items() if name not in keep}
        for name in gone:
            self.release(tab, name)
        return gone

    def answered(self, person: int, subject: int) -> None:
        """Let go of a question that was answered, whichever tab holds it."""
        if person not in self._holders.get(subject, ()):
            return
        for tab in self._tabs.values():
            if tab.person == person:
                for name in [n for n, held in tab.subjects.items() if held == subject]:
                    self.release(tab, name)

    def holds(self, person: int, subject: int) -> bool:
        """Whether a person holds a question in any tab."""
        return person in self._holders.get(subject, ())

    def others(self, person: int, subject: int) -> int:
        """How many other people hold a question and will take a place of it."""
        holders = self._holders.get(subject)
        if not holders:
            return 0
        return sum(counts for holder, counts in holders.items() if holder != person)

    def tabs(self) -> Iterator[Tab[Item]]:
        """The tabs that hold something."""
        return (tab for tab in self._tabs.values() if tab.items)

    def _close(self, tab: Tab[Item]) -> None:
        self.release_others(tab, ())
        del self._tabs[tab.person, tab.name]

    def _free(self, subject: int, person: int) -> None:
        holders = self._holders[subject]
        holders.pop(person, None)
        if not holders:
            del self._holders[subject]
