"""What the project holds already, cell by cell, on disk so that memory does not grow with it."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final

from pipeline.core.quotas import cell_key
from pipeline.core.schema import Cell, Sample

_ASK: Final = re.compile(r"ask:(\d+)\.(\d+)\Z")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where an instruction came from: the ``ask``-th request of its cell, and its ``position``."""

    ask: int
    position: int

    def __str__(self) -> str:
        return f"ask:{self.ask}.{self.position}"

    @classmethod
    def of(cls, sample: Sample) -> Origin | None:
        """The origin that a sample's lineage tells, if it tells one."""
        found = (_ASK.match(step) for step in sample.lineage)
        match = next((match for match in found if match), None)
        return cls(int(match[1]), int(match[2])) if match else None


@dataclass(frozen=True, slots=True)
class CellQuota:
    """What one cell still needs.

    Attributes:
        cell: The cell.
        count: Samples to add.
        made: Instructions that became samples under this fingerprint, by request and position.
        others: Instructions of the cell's other samples, the oldest first.
    """

    cell: Cell
    count: int
    made: Mapping[int, Mapping[int, str]] = field(default_factory=dict)
    others: tuple[str, ...] = ()


class Known:
    """The instruction samples of a project, of which those under ``fingerprint`` count."""

    def __init__(self, samples: Iterable[Sample], fingerprint: str) -> None:
        # An empty name makes SQLite keep the database in a temporary file that it removes itself.
        self._db = sqlite3.connect("", isolation_level=None)
        self._db.execute(
            "CREATE TABLE rows (cell TEXT, counts INT, ask INT, position INT, instruction TEXT)"
        )
        self._db.execute("BEGIN")
        self._db.executemany("INSERT INTO rows VALUES (?, ?, ?, ?, ?)", _rows(samples, fingerprint))
        self._db.execute("CREATE INDEX by_cell ON rows (cell)")
        self._db.execute("COMMIT")

    def counts(self) -> dict[str, int]:
        """How many samples count, by ``cell_key``."""
        query = "SELECT cell, count(*) FROM rows WHERE counts GROUP BY cell"
        return dict(self._db.execute(query))

    def other(self) -> int:
        """How many samples do not count, whatever their cell."""
        found: int = self._db.execute("SELECT count(*) FROM rows WHERE NOT counts").fetchone()[0]
        return found

    def quota(self, cell: Cell, count: int) -> CellQuota:
        """What the cell needs if ``count`` samples are to be added."""
        made: dict[int, dict[int, str]] = {}
        others = []
        query = "SELECT counts, ask, position, instruction FROM rows WHERE cell=? ORDER BY rowid"
        for counts, ask, position, instruction in self._db.execute(query, (cell_key(cell),)):
            if counts and ask is not None:
                made.setdefault(ask, {})[position] = instruction
            else:
                others.append(instruction)
        return CellQuota(cell, count, made, tuple(others))

    def close(self) -> None:
        """Remove the temporary file."""
        self._db.close()


def _rows(
    samples: Iterable[Sample], fingerprint: str
) -> Iterator[tuple[str, bool, int | None, int | None, str]]:
    for sample in samples:
        if sample.kind == "instruction":
            origin = Origin.of(sample)
            cell = Cell(topic=sample.topic, perspective=sample.perspective)
            yield (
                cell_key(cell),
                sample.fingerprint == fingerprint,
                origin.ask if origin else None,
                origin.position if origin else None,
                sample.instruction,
            )
