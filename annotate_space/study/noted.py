"""What is known of samples, kept while the project's votes are read again and again.

Samples never change, so that each is read once, and only the row groups that hold judged ones. Of a
million with two completions each it takes about 70 MB, all of it numbers; texts are counted and let
go.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from annotate_space.shards import Flags, Hashes, Numbers, hash_id, hash_ids, read_rows
from pipeline.core import layout
from pipeline.core.errors import InvalidInput
from pipeline.core.samples import open_parquet
from pipeline.core.store import Store
from pipeline.curation.judgements import STATUSES, Codes, Judgements, Small
from pipeline.curation.measures import words
from pipeline.curation.shown import AS_IT_WAS, CHANGED, DISCARDED, Shown

_log = logging.getLogger(__name__)

_TOPICS: Final = ("sample_id", "topic")
_COLUMNS: Final = (*_TOPICS, "answer", "completions")
_SPREAD: Final = np.uint64(0x9E37_79B9_7F4A_7C15)
"""Keeps apart completions of different samples that have the same id."""
_ODD: Final = (InvalidInput, pa.ArrowException, AttributeError, LookupError, TypeError, ValueError)
"""What is raised for a file that another tool wrote."""


class _Table:
    """Columns of numbers by hash, sorted."""

    def __init__(self, **columns: type[np.generic]) -> None:
        self.hashes: Hashes = np.zeros(0, np.uint64)
        self.columns: dict[str, npt.NDArray[Any]] = {
            name: np.zeros(0, kind) for name, kind in columns.items()
        }

    def add(self, hashes: Hashes, columns: Mapping[str, npt.NDArray[Any]]) -> None:
        """Take in rows; of those with the same hash the first stays."""
        self.hashes, first = np.unique(np.concatenate([self.hashes, hashes]), return_index=True)
        for name, before in self.columns.items():
            joined = np.concatenate([before, columns[name].astype(before.dtype)])
            self.columns[name] = joined[first]

    def find(self, hashes: Hashes) -> tuple[Numbers, Flags]:
        """Where each is, and whether it is there at all."""
        at = np.searchsorted(self.hashes, hashes)
        there = at < len(self.hashes)
        there[there] = self.hashes[at[there]] == hashes[there]
        return np.where(there, at, 0).astype(np.int32), there


@dataclass(slots=True)
class _Rows:
    """What was read of some samples, to be taken in together."""

    samples: list[int] = field(default_factory=list)
    topics: list[int] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)
    completions: list[int] = field(default_factory=list)
    owners: list[int] = field(default_factory=list)
    words: list[int] = field(default_factory=list)
    ratings: list[float] = field(default_factory=list)


class Noted:
    """What is known of a project's samples. Any thread may ask."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._guard = threading.Lock()
        self._folder = Path()
        self._shards: dict[str, int] = {}
        self._read: set[tuple[int, int]] = set()
        self._read_topics: set[tuple[int, int]] = set()
        self._topics: dict[str, int] = {}
        self._places = _Table(shard=np.int32, group=np.int32)
        self._topic_of = _Table(topic=np.int32)
        self._samples = _Table(answer=np.uint64)
        self._completions = _Table(words=np.int32, rating=np.float32)

    def __len__(self) -> int:
        """How many samples there are."""
        return len(self._places.hashes)

    def shown(self, judgements: Judgements) -> Shown:
        """What ``Shown`` notes while samples pass, of those that were judged.

        Raises:
            SeedbedError: The samples cannot be read now.
        """
        samples = hash_ids(judgements.samples.to_pylist())
        with self._guard:
            self._find_shards()
            self._take_in(samples)
            return self._filled(judgements, samples)

    def topics(self, judgements: Judgements) -> tuple[list[str], Codes]:
        """Every topic, and for each judged sample a place among them; -1 if it is not found.

        Raises:
            SeedbedError: The samples cannot be read now.
        """
        samples = hash_ids(judgements.samples.to_pylist())
        with self._guard:
            self._find_shards()
            wanted = self._unread(samples, self._topic_of, self._read_topics)
            found = _Rows()
            self._each(wanted, _TOPICS, partial(self._note_topic, found))
            self._keep_topics(found)
            self._read_topics.update(wanted)
            at, there = self._topic_of.find(samples)
            topic = np.full(len(samples), -1, np.int32)
            topic[there] = self._topic_of.columns["topic"][at[there]]
            return list(self._topics), topic

    def _find_shards(self) -> None:
        """Learn which row group of new shards holds which sample."""
        paths = [path for path in self._store.paths(layout.SAMPLES) if path.endswith(".parquet")]
        new = sorted(set(paths).difference(self._shards))
        if new:
            self._folder = self._store.checkout(layout.SAMPLES)
        for path in new:
            try:
                rows = read_rows(self._folder / path)
            except InvalidInput as error:
                _log.warning("Figures leave out what cannot be read: %s", error)
            else:
                shard = np.full(len(rows.hashes), len(self._shards), np.int32)
                self._places.add(rows.hashes, {"shard": shard, "group": rows.group})
            self._shards[path] = len(self._shards)

    def _take_in(self, samples: Hashes) -> None:
        """Read the row groups with samples of which nothing is known yet."""
        wanted = self._unread(samples, self._samples, self._read)
        found = _Rows()
        self._each(wanted, _COLUMNS, partial(self._note, found))
        self._keep(found)
        self._read.update(wanted)

    def _unread(
        self, samples: Hashes, table: _Table, read: set[tuple[int, int]]
    ) -> list[tuple[int, int]]:
        """Shard and row group of what ``table`` lacks and was not ``read``."""
        _, known = table.find(samples)
        at, there = self._places.find(samples[~known])
        places = (self._places.columns[name][at[there]].tolist() for name in ("shard", "group"))
        return sorted(set(zip(*places, strict=True)) - read)

    def _each(
        self,
        wanted: Sequence[tuple[int, int]],
        columns: Sequence[str],
        note: Callable[[dict[str, Any]], object],
    ) -> None:
        """Note the rows of some row groups; what cannot be read is left out."""
        paths = list(self._shards)
        if not all((self._folder / paths[shard]).exists() for shard, _ in wanted):
            self._folder = self._store.checkout(layout.SAMPLES)  # a cache can be emptied
        for shard, group in wanted:
            try:
                for row in _rows_of(self._folder / paths[shard], group, columns):
                    note(row)
            except _ODD as error:
                _log.warning("Figures leave out part of %s: %s", paths[shard], error)

    def _note_topic(self, found: _Rows, row: Mapping[str, Any]) -> int:
        """Returns the sample's hash."""
        sample = hash_id(row["sample_id"])
        topic = self._topics.setdefault(row["topic"] or "", len(self._topics))
        found.samples.append(sample)
        found.topics.append(topic)
        return sample

    def _note(self, found: _Rows, row: Mapping[str, Any]) -> None:
        # All of it before any is noted: a row may be odd anywhere.
        answer = hash_id(row.get("answer") or "")
        completions = [
            (hash_id(one["completion_id"]), words(one["text"] or ""), one.get("judge_rating"))
            for one in row["completions"] or ()
        ]
        sample = self._note_topic(found, row)
        found.answers.append(answer)
        for completion, count, rating in completions:
            found.completions.append(completion)
            found.owners.append(sample)
            found.words.append(count)
            found.ratings.append(np.nan if rating is None else rating)

    def _keep(self, found: _Rows) -> None:
        samples, answers, completions, owners = (
            np.array(hashes, np.uint64)
            for hashes in (found.samples, found.answers, found.completions, found.owners)
        )
        self._keep_topics(found)
        self._samples.add(samples, {"answer": answers})
        self._completions.add(
            _together(owners, completions),
            {"words": np.array(found.words), "rating": np.array(found.ratings)},
        )

    def _keep_topics(self, found: _Rows) -> None:
        self._topic_of.add(
            np.array(found.samples, np.uint64), {"topic": np.array(found.topics, np.int32)}
        )

    def _filled(self, judgements: Judgements, samples: Hashes) -> Shown:
        shown = Shown(judgements)
        sample = samples[judgements.column("sample", np.int32)]
        shown.topics = list(self._topics)
        at, there = self._topic_of.find(sample)
        shown.topic[there] = self._topic_of.columns["topic"][at[there]]
        at, there = self._samples.find(sample)
        completions = hash_ids(judgements.completions.to_pylist())
        pair = judgements.task("pairwise")
        for names, counts, ratings in (
            (("completion", "first"), shown.words, shown.rating),
            (("second", "second"), shown.other_words, shown.other_rating),
        ):
            alone, of_pair = (judgements.column(name, np.int32) for name in names)
            place = np.where(pair, of_pair, alone)
            rows = np.flatnonzero(place >= 0)
            about, known = self._completions.find(_together(sample[rows], completions[place[rows]]))
            rows, about = rows[known], about[known]
            counts[rows] = self._completions.columns["words"][about]
            ratings[rows] = self._completions.columns["rating"][about]
        answers = self._samples.columns["answer"][at[there]]
        shown.review[there] = _reviews(judgements, np.flatnonzero(there), answers)
        return shown


