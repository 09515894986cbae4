"""Everybody's judgements as they count now, in columns, so that a million of them fit.

The rule is the one of ``pipeline.core.feedback.Feedback``: of the events with one key the newest
counts, and one that was withdrawn is gone. What people wrote stays on disk until it is asked for.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cached_property
from threading import Lock
from typing import IO, Any, Final, Self, TypeVar

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
_IDS: Final = ("sample", "annotator", "option", "reason", "topic", "perspective", "guidelines")
_COMPLETIONS: Final = ("completion", "first", "second")
_MOMENTS: Final = ("received", "shown", "answered")


class Judgements:
    """The newest event of each annotator for each question, without those taken back.

    Attributes:
        frame: One row for each, in the order of sample, task, completions, annotator and repeat,
            so that it is the same whatever the order of events. Columns:

            - ``sample``, ``annotator``, ``completion`` (of thumbs, rate and edit), ``first`` and
              ``second`` (of a pair, in the order of their ids), ``option`` and ``reason``,
              ``topic`` and ``perspective`` (of instruction), ``guidelines``: ids and short texts as
              categories in the order of their names, missing where they do not apply;
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
        bad_lines: Lines that could not be read.
        events: How many events were read, those counted twice and withdrawn ones included.
    """

    def __init__(
        self, frame: pd.DataFrame, written: Written, bad_lines: tuple[BadLine, ...], events: int
    ) -> None:
        self.frame = frame
        self.bad_lines = bad_lines
        self.events = events
        self._written = written

    @classmethod
    def read(cls, store: Store) -> Self:
        """Those of a project, read file by file."""
        return cls.of(read_feedback(store))

    @classmethod
    def of(cls, items: Iterable[Parsed]) -> Self:
        """Fold ``items``, in any order."""
        columns = _Columns()
        for item in items:
            columns.add(item)
        return cls(*columns.folded())

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def votes(self) -> Flags:
        """Which rows were submitted and are no repeats: those that count as votes."""
        submitted = self.codes("status") == STATUSES.index("submitted")
        found: Flags = submitted & ~self.column("repeat", np.bool_)
        return found

    def codes(self, name: str) -> Codes:
        """A category column as places in ``names(name)``; -1 is missing."""
        codes: Codes = np.asarray(self.frame[name].cat.codes).astype(np.int32, copy=False)
        return codes

    def names(self, name: str) -> pd.Index[str]:
        """The categories of a column, in order."""
        index: pd.Index[str] = self.frame[name].cat.categories
        return index

    def column(self, name: str, kind: type[_Kind]) -> npt.NDArray[_Kind]:
        """A column that is no category, as an array."""
        return self.frame[name].to_numpy(dtype=kind)

    def task(self, task: str) -> Flags:
        """Which rows are about a task."""
        found: Flags = self.codes("task") == TASKS.index(task)
        return found

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


class Written:
    """What people wrote, on disk; ``text`` and ``comment`` may be asked from any thread."""

    def __init__(self, file: IO[bytes], texts: _Place, comments: _Place) -> None:
        self._file = file
        self._lock = Lock()
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
        with self._lock:
            self._file.seek(int(place.start[row]))
            return self._file.read(size).decode()


class _Columns:
    """Takes in events one by one and keeps them in columns."""

    def __init__(self) -> None:
        self.bad_lines: list[BadLine] = []
        self.events = 0
        self._open: dict[str, list[Any]] = {}
        self._texts: dict[str, list[pa.Array]] = {
            name: [] for name in (*_IDS, *_COMPLETIONS, "event")
        }
        self._numbers: dict[str, list[npt.NDArray[Any]]] = {}
        self._file: IO[bytes] = tempfile.SpooledTemporaryFile(max_size=_IN_MEMORY)  # noqa: SIM115
        self._end = 0
        self._start_chunk()

    def add(self, item: Parsed) -> None:
        if isinstance(item, BadLine):
            self.bad_lines.append(item)
            return
        self.events += 1
        self._add(item)
        if len(self._open["event"]) >= _ROWS_AT_ONCE:
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
        row = (
            event.sample_id,
            event.annotator,
            event.option,
            event.reason,
            event.topic,
            event.perspective,
            event.guidelines_version,
            event.completion_id,
            left,
            right,
            event.event_id,
            event.received_at,
            event.shown_at,
            event.answered_at,
            TASKS.index(event.task),
            STATUSES.index(event.status),
            _answer(event, first_left),
            first_left,
            event.repeat,
            event.verdict,
            -1 if event.duration_ms is None else event.duration_ms,
            *self._write(event.text),
            *self._write(event.comment),
        )
        for column, value in zip(self._appends, row, strict=True):
            column(value)

    def _write(self, text: str | None) -> tuple[int, int]:
        if text is None:
            return 0, -1
        data = text.encode()
        start = self._end
        self._file.write(data)
        self._end += len(data)
        return start, len(data)

    def _start_chunk(self) -> None:
        self._open = {name: [] for name in _ORDER}
        self._appends = [column.append for column in self._open.values()]

    def _close_chunk(self) -> None:
        for name, values in self._open.items():
            if name in self._texts:
                self._texts[name].append(pa.array(values, pa.large_string()))
            elif name in _MOMENTS:
                self._numbers.setdefault(name, []).append(_moments(values))
            else:
                kind = _KINDS[name]
                numbers = np.array(
                    [bool(value) for value in values] if kind is np.bool_ else values, kind
                )
                self._numbers.setdefault(name, []).append(numbers)
        self._start_chunk()

    def folded(self) -> tuple[pd.DataFrame, Written, tuple[BadLine, ...], int]:
        self._close_chunk()
        columns: dict[str, npt.NDArray[Any]] = {
            name: np.concatenate(self._numbers.pop(name)) for name in list(self._numbers)
        }
        names: dict[str, pa.Array] = {}
        for name in _IDS:
            (columns[name],), names[name] = _coded([self._texts.pop(name)])
        coded, shared = _coded([self._texts.pop(name) for name in _COMPLETIONS])
        for name, codes in zip(_COMPLETIONS, coded, strict=True):
            columns[name], names[name] = codes, shared
        texts = _Place(columns.pop("text_start"), columns.pop("text_size"))
        comments = _Place(columns.pop("comment_start"), columns.pop("comment_size"))
        written = Written(self._file, texts, comments)
        events = pa.chunked_array(self._texts.pop("event"), pa.large_string()).combine_chunks()
        rows = _newest(columns, names, events, written)
        return (
            _frame(columns, names, rows, written.taken(rows)),
            written.taken(rows),
            tuple(self.bad_lines),
            self.events,
        )


_KINDS: Final[dict[str, type[np.generic]]] = {
    "task": np.int8,
    "status": np.int8,
    "answer": np.int8,
    "first_left": np.int8,
    "repeat": np.bool_,
    "verdict": np.bool_,
    "duration": np.int32,
    "text_start": np.int64,
    "text_size": np.int32,
    "comment_start": np.int64,
    "comment_size": np.int32,
}
_ORDER: Final = (*_IDS, *_COMPLETIONS, "event", *_MOMENTS, *_KINDS)
"""The columns in the order in which an event is taken apart."""
_KEY: Final = ("sample", "task", *_COMPLETIONS, "annotator", "repeat")


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
    every = pa.chunked_array([chunk for chunks in columns for chunk in chunks], pa.large_string())
    columns.clear()
    encoded = every.combine_chunks().dictionary_encode()
    del every
    known = encoded.dictionary
    order = pc.sort_indices(known).to_numpy()
    rank = np.empty(len(order) + 1, dtype=np.int32)
    rank[order] = np.arange(len(order), dtype=np.int32)
    rank[-1] = -1
    codes = rank[encoded.indices.fill_null(-1).to_numpy(zero_copy_only=False)]
    return np.split(codes, np.cumsum(sizes)[:-1]), known.take(pa.array(order))


def _newest(
    columns: dict[str, npt.NDArray[Any]],
    names: dict[str, pa.Array],
    events: pa.LargeStringArray,
    written: Written,
) -> Numbers:
    """The rows that stand, in the order of their keys."""
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
    build = _Rebuilt(columns, names, events, written)
    for start, end in _runs(same_moment):
        order[end - 1] = build.newest(order[start:end].tolist())
    last = np.append(~same_key, True)
    rows = order[last]
    standing: Numbers = rows[columns["status"][rows] != STATUSES.index("withdrawn")]
    return standing


def _runs(joined: Flags) -> Iterator[tuple[int, int]]:
    """Start and end of each run of rows in which every one is joined to the one before."""
    edges = np.diff(np.concatenate(([False], joined, [False])).astype(np.int8))
    starts, ends = np.flatnonzero(edges == 1), np.flatnonzero(edges == -1) + 1
    return zip(starts.tolist(), ends.tolist(), strict=True)


@dataclass(frozen=True, slots=True)
class _Rebuilt:
    """Events as they were, for the few whose key and moment are the same."""

    columns: dict[str, npt.NDArray[Any]]
    names: dict[str, pa.Array]
    events: pa.LargeStringArray
    written: Written

    def newest(self, rows: list[int]) -> int:
        """The one that counts of events with one key and moment; most are one event again."""
        event_ids = {row: self.events[row].as_py() for row in rows}
        last = max(event_ids.values())
        rows = [row for row in rows if event_ids[row] == last]
        different = {self._content(row): row for row in rows}
        if len(different) == 1:
            return rows[0]
        return max(different.values(), key=lambda row: content_order(self.event(row)))

    def _content(self, row: int) -> tuple[object, ...]:
        values = tuple(column[row].item() for column in self.columns.values())
        return (*values, self.written.text(row), self.written.comment(row))

    def event(self, row: int) -> FeedbackEvent:
        task = TASKS[int(self.columns["task"][row])]
        status = STATUSES[int(self.columns["status"][row])]
        answer, first_left = (int(self.columns[name][row]) for name in ("answer", "first_left"))
        left, right = self._name("first", row), self._name("second", row)
        if first_left == 0:
            left, right = right, left
        told = answer != NO_ANSWER
        duration = int(self.columns["duration"][row])
        return FeedbackEvent(
            event_id=self.events[row].as_py(),
            sample_id=self._name("sample", row) or "",
            task=task,
            annotator=self._name("annotator", row) or "",
            status=status,
            completion_id=self._name("completion", row),
            label=bool(answer) if task == "thumbs" and told else None,
            left_id=left,
            right_id=right,
            preference=_preference(answer, first_left) if task == "pairwise" and told else None,
            rating=answer if task == "rate" and told else None,
            text=self.written.text(row),
            option=self._name("option", row),
            reason=self._name("reason", row),
            comment=self.written.comment(row),
            topic=self._name("topic", row),
            perspective=self._name("perspective", row),
            repeat=bool(self.columns["repeat"][row]) or None,
            verdict=bool(self.columns["verdict"][row]) or None,
            shown_at=self._moment("shown", row),
            answered_at=self._moment("answered", row),
            received_at=self._moment("received", row) or "",
            duration_ms=None if duration < 0 else duration,
            guidelines_version=self._name("guidelines", row),
        )

    def _name(self, column: str, row: int) -> str | None:
        code = int(self.columns[column][row])
        name: str | None = self.names[column][code].as_py() if code >= 0 else None
        return name

    def _moment(self, column: str, row: int) -> str | None:
        number = int(self.columns[column][row])
        if number == _NOT_TOLD:
            return None
        moment = np.datetime64(number, "ms").astype(datetime).replace(tzinfo=UTC)
        return timestamp(moment)


def _preference(answer: int, first_left: int) -> Preference:
    if answer in (TIE, BOTH_BAD):
        return "tie" if answer == TIE else "both_bad"
    return "left" if (answer == FIRST) == bool(first_left) else "right"


def _frame(
    columns: dict[str, npt.NDArray[Any]],
    names: dict[str, pa.Array],
    rows: Numbers,
    written: Written,
) -> pd.DataFrame:
    shared = {name: pd.Index(names[name].to_pandas()) for name in (*_IDS, "completion")}
    made: dict[str, Any] = {}
    for name in ("sample", "task", *_COMPLETIONS, "annotator", "status", *_IDS[2:]):
        codes = columns.pop(name)[rows]
        if name in ("task", "status"):
            index = pd.Index(TASKS if name == "task" else STATUSES)
        else:
            index = shared["completion" if name in _COMPLETIONS else name]
        made[name] = pd.Categorical.from_codes(codes, dtype=pd.CategoricalDtype(index))
    for name in ("repeat", "verdict", "answer", "first_left", "duration"):
        made[name] = columns.pop(name)[rows]
    for name in _MOMENTS:
        moments = columns.pop(name)[rows].view("datetime64[ms]")
        made[name] = pd.DatetimeIndex(moments, tz="UTC")
    made["has_text"], made["has_comment"] = written.has()
    return pd.DataFrame(made)
