"""Everybody's judgements as they count now, in columns, so that a million of them fit.

The rule is the one of ``pipeline.core.feedback.Feedback``: of the events with one key the newest
counts, and one that was withdrawn is gone. What people wrote stays on disk until it is asked for.
"""

from __future__ import annotations

import tempfile
import weakref
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock
from typing import Any, Final, Self, TypeVar

import numpy as np
import numpy.typing as npt
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core.feedback import (
    BadLine,
    FeedbackEvent,
    Parsed,
    Preference,
    Status,
    content_order,
    timestamp,
)
from pipeline.core.projects import read_feedback
from pipeline.core.schema import TASKS
from pipeline.core.store import Store

FIRST: Final = 0
"""Answer to a pair: the completion whose id sorts first."""
SECOND: Final = 1
TIE: Final = 2
BOTH_BAD: Final = 3
NO_ANSWER: Final = -1
"""Answer of what was skipped or flagged, and of tasks whose answer is a text."""

STATUSES: Final[tuple[Status, ...]] = ("submitted", "skipped", "flagged", "withdrawn")

Numbers = npt.NDArray[np.int64]
Codes = npt.NDArray[np.int32]
Small = npt.NDArray[np.int8]
Flags = npt.NDArray[np.bool_]
_Kind = TypeVar("_Kind", bound=np.generic)

_ROWS_AT_ONCE: Final = 50_000
_IN_MEMORY: Final = 2_000_000
"""Bytes of what people wrote that are kept before a file is made for them."""
_NOT_TOLD: Final = int(np.datetime64("NaT").astype(np.int64))
_FEW: Final = ("annotator", "option", "reason", "topic", "perspective", "guidelines")
"""Texts of which each occurs often; of ``_MANY`` each occurs a few times."""
_COMPLETIONS: Final = ("completion", "first", "second")
_MANY: Final = ("sample", *_COMPLETIONS)
_MOMENTS: Final = ("received", "shown", "answered")


