"""Which files are in a folder of a repository, asked for again only where something changed."""

from __future__ import annotations

import threading
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from typing import TypeAlias

from huggingface_hub.hf_api import RepoFile, RepoFolder

Entries: TypeAlias = Sequence[RepoFile | RepoFolder]
Listing: TypeAlias = Callable[[str, str, bool], Entries]


Key: TypeAlias = tuple[str, str]
"""A folder's path and the id that Git gives to its content; folders that are alike share an id."""


class Trees:
    """File names by folder and content.

    A folder of one id holds the same for ever, so a later look asks only for the folders whose id
    changed: of years of feedback, for one day.

    Args:
        listing: Lists a folder (``""`` for all) at a commit, itself alone or with all below it;
            empty if there is no such folder.
    """

    def __init__(self, listing: Listing) -> None:
        self._listing = listing
        self._guard = threading.Lock()
        self._known: dict[str, dict[Key, Entries]] = {}

    def paths(self, head: str, prefix: str) -> list[str]:
        """Every file under ``prefix`` at the commit ``head``, sorted."""
        with self._guard:
            look = _Look(self._listing, head, self._known.get(prefix, {}))
            found = sorted(look.paths(prefix))
            self._known[prefix] = look.used
        return found


class _Look:
    """One look at one commit.

    Attributes:
        used: The folders that were met, by id: what the next look may need.
    """

    def __init__(self, listing: Listing, head: str, known: dict[Key, Entries]) -> None:
        self.used: dict[Key, Entries] = {}
        self._listing = listing
        self._head = head
        self._known = known

    def paths(self, prefix: str) -> Iterator[str]:
        key = ("", self._head)
        for part in prefix.split("/") if prefix else ():
            path = f"{key[0]}/{part}" if key[0] else part
            found = [e for e in self._inside(key) if e.path == path]
            if not found or not isinstance(found[0], RepoFolder):
                return
            key = (path, found[0].tree_id)
        if not self._known:
            self._fill(key)
        yield from self._below(key)

    def _below(self, key: Key) -> Iterator[str]:
        for entry in self._inside(key):
            if isinstance(entry, RepoFolder):
                yield from self._below((entry.path, entry.tree_id))
            else:
                yield entry.path

    def _inside(self, key: Key) -> Entries:
        if key not in self.used:
            known = self._known.get(key)
            self.used[key] = self._listing(self._head, key[0], False) if known is None else known
        return self.used[key]

    def _fill(self, top: Key) -> None:
        """The first time, one request tells everything below."""
        keys = {top[0]: top}
        children: defaultdict[str, list[RepoFile | RepoFolder]] = defaultdict(list)
        for entry in self._listing(self._head, top[0], True):
            children[entry.path.rpartition("/")[0]].append(entry)
            if isinstance(entry, RepoFolder):
                keys[entry.path] = (entry.path, entry.tree_id)
        self.used |= {keys[path]: entries for path, entries in children.items()}
