"""Training data out of votes: rows picked, filtered, split, given a form and written to files.

Samples pass one at a time and rows are written as they come, so that memory holds the judgements
in columns and a few rows, however many there are.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Final

import numpy as np
import pyarrow.parquet as pq
from numpy.typing import NDArray

from pipeline.core import controls, layout
from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import BadLine, FeedbackEvent, Parsed
from pipeline.core.layout import SPLITS, ExportFormat, Form, Split
from pipeline.core.minhash import digest
from pipeline.core.projects import load_project, load_seed, read_feedback
from pipeline.core.samples import read_samples
from pipeline.core.schema import TASKS, Method, Project, Sample, normalized
from pipeline.core.store import Data, Store
from pipeline.curation.agreement import Agreement, agreement
from pipeline.curation.card import Change, commit_with_card
from pipeline.curation.consensus import Rules, SampleVerdict, settle
from pipeline.curation.filters import Filters
from pipeline.curation.formats import features, row
from pipeline.curation.judgements import Judgements
from pipeline.curation.picking import PICKS, Picked
from pipeline.curation.record import (
    ExportRecord,
    Made,
    People,
    TopicFacts,
    balance,
    enough,
    read_record,
)
from pipeline.curation.shards import Shards, sizes
from pipeline.curation.shown import Shown
from pipeline.curation.splits import Splits

NEAR_TEST: Final = "near_test"
"""Why a row is left out of train: its instruction is nearly one of test."""


@dataclass(frozen=True, slots=True)
class Options:
    """How exports are made.

    Attributes:
        method: How votes are counted; see ``Rules``.
        test_share: Share of the instruction groups that is in test.
        named: Whether the record may tell annotators' names.
    """

    form: Form = "conversational"
    filters: Filters = field(default_factory=Filters)
    method: Method = "majority"
    test_share: float = 0.1
    named: bool = False

    @classmethod
    def of(cls, project: Project) -> Options:
        """What a project's settings ask for."""
        chosen = project.curation
        return cls(
            filters=Filters(chosen.min_votes, chosen.min_agreement),
            method=chosen.method,
            test_share=chosen.test_share,
            named=not project.access.pseudonyms,
        )


@dataclass(frozen=True, slots=True)
class Exports:
    """All exports asked for, in files on this machine.

    Attributes:
        files: The parquet files by where they go in a project.
        bad_lines: Feedback lines that could not be read.
    """

    record: ExportRecord
    files: dict[str, Path]
    bad_lines: tuple[BadLine, ...]

    def rows(self) -> dict[ExportFormat, int]:
        """Rows of each export, all splits together."""
        return {name: made.rows() for name, made in self.record.made.items()}

    def as_json(self) -> dict[str, Any]:
        """What a script reads."""
        weights = balance(self.record)
        return {
            "rows": self.rows(),
            "splits": {
                name: {split: made.rows(split) for split in SPLITS}
                for name, made in self.record.made.items()
            },
            "removed": {name: made.removed for name, made in self.record.made.items()},
            "sources": {name: made.sources for name, made in self.record.made.items()},
            "kto": asdict(weights) if weights else None,
            "published": [{**asdict(one), "missing": one.missing} for one in enough(self.record)],
            "unreadable": [str(line) for line in self.bad_lines],
        }


def export(
    store: Store, formats: Sequence[ExportFormat], options: Options, folder: Path
) -> Exports:
    """Build exports from the project's samples and feedback as they are now.

    Args:
        store: The project.
        formats: Which exports.
        options: How.
        folder: Where to write; a large project needs as much room as its samples.
    """
    feedback = _Writer("feedback", options, folder) if "feedback" in formats else None
    judgements = Judgements.of(_passed(read_feedback(store), feedback))
    writers = [_Writer(name, options, folder) for name in formats if name in PICKS]
    people = People()
    if writers:
        rules = Rules(method=options.method)
        consensus = settle(judgements, rules)
        splits = Splits.read(store, options.test_share)
        said = _Said()
        examples = {
            normalized(one.question): one.answer
            for one in load_seed(store).seed.examples
            if one.question.strip() and one.answer.strip()
        }
        shown = Shown(judgements)
        for sample in shown.noting(read_samples(store)):
            verdict = consensus.of(sample.sample_id)
            place = splits.of(sample.sample_id)
            said.add(sample, verdict)
            if place is None:
                continue  # it came while we read
            for writer in writers:
                for picked in PICKS[writer.name](sample, verdict, examples):
                    writer.pick(picked, place.split, place.group)
        trust = agreement(judgements, shown, controls.load(store).controls)
        people = said.people(judgements, trust, named=options.named)
    done = {writer.name: writer for writer in [*writers, *([feedback] if feedback else [])]}
    files: dict[str, Path] = {}
    made: dict[ExportFormat, Made] = {}
    for name in formats:
        parts, made[name] = done[name].done()
        files |= parts
    record = ExportRecord(test_share=options.test_share, people=people, made=made)
    return Exports(record, files, tuple(judgements.bad_lines))


def options_for(store: Store) -> Options:
    """How the project's settings have exports made."""
    return Options.of(load_project(store))


def into_project(store: Store, exports: Exports) -> None:
    """Put ``exports`` in the place of earlier ones, with the card, in one commit.

    Of two at the same moment one comes after the other, and nothing of the first stays that the
    second makes too.

    Raises:
        InvalidInput: Other exports stay that were split otherwise: what is in test here would be
            in train there.
    """
    commit_with_card(store, partial(_change, store, exports), message="Export training data")