class Judgements:
    """The newest event of each annotator for each question, without those taken back.

    Attributes:
        frame: One row for each, in the order of sample, task, completions, annotator, repeat and
            verdict, so that it is the same whatever the order of events. Columns:

            - ``sample``: int32, the place in ``samples``;
            - ``completion`` (of thumbs, rate and edit), ``first`` and ``second`` (of a pair, in the
              order of their ids): int32, places in ``completions``, -1 where they do not apply;
            - ``annotator``, ``option`` and ``reason``, ``topic`` and ``perspective`` (of
              instruction), ``guidelines``: categories in the order of their names, missing where
              they do not apply;
            - ``task`` and ``status``: categories in the order of ``TASKS`` and ``STATUSES``; also
              skipped and flagged ones are here;
            - ``repeat``: the question was asked again, so that it is no further vote;
            - ``verdict``: a lead settles the question with it;
            - ``answer``: int8. Thumbs 1 or 0, pairs ``FIRST``, ``SECOND``, ``TIE`` or ``BOTH_BAD``,
              rate 1 to 5, else ``NO_ANSWER``;
            - ``first_left``: int8. Pairs: 1 if ``first`` was on the left, 0 if not, else -1;
            - ``received``, ``shown``, ``answered``: moments, NaT if not told;
            - ``duration``: milliseconds, -1 if not told;
            - ``has_text``, ``has_comment``: whether ``text`` and ``comment`` have anything.
        samples: Ids in order; no category, for which pandas would hold an object for each.
        completions: Likewise.
        bad_lines: Lines that could not be read.
        events: How many events were read, those counted twice and withdrawn ones included.
    """

    def __init__(
        self,
        frame: pd.DataFrame,
        samples: pa.StringArray,
        completions: pa.StringArray,
        written: Written,
        columns: Columns,
    ) -> None:
        self.frame = frame
        self.samples = samples
        self.completions = completions
        self.bad_lines = tuple(columns.bad_lines)
        self.events = columns.events
        self._written = written
        self._arrays: dict[str, Any] = {}

    @classmethod
    def read(cls, store: Store) -> Self:
        """Those of a project, read file by file."""
        return cls.of(read_feedback(store))

    @classmethod
    def of(cls, items: Iterable[Parsed]) -> Self:
        """Fold ``items``, in any order."""
        columns = Columns()
        for item in items:
            columns.add(item)
        read = columns.read()
        rows = _newest(read)
        frame, written = _frame(read, rows), read.written.taken(rows)
        frame["has_text"], frame["has_comment"] = written.has()
        return cls(frame, read.names["sample"], read.names["completion"], written, columns)

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def votes(self) -> Flags:
        """Which rows were submitted and are no repeats: those that count as votes."""
        submitted = self.codes("status") == STATUSES.index("submitted")
        found: Flags = submitted & ~self.column("repeat", np.bool_)
        return found

    @cached_property
    def independent(self) -> Flags:
        """Votes without a lead's verdicts, which are given with everybody's votes in view."""
        found: Flags = self.votes & ~self.column("verdict", np.bool_)
        return found

    def find(self, sample_id: str) -> int:
        """The place of a sample in ``samples``, -1 if nobody has said anything of it."""
        hashes, order = self._hashed
        at = int(np.searchsorted(hashes, hash(sample_id)))
        while at < len(hashes) and hashes[at] == hash(sample_id):
            if self.samples[int(order[at])].as_py() == sample_id:
                return int(order[at])
            at += 1
        return -1

    def rows(self, sample_id: str) -> range:
        """The rows of the frame that are about a sample."""
        place = self.find(sample_id)
        return range(0) if place < 0 else range(*self._starts[place : place + 2].tolist())

    @cached_property
    def _starts(self) -> Numbers:
        places = np.arange(len(self.samples) + 1)
        return np.searchsorted(self.column("sample", np.int32), places)

    @cached_property
    def _hashed(self) -> tuple[Numbers, Codes]:
        """Hashes of the samples' ids, sorted, and whose each is: a tenth of what a dict takes."""
        every = (hash(sample_id) for sample_id in _each(self.samples))
        hashes = np.fromiter(every, np.int64, len(self.samples))
        order = np.argsort(hashes).astype(np.int32)
        return hashes[order], order

    def completion(self, place: int) -> str:
        """The id of a completion."""
        name: str = self.completions[place].as_py()
        return name

    def codes(self, name: str) -> Codes:
        """A category column as places among its categories; -1 is missing."""
        codes: Codes = np.asarray(self.frame[name].cat.codes).astype(np.int32, copy=False)
        return codes

    def column(self, name: str, kind: type[_Kind]) -> npt.NDArray[_Kind]:
        """A column that is no category, as an array."""
        return self.frame[name].to_numpy(dtype=kind)

    def task(self, task: str) -> Flags:
        """Which rows are about a task."""
        found: Flags = self.codes("task") == TASKS.index(task)
        return found

    def counts(self) -> dict[str, int]:
        """How many there are by task and status, such as ``thumbs submitted``."""
        both = self.codes("task") * len(STATUSES) + self.codes("status")
        found = np.bincount(both, minlength=len(TASKS) * len(STATUSES)).reshape(len(TASKS), -1)
        named = {
            f"{task} {status}": int(found[row, column])
            for row, task in enumerate(TASKS)
            for column, status in enumerate(STATUSES)
            if found[row, column]
        }
        return dict(sorted(named.items()))

    def value(self, name: str, row: int) -> Any:  # noqa: ANN401 - as the column
        """One value of a column, without the cost of asking the frame; None if missing."""
        column = self._arrays.get(name)
        if column is None:
            column = self._arrays[name] = self.frame[name].array
        found = column[row]
        if isinstance(found, np.generic):
            return found.item()
        return None if isinstance(found, float) else found

    def text(self, row: int) -> str | None:
        """What was written in a row's event, if anything."""
        return self._written.text(row)

    def comment(self, row: int) -> str | None:
        """The comment of a row's event, if there is one."""
        return self._written.comment(row)


@dataclass(frozen=True, slots=True)
class _Place:
    """Where texts are in a file: first byte and bytes of each, -1 bytes for none."""

    start: Numbers
    size: Codes

    def take(self, rows: Numbers) -> _Place:
        return _Place(self.start[rows], self.size[rows])


class _Drawer:
    """A temporary file, on disk once it grows; goes with the last who can read it."""

    def __init__(self) -> None:
        self._file = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._lock = Lock()
        weakref.finalize(self, self._file.close)
        self.write = self._file.write

    def read(self, start: int, size: int) -> bytes:
        with self._lock:
            self._file.seek(start)
            return self._file.read(size)