def _reviews(judgements: Judgements, rows: npt.NDArray[np.int64], answers: Hashes) -> Small:
    """What rows come to as exam reviews; -1 for those that are none."""
    status = judgements.codes("status")[rows]
    options = judgements.frame["option"].cat.categories
    # Where no option was chosen the code is -1: that of the last, which is no text.
    chosen = hash_ids([*options, ""])[judgements.codes("option")[rows]]
    as_it_was = (chosen == answers) & ~judgements.column("has_text", np.bool_)[rows]
    found = np.where(as_it_was, AS_IT_WAS, CHANGED)
    found = np.where(status == STATUSES.index("flagged"), DISCARDED, found)
    none = (status != STATUSES.index("flagged")) & (status != STATUSES.index("submitted"))
    found = np.where(none | ~judgements.task("exam")[rows], -1, found)
    return found.astype(np.int8)


def _rows_of(path: Path, group: int, columns: Sequence[str]) -> Iterator[dict[str, Any]]:
    with open_parquet(path) as file:
        names = [name for name in columns if name in file.schema_arrow.names]
        yield from file.read_row_group(group, columns=names, use_threads=False).to_pylist()


def _together(samples: Hashes, completions: Hashes) -> Hashes:
    """Hashes of completions, each of its own sample; they wrap around."""
    found: Hashes = samples * _SPREAD + completions
    return found
