"""What figures know of samples without holding them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings

from annotate_space.study.noted import Noted
from pipeline.core import layout
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.samples import to_parquet
from pipeline.core.schema import Sample
from pipeline.core.store_folder import FolderStore
from pipeline.curation.judgements import Judgements
from pipeline.curation.shown import Shown
from tests.curation.histories import SAMPLES, histories
from tests.factories import a_sample, fill, pair, thumb


def rated(number: int, topic: str = "Clay soils") -> Sample:
    sample = a_sample(number, topic=topic)
    first, *rest = sample.completions
    changed = (first.model_copy(update={"judge_rating": 3.5}), *rest)
    return sample.model_copy(update={"completions": changed})


def same(one: Shown, other: Shown) -> None:
    for name in ("words", "other_words", "rating", "other_rating", "review"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)
    topics = [
        [shown.topics[place] if place >= 0 else None for place in shown.topic.tolist()]
        for shown in (one, other)
    ]
    assert topics[0] == topics[1]


@pytest.fixture(scope="module")
def exams(tmp_path_factory: pytest.TempPathFactory) -> tuple[Noted, list[Sample]]:
    """The samples of histories, as exam items as well, with a rating."""
    store = FolderStore(tmp_path_factory.mktemp("noted") / "project")
    changes = {"kind": "exam", "question": "?", "answer": "one", "distractors": ("two",)}
    samples = [sample.model_copy(update=changes) for sample in SAMPLES]
    fill(store, samples)
    return Noted(store), samples


@given(histories)
@settings(deadline=None, max_examples=60)
def test_it_is_what_is_noted_while_samples_pass(
    exams: tuple[Noted, list[Sample]], history: list[FeedbackEvent]
) -> None:
    noted, samples = exams
    judgements = Judgements.of(history)
    passed = Shown(judgements)
    for sample in samples:
        passed.note(sample)
    same(noted.shown(judgements), passed)


def test_only_what_is_new_is_read(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    store = FolderStore(folder)
    first = [rated(number) for number in range(3)]
    fill(store, first)
    noted = Noted(store)
    events = [thumb(first[0], 0, True), pair(first[1], "left")]
    noted.shown(Judgements.of(events))
    (shard,) = (folder / "samples").rglob("*.parquet")
    shard.write_bytes(b"it is not read again")
    second = [rated(number, topic="Ponds") for number in range(3, 6)]
    store.commit(
        {
            layout.sample_shard("later", 0): to_parquet(second),
            layout.sample_shard("later", 1): b"no parquet",
        },
        message="Add",
    )
    events += [thumb(second[2], 0, True), thumb(a_sample(99), 0, True), thumb(first[2], 0, False)]
    judgements = Judgements.of(events)
    passed = Shown(judgements)
    for sample in [*first, *second]:
        passed.note(sample)
    same(noted.shown(judgements), passed)
    assert len(noted) == 6
    assert "cannot be read" in caplog.text


def test_topics_alone_are_told_of_what_is_judged_and_can_be_read(folder: Path) -> None:
    store = FolderStore(folder)
    first, lost = rated(0), rated(7)
    fill(store, [first])
    noted = Noted(store)

    def topics(*samples: Sample) -> dict[str, str | None]:
        judgements = Judgements.of([thumb(sample, 0, True) for sample in samples])
        names, places = noted.topics(judgements)
        ids = judgements.samples.to_pylist()
        told = [names[place] if place >= 0 else None for place in places.tolist()]
        return dict(zip(ids, told, strict=True))

    assert topics() == {}
    assert topics(lost) == {lost.sample_id: None}
    assert topics(first) == {first.sample_id: "Clay soils"}
    second = rated(1, topic="Ponds")
    later = {
        layout.sample_shard("later", 0): to_parquet([second]),
        layout.sample_shard("torn", 0): b"no parquet",
    }
    store.commit(later, message="Add more")
    noted.shown(Judgements.of([thumb(second, 0, True)]))  # which learns of it as well
    assert topics(first, second, lost) == {
        first.sample_id: "Clay soils",
        second.sample_id: "Ponds",
        lost.sample_id: None,
    }
