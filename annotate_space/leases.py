"""What is handed out and held: by whom, in which tab, until when."""

from __future__ import annotations

from collections import OrderedDict
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
        claims: The codes of questions that the tab says it has though nothing tells that they were
            handed to it, by question id. They are kept from this person's other tabs only.
    """

    person: str
    name: str
    since: float
    until: float
    items: dict[str, Item] = field(default_factory=dict)
    subjects: dict[str, int] = field(default_factory=dict)
    claims: dict[str, int] = field(default_factory=dict)

    @property
    def room(self) -> int:
        """How many questions more it can hold."""
        return max(0, MOST_HELD - len(self.items) - len(self.claims))


@dataclass(slots=True)
class Leases(Generic[Item]):
    """Questions held, by tab and by question. Every method that looks must be told the time."""

    _tabs: OrderedDict[tuple[str, str], Tab[Item]] = field(default_factory=OrderedDict)
    """The one unheard of for longest first."""
    _own: dict[str, dict[str, Tab[Item]]] = field(default_factory=dict)
    """The tabs of each person."""
    _holders: dict[int, dict[str, bool]] = field(default_factory=dict)
    """By question: who has it, and whether their answer will take a place."""

    def tab(self, person: str, name: str, now: float) -> Tab[Item]:
        """A tab, renewed; it may be new."""
        own = self._own.setdefault(person, {})
        tab = own.get(name)
        if tab is None:
            if len(own) >= MOST_TABS:
                self._close(min(own.values(), key=lambda t: t.until))
                own = self._own.setdefault(person, {})
            tab = own[name] = self._tabs[person, name] = Tab(person, name, now, now)
        if not tab.items:
            tab.since = now
        tab.until = now + LEASE_SECONDS
        self._tabs.move_to_end((person, name))
        return tab

    def renew(self, person: str, name: str, now: float) -> None:
        """Hold what a tab holds for longer."""
        if (person, name) in self._tabs:
            self.tab(person, name, now)

    def expire(self, now: float) -> None:
        """Let go of what tabs hold that were not heard of for too long."""
        while self._tabs and (oldest := next(iter(self._tabs.values()))).until <= now:
            self._close(oldest)

    def hold(
        self, tab: Tab[Item], question_id: str, subject: int, item: Item, *, counts: bool
    ) -> None:
        """Hold one more question for a tab."""
        tab.items[question_id] = item
        tab.subjects[question_id] = subject
        self._holders.setdefault(subject, {})[tab.person] = counts

    def claim(self, tab: Tab[Item], question_id: str, subject: int) -> None:
        """Note that a tab says it has a question: it takes no place from others."""
        tab.claims[question_id] = subject
        self._holders.setdefault(subject, {})[tab.person] = False

    def release(self, tab: Tab[Item], question_id: str) -> None:
        """Let go of one question of a tab."""
        del tab.items[question_id]
        self._free(tab.subjects.pop(question_id), tab.person)

    def release_others(self, tab: Tab[Item], keep: Collection[str]) -> dict[str, Item]:
        """Let go of all but ``keep``; what had been handed out of it, in that order."""
        gone = {name: item for name, item in tab.items.items() if name not in keep}
        for name in gone:
            self.release(tab, name)
        for name in [name for name in tab.claims if name not in keep]:
            self._free(tab.claims.pop(name), tab.person)
        return gone

    def answered(self, person: str, subject: int) -> None:
        """Let go of a question that was answered, whichever tab holds it."""
        if person not in self._holders.get(subject, ()):
            return
        for tab in self._own.get(person, {}).values():
            for name in [n for n, held in tab.subjects.items() if held == subject]:
                self.release(tab, name)
            for name in [n for n, held in tab.claims.items() if held == subject]:
                self._free(tab.claims.pop(name), person)

    def holds(self, person: str, subject: int) -> bool:
        """Whether a person has a question in any tab, or says so."""
        return person in self._holders.get(subject, ())

    def places(self, person: str) -> int:
        """How many questions a person holds whose places others must wait for."""
        own = self._own.get(person, {}).values()
        return sum(self._holders[held][person] for tab in own for held in tab.subjects.values())

    def others(self, person: str, subject: int) -> int:
        """How many other people hold a question and will take a place of it."""
        holders = self._holders.get(subject)
        if not holders:
            return 0
        return sum(counts for holder, counts in holders.items() if holder != person)

    def tabs(self) -> Iterator[Tab[Item]]:
        """The tabs that hold something."""
        return (tab for tab in self._tabs.values() if tab.items)

    def tidy(self, tab: Tab[Item]) -> None:
        """Forget a tab that has nothing."""
        if not tab.items and not tab.claims:
            self._close(tab)

    def _close(self, tab: Tab[Item]) -> None:
        self.release_others(tab, ())
        del self._tabs[tab.person, tab.name]
        own = self._own[tab.person]
        del own[tab.name]
        if not own:
            del self._own[tab.person]

    def _free(self, subject: int, person: str) -> None:
        holders = self._holders[subject]
        holders.pop(person, None)
        if not holders:
            del self._holders[subject]
