"""Who gets which question next.

A question is one task on one sample: a completion for thumbs, two completions for a pair. Each
annotator has an order of their own, so that the first samples do not collect all the attention,
and gets the same order again after a restart.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Set
from dataclasses import dataclass, field
from itertools import combinations
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.core.feedback import Key
from pipeline.core.schema import Sample, Task, stable_id

_KEPT_ORDERS: Final = 256
"""Annotators whose order is kept in memory."""


@dataclass(frozen=True, slots=True)
class Question:
    """One thing to ask about one sample.

    Attributes:
        completion_ids: One for thumbs; two, in a fixed order, for a pair.
    """

    task: Task
    sample_id: str
    completion_ids: tuple[str, ...]

    def key(self, annotator: str) -> Key:
        """What an answer of ``annotator`` to this question is about."""
        return Key(annotator, self.sample_id, self.task, "|".join(sorted(self.completion_ids)))

    def sides(self, annotator: str) -> tuple[str, ...]:
        """The completions as ``annotator`` sees them: a coin of their own decides the sides."""
        coin = int(stable_id("sides", annotator, self.sample_id, *sorted(self.completion_ids)), 16)
        return self.completion_ids if coin % 2 else self.completion_ids[::-1]


def questions(sample: Sample, task: Task) -> Iterator[Question]:
    """Everything that ``task`` asks about ``sample``."""
    ids = [completion.completion_id for completion in sample.completions]
    size = 1 if task == "thumbs" else 2
    for chosen in combinations(ids, size):
        yield Question(task, sample.sample_id, chosen)


@dataclass(slots=True)
class Pool:
    """All questions of one task; they are only ever added."""

    questions: list[Question] = field(default_factory=list)
    _hashes: list[int] = field(default_factory=list)
    _orders: dict[str, npt.NDArray[np.int64]] = field(default_factory=dict)

    def add(self, new: Iterable[Question]) -> None:
        """Add questions; everybody's order changes only by where the new ones fall."""
        for question in new:
            self.questions.append(question)
            self._hashes.append(int(stable_id(question.sample_id, *question.completion_ids), 16))
        self._orders.clear()

    def upcoming(self, annotator: str, answered: Set[Key]) -> Iterator[Question]:
        """What ``annotator`` has not answered, in their order."""
        for index in self._order(annotator):
            question = self.questions[index]
            if question.key(annotator) not in answered:
                yield question

    def _order(self, annotator: str) -> npt.NDArray[np.int64]:
        order = self._orders.get(annotator)
        if order is None:
            digest = hashlib.sha256(annotator.encode()).digest()
            seed = np.frombuffer(digest[:8], dtype=np.uint64)[0]
            order = np.argsort(_mixed(np.array(self._hashes, dtype=np.uint64) ^ seed))
            if len(self._orders) >= _KEPT_ORDERS:
                del self._orders[next(iter(self._orders))]  # the oldest; it can be made again
            self._orders[annotator] = order
        return order


def _mixed(values: npt.NDArray[np.uint64]) -> npt.NDArray[np.uint64]:
    """The finalizer of SplitMix64 (Steele, Lea, Flood, OOPSLA 2014): every bit moves every bit."""
    values = (values ^ (values >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    values = (values ^ (values >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return values ^ (values >> np.uint64(31))