class Written:
    """What people wrote, on disk; ``text`` and ``comment`` may be asked from any thread."""

    def __init__(self, file: _Drawer, texts: _Place, comments: _Place) -> None:
        self._file = file
        self._texts = texts
        self._comments = comments

    def text(self, row: int) -> str | None:
        """The text of a row."""
        return self._read(self._texts, row)

    def comment(self, row: int) -> str | None:
        """The comment of a row."""
        return self._read(self._comments, row)

    def taken(self, rows: Numbers) -> Written:
        """The same with only these rows, in this order."""
        return Written(self._file, self._texts.take(rows), self._comments.take(rows))

    def has(self) -> tuple[Flags, Flags]:
        """Which rows have a text, and which have a comment."""
        return self._texts.size >= 0, self._comments.size >= 0

    def _read(self, place: _Place, row: int) -> str | None:
        size = int(place.size[row])
        if size < 0:
            return None
        return self._file.read(int(place.start[row]), size).decode()


@dataclass(frozen=True, slots=True)
class _Read:
    """Everything that was read, one row for each event.

    Attributes:
        columns: As in ``Judgements.frame``; texts as places in ``names``.
        names: For each column of texts what occurs, in order.
        written: Texts and comments.
        events: The ids of the events.
    """

    columns: dict[str, npt.NDArray[Any]]
    names: dict[str, pa.Array]
    written: Written
    events: Written


class Columns:
    """Takes in events one by one and keeps them in columns."""

    def __init__(self) -> None:
        self.bad_lines: list[BadLine] = []
        self.events = 0
        self._file = _Drawer()
        self._known: dict[str, dict[str | None, int]] = {name: {None: -1} for name in _FEW}
        self._texts: dict[str, list[pa.Array]] = {name: [] for name in _MANY}
        self._numbers: dict[str, list[npt.NDArray[Any]]] = {
            name: [] for name in (*_FEW, *_MOMENTS, *_KINDS)
        }
        self._start_chunk()

    def add(self, item: Parsed) -> None:
        """Take in one event, or a line that is none."""
        if isinstance(item, BadLine):
            self.bad_lines.append(item)
            return
        self.events += 1
        self._add(item)
        if self.events % _ROWS_AT_ONCE == 0:
            self._close_chunk()

    def _add(self, event: FeedbackEvent) -> None:
        left, right = event.left_id, event.right_id
        first_left = NO_ANSWER
        if left and right:
            first_left = int(left < right)
            if not first_left:
                left, right = right, left
        else:
            left = right = None
        known = self._known
        row = (
            self._code(known["annotator"], event.annotator),
            self._code(known["option"], event.option),
            self._code(known["reason"], event.reason),
            self._code(known["topic"], event.topic),
            self._code(known["perspective"], event.perspective),
            self._code(known["guidelines"], event.guidelines_version),
            event.sample_id,
            event.completion_id,
            left,
            right,
            event.received_at,
            event.shown_at,
            event.answered_at,
            TASKS.index(event.task),
            STATUSES.index(event.status),
            _answer(event, first_left),
            first_left,
            event.repeat is True,
            event.verdict is True,
            -1 if event.duration_ms is None else event.duration_ms,
            self._write(event.event_id),
            self._write(event.text),
            self._write(event.comment),
        )
        for append, value in zip(self._appends, row, strict=True):
            append(value)

    @staticmethod
    def _code(known: dict[str | None, int], text: str | None) -> int:
        return known.setdefault(text, len(known) - 1)

    def _write(self, text: str | None) -> int:
        if text is None:
            return -1
        data = text.encode()
        self._file.write(data)
        return len(data)

    def _start_chunk(self) -> None:
        self._open: dict[str, list[Any]] = {
            name: [] for name in (*_FEW, *_MANY, *_MOMENTS, *_KINDS)
        }
        self._appends = [column.append for column in self._open.values()]

    def _close_chunk(self) -> None:
        for name, values in self._open.items():
            if name in self._texts:
                self._texts[name].append(pa.array(values, pa.string()))
            elif name in _MOMENTS:
                self._numbers[name].append(_moments(values))
            else:
                self._numbers[name].append(np.array(values, _KINDS.get(name, np.int32)))
        self._start_chunk()

    def read(self) -> _Read:
        """Everything that was taken in; nothing more can be."""
        self._close_chunk()
        columns: dict[str, npt.NDArray[Any]] = {}
        for name, chunks in self._numbers.items():
            columns[name] = np.concatenate(chunks)
            chunks.clear()
        names: dict[str, pa.Array] = {}
        for name, known in self._known.items():
            del known[None]
            names[name], rank = _sorted(pa.array(list(known), pa.string()))
            columns[name] = rank[columns[name]]
        (columns["sample"],), names["sample"] = _coded([self._texts["sample"]])
        coded, shared = _coded([self._texts[name] for name in _COMPLETIONS])
        for name, codes in zip(_COMPLETIONS, coded, strict=True):
            columns[name], names[name] = codes, shared
        sizes = np.stack([columns.pop(name) for name in _WRITTEN], axis=1)
        ends = np.maximum(sizes, 0, dtype=np.int64).cumsum().reshape(sizes.shape)
        ids, texts, comments = (
            _Place(ends[:, at] - sizes[:, at], sizes[:, at].copy()) for at in range(len(_WRITTEN))
        )
        written = Written(self._file, texts, comments)
        return _Read(columns, names, written, Written(self._file, ids, comments))


