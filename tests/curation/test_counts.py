"""Counting cells tells what the full analysis tells, and is quick."""

from __future__ import annotations

import time
from collections import Counter
from pathlib import Path

from pipeline.core import layout
from pipeline.core.quotas import cell_key
from pipeline.core.samples import read_samples, to_parquet
from pipeline.core.schema import Cell, normalized
from pipeline.core.store_folder import FolderStore
from pipeline.curation.counts import count_cells
from pipeline.curation.coverage import status
from tests.curation.test_card import work
from tests.factories import a_sample, fill, pair, thumb


def test_counts_are_those_of_the_status(folder: Path) -> None:
    store = FolderStore(folder)
    work(store)
    odd = a_sample(90, topic="clay  SOILS", perspective="beginner", fingerprint="x")
    gone = a_sample(91, topic="Ponds", kind="exam")
    again = a_sample(90, topic="Elsewhere")  # the id is taken
    votes = [thumb(odd, 0, True), pair(gone, "left"), thumb(gone, 1, False)]
    store.commit(
        {
            layout.sample_shard("zz", 0): to_parquet([odd, gone, again]),
            "feedback/2026/01/01/z-000001.jsonl": "\n".join(v.to_line() for v in votes).encode(),
        },
        message="Add",
    )
    analysis = status(store).analysis
    found = {
        (normalized(one.topic), normalized(one.perspective)): (one.samples, one.accepted)
        for one in count_cells(store).cells
    }
    expected = {
        (normalized(topic), normalized(view)): (count, analysis.accepted.at(topic, view))
        for topic, row in analysis.coverage.as_json().items()
        for view, count in row.items()
        if count
    }
    assert found == expected
    assert found["clay soils", "beginner"] == (1, 1)


def test_what_a_run_would_count_is_told_by_fingerprint(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [a_sample(n, fingerprint="fg"[n % 2], topic=f"t{n % 3}") for n in range(10)])
    expected: dict[str, Counter[str]] = {}
    for sample in read_samples(store):
        cell = Cell(topic=sample.topic, perspective=sample.perspective)
        expected.setdefault(sample.fingerprint, Counter())[cell_key(cell)] += 1
    assert count_cells(store).instructions == expected


def test_a_hundred_thousand_samples_are_counted_in_seconds(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [])
    one = a_sample(0)
    shards = {
        layout.sample_shard("run", shard): to_parquet(
            [
                one.model_copy(update={"sample_id": f"{shard}-{n}", "topic": f"t{n % 500}"})
                for n in range(10_000)
            ]
        )
        for shard in range(10)
    }
    store.commit(shards, message="Add")
    began = time.monotonic()
    counts = count_cells(store)
    assert sum(cell.samples for cell in counts.cells) == 100_000
    assert time.monotonic() - began < 15
