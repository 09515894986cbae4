"""Places for instructions: each cell of the seed has as many as the project wants written."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

import numpy as np

from annotate_space.shards import Flags, Numbers
from pipeline.core.feedback import instruction_slot

_MOST: Final = 100
"""Instructions that a project can ask for in each cell."""


def is_place(place: str, topic: str, perspective: str) -> bool:
    """Whether a place is one of this cell."""
    return any(place == instruction_slot(topic, perspective, number) for number in range(_MOST))


@dataclass(slots=True)
class Places:
    """Places keep their number for good; those no longer wanted are only not asked for."""

    ids: list[str] = field(default_factory=list)
    cells: list[int] = field(default_factory=list)
    _numbers: dict[str, int] = field(default_factory=dict)
    _wanted: dict[int, None] = field(default_factory=dict)

    def want(self, cells: Iterable[tuple[int, str, str]], each: int) -> None:
        """Ask for ``each`` instructions in each of the cells: number, topic, perspective."""
        self._wanted = {}
        for cell, topic, perspective in cells:
            for number in range(each):
                place = instruction_slot(topic, perspective, number)
                self._wanted[self.add(place, cell)] = None

    def add(self, place: str, cell: int) -> int:
        """The number of a place, which may be new: it is not asked for then."""
        at = self._numbers.setdefault(place, len(self.ids))
        if at == len(self.ids):
            self.ids.append(place)
            self.cells.append(cell)
        return at

    def find(self, place: str) -> int:
        """The number of a place, -1 if there is none."""
        return self._numbers.get(place, -1)

    def cell(self) -> Numbers:
        """The cell of each place."""
        return np.array(self.cells, dtype=np.int32)

    def asked(self) -> Flags:
        """Which places are asked for."""
        marks = np.zeros(len(self.ids), dtype=np.bool_)
        marks[list(self._wanted)] = True
        return marks