_KINDS: Final[dict[str, type[np.generic]]] = {
    "task": np.int8,
    "status": np.int8,
    "answer": np.int8,
    "first_left": np.int8,
    "repeat": np.bool_,
    "verdict": np.bool_,
    "duration": np.int32,
    "event_bytes": np.int32,
    "text_bytes": np.int32,
    "comment_bytes": np.int32,
}
_WRITTEN: Final = ("event_bytes", "text_bytes", "comment_bytes")
"""In the order in which they are written."""
_NO_TEXT: Final = pa.array([], pa.string())
_KEY: Final = ("sample", "task", *_COMPLETIONS, "annotator", "repeat", "verdict")


def _answer(event: FeedbackEvent, first_left: int) -> int:
    if event.status != "submitted":
        return NO_ANSWER
    if event.task == "thumbs":
        return int(event.label is True)
    if event.task == "rate":
        return event.rating or NO_ANSWER
    if event.task == "pairwise" and event.preference is not None:
        if event.preference in ("tie", "both_bad"):
            return TIE if event.preference == "tie" else BOTH_BAD
        return FIRST if (event.preference == "left") == bool(first_left) else SECOND
    return NO_ANSWER


def _moments(values: list[str | None]) -> Numbers:
    stamps = pc.cast(pa.array(values, pa.string()), pa.timestamp("ms", "UTC")).cast(pa.int64())
    numbers: Numbers = stamps.fill_null(_NOT_TOLD).to_numpy(zero_copy_only=False)
    return numbers


def _coded(columns: list[list[pa.Array]]) -> tuple[list[Codes], pa.Array]:
    """Texts of several columns as places in one sorted list of them; -1 is missing."""
    sizes = [sum(map(len, chunks)) for chunks in columns]
    every = pa.chunked_array([chunk for chunks in columns for chunk in chunks], pa.string())
    for chunks in columns:
        chunks.clear()
    encoded = every.dictionary_encode()
    del every
    # Every chunk has what occurred up to it; the last one has all.
    names, rank = _sorted(encoded.chunks[-1].dictionary if encoded.chunks else _NO_TEXT)
    chunks = [
        chunk.indices.fill_null(-1).to_numpy(zero_copy_only=False) for chunk in encoded.chunks
    ]
    codes = rank[np.concatenate([np.zeros(0, np.int32), *chunks])]
    return np.split(codes, np.cumsum(sizes)[:-1]), names