def _change(store: Store, exports: Exports) -> Change:
    """What puts ``exports`` in the place of those that are there now."""
    earlier = read_record(store)
    new = exports.record.made
    kept = {} if earlier is None else dict(earlier.made)
    share, people = exports.record.test_share, exports.record.people
    if earlier is not None and not set(PICKS) & set(new):
        share, people = earlier.test_share, earlier.people
    stay = [name for name in kept if name in PICKS and name not in new]
    if earlier is not None and stay and earlier.test_share != share:
        raise InvalidInput(
            f"{', '.join(stay)} of {store.name} keep {earlier.test_share:g} of the instructions "
            f"for tests, and {share:g} was asked for now.",
            "Export all formats, or use the same share.",
        )
    order = (*layout.TRAINING_FORMATS, "feedback")
    made = {name: (kept | new)[name] for name in order if name in kept | new}
    record = ExportRecord(test_share=share, people=people, made=made)
    files: dict[str, Data] = {**exports.files, layout.EXPORT_RECORD: record.to_json()}
    old = [path for name in new for path in store.paths(layout.export_folder(name))]
    gone = [path for path in old if path.endswith(".parquet") and path not in files]
    return Change(files, gone, record)


class _Writer:
    """One export, while it is made."""

    def __init__(self, name: ExportFormat, options: Options, folder: Path) -> None:
        self.name = name
        self._options = options
        columns = features(name, options.form)
        self._shards = {split: Shards(folder, name, split, columns) for split in SPLITS}
        self._removed: Counter[str] = Counter()
        self._labels: Counter[str] = Counter()
        self._sources: Counter[str] = Counter()

    def pick(self, picked: Picked, split: Split | None, group: str) -> None:
        failed = self._options.filters.against(picked)
        if failed is not None or split is None:
            self._removed[failed or NEAR_TEST] += 1
            return
        self._sources[picked.source] += 1
        if self.name == "kto" and split == "train":
            self._labels["good" if picked.facts["label"] else "bad"] += 1
        made = row(self.name, self._options.form, picked, group)
        length = len(picked.sample.instruction) + sum(len(t.text) for t in picked.texts.values())
        self._shards[split].add(made, length)

    def event(self, event: FeedbackEvent) -> None:
        self._shards["train"].add(event.model_dump(), 500 + len(event.text or ""))

    def done(self) -> tuple[dict[str, Path], Made]:
        files = {path: at for part in self._shards.values() for path, at in part.done().items()}
        asked = {} if self.name == "feedback" else asked_for(self._options.filters)
        made = Made(
            form=self._options.form,
            method=self._options.method,
            filters=asked,
            files={path: sizes(at, pq.read_metadata(at)) for path, at in files.items()},
            removed=dict(sorted(self._removed.items())),
            labels=dict(sorted(self._labels.items())),
            sources=dict(sorted(self._sources.items())),
        )
        return files, made


def asked_for(filters: Filters) -> dict[str, float | list[str]]:
    """The filters that let anything out, by their names in settings."""
    told: dict[str, float | list[str]] = {}
    if filters.min_votes > 1:
        told["min_votes"] = filters.min_votes
    if filters.min_agreement > 0:
        told["min_agreement"] = filters.min_agreement
    if filters.min_judge is not None:
        told["min_judge"] = filters.min_judge
    several = {
        "without_flag": filters.without_flags,
        "model": filters.models,
        "topic": filters.topics,
    }
    return told | {name: sorted(values) for name, values in several.items() if values}


class _Said:
    """What people did, by topic."""

    def __init__(self) -> None:
        self._samples: Counter[str] = Counter()
        self._judged: Counter[str] = Counter()
        self._accepted: Counter[str] = Counter()
        self._disputed = 0

    def add(self, sample: Sample, verdict: SampleVerdict) -> None:
        self._samples[sample.topic] += 1
        self._judged[sample.topic] += bool(verdict.votes or verdict.edits)
        self._accepted[sample.topic] += bool(verdict.accepted())
        self._disputed += verdict.disputed

    def people(self, judgements: Judgements, trust: Agreement, *, named: bool) -> People:
        votes = judgements.frame[judgements.votes]
        by_task = votes["task"].value_counts()
        by_person = votes["annotator"].value_counts()
        by_person = by_person[by_person > 0]
        names = sorted(
            ((str(n), int(c)) for n, c in by_person.items()), key=lambda x: (-x[1], x[0])
        )
        return People(
            judgements={task: int(by_task[task]) for task in TASKS if by_task.get(task, 0)},
            annotators=len(names),
            names=dict(names) if named else {},
            topics={
                topic: TopicFacts(
                    samples=count, judged=self._judged[topic], accepted=self._accepted[topic]
                )
                for topic, count in sorted(self._samples.items())
            },
            disputed=self._disputed,
            agreement=tuple(reading.message for reading in trust.readings()),
        )


def _passed(read: Iterable[Parsed], writer: _Writer | None) -> Iterator[Parsed]:
    """All that is read, written down on its way: every event once, also those taken back."""
    seen = _Seen()
    for item in read:
        if writer is not None and isinstance(item, FeedbackEvent) and seen.new(item.event_id):
            writer.event(item)
        yield item


class _Seen:
    """Ids that were met, in about eight bytes each."""

    _AT_ONCE: Final = 100_000

    def __init__(self) -> None:
        self._old: NDArray[np.int64] = np.zeros(0, np.int64)
        self._recent: set[int] = set()

    def new(self, event_id: str) -> bool:
        """Tell whether an id is met for the first time."""
        met = digest(event_id)
        if met in self._recent:
            return False
        at = int(np.searchsorted(self._old, met))
        if at < len(self._old) and self._old[at] == met:
            return False
        self._recent.add(met)
        if len(self._recent) == self._AT_ONCE:
            self._old = np.union1d(self._old, np.fromiter(self._recent, np.int64))
            self._recent.clear()
        return True
