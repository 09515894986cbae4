"""What annotators saw when they judged: of the samples a few numbers for each judgement."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

import numpy as np
import numpy.typing as npt

from pipeline.core.schema import Sample
from pipeline.curation.judgements import Codes, Judgements, Small
from pipeline.curation.measures import words

Floats = npt.NDArray[np.float32]

AS_IT_WAS: Final = 0
"""An exam review that finds the option right that the item says is right."""
CHANGED: Final = 1
DISCARDED: Final = 2


class Shown:
    """Taken from samples as they pass, for the rows of ``Judgements.frame``.

    Attributes:
        topics: Every topic that was judged.
        topic: For each row its place in ``topics``; -1 if the sample is gone.
        words: For each row of the completion, or of a pair's first; nan if there is none.
        other_words: Of a pair's second.
        rating: A judge model's, of the completion or a pair's first.
        other_rating: Of a pair's second.
        review: Of an exam what the review comes to; -1 for other rows.
    """

    def __init__(self, judgements: Judgements) -> None:
        size = len(judgements)
        self.topics: list[str] = []
        self.topic: Codes = np.full(size, -1, np.int32)
        self.words: Floats = np.full(size, np.nan, np.float32)
        self.other_words: Floats = self.words.copy()
        self.rating: Floats = self.words.copy()
        self.other_rating: Floats = self.words.copy()
        self.review: Small = np.full(size, -1, np.int8)
        self._judgements = judgements
        self._topics: dict[str, int] = {}

    def noting(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Pass samples on, each noted."""
        for sample in samples:
            self.note(sample)
            yield sample

    def note(self, sample: Sample) -> None:
        """Take what was judged of a sample."""
        rows = self._judgements.rows(sample.sample_id)
        if not rows:
            return
        topic = self._topics.setdefault(sample.topic, len(self.topics))
        if topic == len(self.topics):
            self.topics.append(sample.topic)
        self.topic[rows.start : rows.stop] = topic
        texts = {one.completion_id: one for one in sample.completions}
        lengths: dict[str, int] = {}
        for row in rows:
            task = self._judgements.value("task", row)
            if task == "exam":
                self.review[row] = self._reviewed(sample, row)
            pair = task == "pairwise"
            for name, counts, ratings in (
                ("first" if pair else "completion", self.words, self.rating),
                ("second", self.other_words, self.other_rating),
            ):
                place = self._judgements.value(name, row)
                found = (
                    texts.get(self._judgements.completions[place].as_py()) if place >= 0 else None
                )
                if found is None:
                    continue
                if found.completion_id not in lengths:
                    lengths[found.completion_id] = words(found.text)
                counts[row] = lengths[found.completion_id]
                if found.judge_rating is not None:
                    ratings[row] = found.judge_rating

    def _reviewed(self, sample: Sample, row: int) -> int:
        status = self._judgements.value("status", row)
        if status == "flagged":
            return DISCARDED
        if status != "submitted":
            return -1
        same = self._judgements.value("option", row) == sample.answer
        return AS_IT_WAS if same and self._judgements.text(row) is None else CHANGED