def _sorted(known: pa.Array) -> tuple[pa.Array, Codes]:
    """Texts in order, and for each its place in it; one more, for -1, is -1."""
    order = pc.sort_indices(known).to_numpy()
    rank = np.full(len(order) + 1, -1, dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    return known.take(pa.array(order)), rank


def _newest(read: _Read) -> Numbers:
    """The rows that stand, in the order of their keys."""
    columns = read.columns
    keys = [columns[name] for name in _KEY]
    order = np.lexsort((columns["received"], *keys[::-1]))
    if not len(order):
        return order
    same_key = np.ones(len(order) - 1, dtype=np.bool_)
    for column in keys:
        sorted_ = column[order]
        same_key &= sorted_[1:] == sorted_[:-1]
    received = columns["received"][order]
    same_moment = same_key & (received[1:] == received[:-1])
    build = _Rebuilt(read)
    for start, end in _runs(same_moment):
        order[end - 1] = build.newest(order[start:end].tolist())
    rows = order[np.append(~same_key, True)]
    standing: Numbers = rows[columns["status"][rows] != STATUSES.index("withdrawn")]
    return standing


def _each(names: pa.StringArray) -> Iterator[str]:
    for start in range(0, len(names), _ROWS_AT_ONCE):
        yield from names.slice(start, _ROWS_AT_ONCE).to_pylist()


def _runs(joined: Flags) -> Iterator[tuple[int, int]]:
    """Start and end of each run of rows in which every one is joined to the one before."""
    edges = np.diff(np.concatenate(([False], joined, [False])).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) + 1
    return zip(starts.tolist(), ends.tolist(), strict=True)


@dataclass(frozen=True, slots=True)
class _Rebuilt:
    """Events as they were, for the few whose key and moment are the same."""

    read: _Read

    def newest(self, rows: list[int]) -> int:
        """The one that counts of events with one key and moment; most are one event again."""
        event_ids = {row: self.read.events.text(row) or "" for row in rows}
        last = max(event_ids.values())
        rows = [row for row in rows if event_ids[row] == last]
        different = {self._content(row): row for row in rows}
        if len(different) == 1:
            return rows[0]
        return max(different.values(), key=lambda row: content_order(self.event(row)))

    def _content(self, row: int) -> tuple[object, ...]:
        values = tuple(column[row].item() for column in self.read.columns.values())
        return (*values, self.read.written.text(row), self.read.written.comment(row))

    def event(self, row: int) -> FeedbackEvent:
        task = TASKS[int(self.read.columns["task"][row])]
        status = STATUSES[int(self.read.columns["status"][row])]
        answer, first_left = (
            int(self.read.columns[name][row]) for name in ("answer", "first_left")
        )
        left, right = self._name("first", row), self._name("second", row)
        if first_left == 0:
            left, right = right, left
        told = answer != NO_ANSWER
        duration = int(self.read.columns["duration"][row])
        return FeedbackEvent(
            event_id=self.read.events.text(row) or "",
            sample_id=self._name("sample", row) or "",
            task=task,
            annotator=self._name("annotator", row) or "",
            status=status,
            completion_id=self._name("completion", row),
            label=bool(answer) if task == "thumbs" and told else None,
            left_id=left,
            right_id=right,
            preference=preference(answer, first_left) if task == "pairwise" and told else None,
            rating=answer if task == "rate" and told else None,
            text=self.read.written.text(row),
            option=self._name("option", row),
            reason=self._name("reason", row),
            comment=self.read.written.comment(row),
            topic=self._name("topic", row),
            perspective=self._name("perspective", row),
            repeat=bool(self.read.columns["repeat"][row]) or None,
            verdict=bool(self.read.columns["verdict"][row]) or None,
            shown_at=self._moment("shown", row),
            answered_at=self._moment("answered", row),
            received_at=self._moment("received", row) or "",
            duration_ms=None if duration < 0 else duration,
            guidelines_version=self._name("guidelines", row),
        )

    def _name(self, column: str, row: int) -> str | None:
        code = int(self.read.columns[column][row])
        name: str | None = self.read.names[column][code].as_py() if code >= 0 else None
        return name

    def _moment(self, column: str, row: int) -> str | None:
        number = int(self.read.columns[column][row])
        if number == _NOT_TOLD:
            return None
        moment = np.datetime64(number, "ms").astype(datetime).replace(tzinfo=UTC)
        return timestamp(moment)


def preference(answer: int, first_left: int) -> Preference:
    """What was said of a pair as it was shown, from the columns of ``Judgements.frame``."""
    if answer in (TIE, BOTH_BAD):
        return "tie" if answer == TIE else "both_bad"
    return "left" if (answer == FIRST) == bool(first_left) else "right"


def _frame(read: _Read, rows: Numbers) -> pd.DataFrame:
    """The rows as a frame; takes the columns out of ``read``."""
    made: dict[str, Any] = {name: read.columns.pop(name)[rows] for name in _MANY}
    for name in ("task", "annotator", "status", *_FEW[1:]):
        kinds = {"task": TASKS, "status": STATUSES}.get(name) or read.names[name].to_pandas()
        made[name] = pd.Categorical.from_codes(
            read.columns.pop(name)[rows], dtype=pd.CategoricalDtype(pd.Index(kinds))
        )
    for name in ("repeat", "verdict", "answer", "first_left", "duration"):
        made[name] = read.columns.pop(name)[rows]
    for name in _MOMENTS:
        moments = read.columns.pop(name)[rows].view("datetime64[ms]")
        made[name] = pd.DatetimeIndex(moments, tz="UTC")
    return pd.DataFrame(made)
