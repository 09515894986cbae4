"""How many samples each cell has and how many people accepted, without reading what they say."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pipeline.core.projects import load_project
from pipeline.core.quotas import cell_key
from pipeline.core.samples import open_parquet, sample_files
from pipeline.core.schema import Cell
from pipeline.core.store import Store
from pipeline.curation.consensus import Rules, settle
from pipeline.curation.judgements import Judgements

_COLUMNS: Final = (
    "sample_id",
    "kind",
    "topic",
    "perspective",
    "fingerprint",
    "completions.list.element.completion_id",
)


@dataclass(frozen=True, slots=True)
class CellCount:
    """One cell that has samples, in the spelling of the first of them."""

    topic: str
    perspective: str
    samples: int
    accepted: int


@dataclass(frozen=True, slots=True)
class Counts:
    """The samples of a project.

    Attributes:
        cells: Those that have samples, whether the seed still has them or not.
        instructions: Instruction samples by fingerprint, then by ``cell_key``: what a run would
            count as there.
    """

    cells: tuple[CellCount, ...] = ()
    instructions: Mapping[str, Mapping[str, int]] | None = None


def count_cells(store: Store) -> Counts:
    """Count the project's samples, each ``sample_id`` once.

    Reads a few columns, so that 100 000 samples take about a second.

    Raises:
        StoreUnavailable: The project cannot be reached.
        InvalidInput: A file is not parquet.
    """
    project = load_project(store)
    judgements = Judgements.read(store)
    consensus = settle(judgements, Rules.of(project.curation))
    judged = frozenset(judgements.samples.to_pylist())
    seen: set[str] = set()
    names: dict[str, Cell] = {}
    keys: dict[tuple[str, str], str] = {}
    samples: Counter[str] = Counter()
    accepted: Counter[str] = Counter()
    instructions: dict[str, Counter[str]] = {}
    for path in sample_files(store):
        with open_parquet(path) as file:
            for batch in file.iter_batches(batch_size=10_000, columns=list(_COLUMNS)):
                told = batch.column("completions")
                columns = (batch.column(name).to_pylist() for name in _COLUMNS[:-1])
                for row, (sample_id, kind, topic, view, mark) in enumerate(
                    zip(*columns, strict=True)
                ):
                    if sample_id in seen:
                        continue
                    seen.add(sample_id)
                    key = keys.get((topic, view))
                    if key is None:
                        cell = Cell(topic=topic, perspective=view)
                        key = keys[topic, view] = cell_key(cell)
                        names.setdefault(key, cell)
                    samples[key] += 1
                    if kind == "instruction":
                        instructions.setdefault(mark, Counter())[key] += 1
                    if sample_id in judged:
                        found = consensus.of(sample_id).accepted()
                        ids = (one["completion_id"] for one in told[row].as_py())
                        accepted[key] += any(one in found for one in ids)
    cells = (
        CellCount(names[key].topic, names[key].perspective, count, accepted[key])
        for key, count in samples.items()
    )
    return Counts(tuple(cells), instructions)
