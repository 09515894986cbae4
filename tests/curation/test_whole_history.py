"""From any history of judgements to training data: as the plain model says."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.feedback import FeedbackEvent
from pipeline.core.layout import ExportFormat
from pipeline.core.store_folder import FolderStore
from pipeline.curation.exports import Options, export
from tests.curation.histories import SAMPLES, files, histories, shuffled
from tests.curation.reference import Told, told
from tests.factories import fill

FORMATS: list[ExportFormat] = ["sft", "preference", "kto"]
TEXTS = {one.completion_id: one.text for sample in SAMPLES for one in sample.completions}
Rows = dict[str, list[dict[str, Any]]]


def exported(history: Sequence[FeedbackEvent], count: int) -> Rows:
    """The rows of each export, the history being spread over ``count`` files."""
    with tempfile.TemporaryDirectory() as folder:
        store = FolderStore(Path(folder) / "project")
        fill(store, SAMPLES)
        store.commit(files(history, count), message="Add")
        place = Path(folder) / "made"
        place.mkdir()
        made = export(store, FORMATS, Options(test_share=0), place)
        return {
            name: [
                row
                for path, file in made.files.items()
                if path.startswith(f"data/{name}/")
                for row in pq.read_table(file).to_pylist()
            ]
            for name in FORMATS
        }


def content(row: dict[str, Any], column: str) -> str:
    text: str = row[column][0]["content"]
    return text.strip()


def accepted(one: Told) -> set[str]:
    """Texts for supervised fine-tuning: what people wrote replaces what it was written for."""
    edited = {name for name, _, _ in one.edits}
    good = {TEXTS[name] for name, verdict in one.good.items() if verdict and name not in edited}
    return {text.strip() for text in good | {text for _, text, _ in one.edits}}


def labels(one: Told) -> set[tuple[str, bool]]:
    found = set()
    for name, text in TEXTS.items():
        if one.up[name] + one.down[name]:
            if name in one.good:
                found.add((text.strip(), one.good[name]))
            continue
        outcomes = {name == chosen for chosen, loser, _ in one.pairs if name in (chosen, loser)}
        if len(outcomes) == 1:
            found.add((text.strip(), outcomes.pop()))
    return found


def pairs(one: Told) -> set[tuple[str, str, Fraction]]:
    found = {(TEXTS[a].strip(), TEXTS[b].strip(), margin) for a, b, margin in one.pairs}
    return found | {(text.strip(), TEXTS[name].strip(), Fraction(1)) for name, text, _ in one.edits}


@settings(deadline=None, max_examples=40)
@given(histories, st.integers(0, 1_000), st.integers(1, 3))
def test_any_history_is_exported_as_the_model_says(
    history: list[FeedbackEvent], seed: int, count: int
) -> None:
    rows = exported(shuffled(history, seed), count)
    model = told(history)
    for sample in SAMPLES:
        one = model.get(sample.sample_id, Told())
        own = {
            name: [row for row in rows[name] if row["sample_id"] == sample.sample_id]
            for name in FORMATS
        }
        assert {content(row, "completion") for row in own["sft"]} == accepted(one)
        assert {(content(row, "completion"), row["label"]) for row in own["kto"]} == labels(one)
        assert {
            (
                content(row, "chosen"),
                content(row, "rejected"),
                Fraction(row["margin"]).limit_denominator(100),
            )
            for row in own["preference"]
        } == pairs(one)
