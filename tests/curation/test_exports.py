"""Exports: TRL's columns, one row for each clear judgement, none for any other."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from pipeline.core.feedback import FeedbackEvent
from pipeline.core.layout import ExportFormat
from pipeline.core.schema import Sample
from pipeline.core.store_folder import FolderStore
from pipeline.curation import exports
from pipeline.curation.exports import export
from tests.factories import a_sample, fill, pair, thumb

SAMPLES = [a_sample(number) for number in range(4)]


@pytest.fixture
def store(folder: Path) -> FolderStore:
    made = FolderStore(folder)
    fill(made, SAMPLES)
    return made


def given(store: FolderStore, *events: FeedbackEvent, name: str = "a") -> None:
    lines = "".join(event.to_line() + "\n" for event in events)
    store.commit({f"feedback/2026/01/01/{name}-000001.jsonl": lines.encode()}, message="Add")


def rows(store: FolderStore, name: ExportFormat) -> list[dict[str, Any]]:
    (made,) = export(store, [name]).made
    read: list[dict[str, Any]] = pq.read_table(io.BytesIO(made.data)).to_pylist()
    assert made.rows == len(read)
    return read


def user(sample: Sample) -> list[dict[str, str]]:
    return [{"role": "user", "content": sample.instruction}]


def assistant(sample: Sample, index: int) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": sample.completions[index].text}]


def test_kto_has_a_label_for_each_completion_with_clear_thumbs(store: FolderStore) -> None:
    first, second, third, _ = SAMPLES
    given(
        store,
        thumb(first, 0, True),
        thumb(first, 1, False),
        thumb(second, 0, True),
        thumb(second, 0, False, "bob"),
        thumb(third, 0, None),
    )
    assert [(r["prompt"], r["completion"], r["label"]) for r in rows(store, "kto")] == [
        (user(first), assistant(first, 0), True),
        (user(first), assistant(first, 1), False),
    ]


def test_preference_has_winners_and_never_ties(store: FolderStore) -> None:
    first, second, third, fourth = SAMPLES
    given(
        store,
        pair(first, "left", swap=True),
        pair(second, "tie"),
        pair(third, "both_bad"),
        pair(fourth, "left"),
        pair(fourth, "right", "bob"),
        pair(fourth, "left", "eva"),
    )
    made = rows(store, "preference")
    assert [(r["prompt"], r["chosen"], r["rejected"]) for r in made] == [
        (user(first), assistant(first, 1), assistant(first, 0)),
        (user(fourth), assistant(fourth, 0), assistant(fourth, 1)),
    ]
    assert [(r["votes"], round(r["margin"], 3)) for r in made] == [(1, 1.0), (3, 0.333)]


def test_sft_has_what_was_found_good_or_won(store: FolderStore) -> None:
    first, second, third, _ = SAMPLES
    given(
        store,
        thumb(first, 0, True),
        pair(second, "right"),
        pair(third, "left"),
        thumb(third, 0, False),  # better than the other, and still not good
    )
    assert [(r["prompt"], r["completion"]) for r in rows(store, "sft")] == [
        (user(first), assistant(first, 0)),
        (user(second), assistant(second, 1)),
    ]


def test_withdrawn_votes_are_gone_from_the_next_export(store: FolderStore) -> None:
    vote = thumb(SAMPLES[0], 0, True, received_at="2026-01-01T00:00:00Z")
    given(store, vote)
    assert len(rows(store, "kto")) == len(rows(store, "sft")) == 1
    back = thumb(SAMPLES[0], 0, True, status="withdrawn", received_at="2026-01-01T00:00:01Z")
    given(store, back, name="b")
    assert rows(store, "kto") == rows(store, "sft") == []
    assert len(rows(store, "feedback")) == 2


def test_feedback_for_samples_that_are_gone_is_left_out(store: FolderStore) -> None:
    given(store, thumb(a_sample(77), 0, True), pair(a_sample(78), "left"))
    assert rows(store, "kto") == rows(store, "preference") == rows(store, "sft") == []


def test_an_export_is_the_same_bytes_when_nothing_changed(store: FolderStore) -> None:
    given(store, thumb(SAMPLES[0], 0, True))
    names: list[ExportFormat] = ["sft", "preference", "kto", "feedback"]
    assert exports.files(export(store, names)) == exports.files(export(store, names))


def test_unreadable_feedback_is_reported_and_the_rest_exported(store: FolderStore) -> None:
    given(store, thumb(SAMPLES[0], 0, True))
    store.commit({"feedback/2026/01/01/z-000001.jsonl": b"rubbish\n"}, message="Add")
    made = export(store, ["kto"])
    assert made.made[0].rows == 1
    assert [str(bad).split(": ")[0] for bad in made.bad_lines] == [
        "feedback/2026/01/01/z-000001.jsonl:1"
    ]
