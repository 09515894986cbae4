"""Counts by topic and perspective."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from pipeline.core.quotas import cell_key, wanted_rows
from pipeline.core.schema import Cell, Seed, normalized


@dataclass(frozen=True, slots=True)
class Grid:
    """How many there are in each cell.

    Attributes:
        topics: The rows.
        perspectives: The columns.
        counts: One tuple for each topic, with one figure for each perspective.
    """

    topics: tuple[str, ...] = ()
    perspectives: tuple[str, ...] = ()
    counts: tuple[tuple[int, ...], ...] = ()

    def at(self, topic: str, perspective: str) -> int:
        """The figure of one cell, by the spelling that the grid shows."""
        return self.counts[self.topics.index(topic)][self.perspectives.index(perspective)]

    def total(self) -> int:
        """The sum of all cells."""
        return sum(sum(row) for row in self.counts)

    def as_json(self) -> dict[str, dict[str, int]]:
        """By topic, then by perspective."""
        return {
            topic: dict(zip(self.perspectives, row, strict=True))
            for topic, row in zip(self.topics, self.counts, strict=True)
        }


def wanted_grid(seed: Seed, rows: int, shape: Grid) -> Grid:
    """What each cell of ``shape`` shall have if the project shall have ``rows``; others have 0."""
    wanted = wanted_rows(seed, rows)
    counts = (
        tuple(wanted.get(cell_key(Cell(topic=topic, perspective=view)), 0) for view in views)
        for topic, views in ((topic, shape.perspectives) for topic in shape.topics)
    )
    return Grid(shape.topics, shape.perspectives, tuple(counts))


class Cells:
    """Names the cells of samples.

    Spellings that differ in case or spacing are one cell, under the seed's spelling. Cells of the
    seed come first, then those that only samples have.
    """

    def __init__(self, cells: Iterable[Cell]) -> None:
        self._topics: dict[str, str] = {}
        self._perspectives: dict[str, str] = {}
        for cell in cells:
            self.key(cell.topic, cell.perspective)

    def key(self, topic: str, perspective: str) -> tuple[str, str]:
        """The cell's name by which it is counted; a new one is taken up."""
        row, column = normalized(topic), normalized(perspective)
        self._topics.setdefault(row, topic.strip())
        self._perspectives.setdefault(column, perspective.strip())
        return row, column

    def grid(self, counts: Mapping[tuple[str, str], int]) -> Grid:
        """Figures by ``key``, cells without any included."""
        found = Counter(counts)
        return Grid(
            tuple(self._topics.values()),
            tuple(self._perspectives.values()),
            tuple(
                tuple(found[row, column] for column in self._perspectives) for row in self._topics
            ),
        )
