"""The file in which samples are searched: their words in SQLite's FTS5, what else is asked beside.

It holds nothing that the project does not: it is thrown away when anything about it is odd. Texts
are not in it, only their words; they are read from the shards when they are shown.
"""

from __future__ import annotations

import json
import secrets
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from annotate_space.study.query import Query, Term
from pipeline.core.errors import SeedbedError, StoreUnavailable
from pipeline.core.schema import Sample

Numbers = npt.NDArray[np.int32]
Floats = npt.NDArray[np.float64]

_VERSION: Final = 1
_BUSY: Final = 10.0
"""Seconds to wait for another process that writes."""
_READ_AT_ONCE: Final = 20_000
_SCHEMA: Final = """
CREATE TABLE meta (name TEXT PRIMARY KEY, value TEXT) WITHOUT ROWID;
CREATE TABLE names (kind TEXT, number INTEGER, name TEXT, PRIMARY KEY (kind, number));
CREATE TABLE shards (
    number INTEGER PRIMARY KEY, path TEXT UNIQUE, size INTEGER, moment INTEGER,
    groups INTEGER, done INTEGER);
CREATE TABLE samples (
    number INTEGER PRIMARY KEY, sample_id TEXT UNIQUE, shard INTEGER, in_group INTEGER,
    in_row INTEGER, topic INTEGER, perspective INTEGER, run INTEGER, authors INTEGER,
    ratings INTEGER, best REAL, created INTEGER);
CREATE VIRTUAL TABLE texts USING fts5(
    question, answers, content='', tokenize='unicode61 remove_diacritics 2', prefix='2 3');
"""
_QUESTION_WEIGHT: Final = 3.0
"""How much more a word in the question says about a sample than one in an answer."""

RATINGS: Final = (2.0, 3.0, 4.0)
"""Where one group of the judge's ratings ends and the next begins."""
UNRATED: Final = len(RATINGS) + 1
"""The group of answers that the judge did not rate."""

_NAMED: Final = ("topic", "perspective", "run", "authors")


@dataclass(frozen=True, slots=True)
class Shard:
    """A file of samples as it was when it was read.

    Attributes:
        size: Bytes.
        moment: When it was last written, nanoseconds.
        groups: How many row groups it has; the first ``done`` of them are in the index.
    """

    number: int
    path: str
    size: int
    moment: int
    groups: int
    done: int


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample's texts are."""

    number: int
    sample_id: str
    shard: str
    group: int
    row: int


@dataclass(frozen=True, slots=True)
class Rows:
    """Every sample of an index but its words; sample ``n`` is at place ``n - 1``.

    Attributes:
        born: Which index; another one has another.
        ids: Of the samples.
        topic: A place in ``names["topic"]``; so are ``perspective``, ``run`` and ``authors``.
        ratings: In which groups of ``RATINGS`` the sample has answers, a bit for each.
        best: The judge's best rating; NaN without.
        created: Milliseconds since 1970, 0 if not told.
        names: What the numbers stand for; ``authors`` are models as a JSON list.
    """

    born: str
    ids: pa.ChunkedArray
    topic: Numbers
    perspective: Numbers
    run: Numbers
    authors: Numbers
    ratings: Numbers
    best: npt.NDArray[np.float32]
    created: npt.NDArray[np.int64]
    names: dict[str, list[str]]

    def __len__(self) -> int:
        return len(self.topic)


def no_rows(born: str = "") -> Rows:
    """Those of an empty index."""
    columns: dict[str, Any] = {name: np.zeros(0, kind) for name, kind in _COLUMNS.items()}
    names: dict[str, list[str]] = {kind: [] for kind in _NAMED}
    return Rows(born=born, ids=pa.chunked_array([], pa.string()), names=names, **columns)


class Index:
    """An index at ``path``; any thread and process may read it, one at a time may write."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def throw_away(self) -> None:
        """Begin anew. Whoever reads it just now still reads the old one."""
        for end in ("", "-wal", "-shm"):
            self.path.with_name(self.path.name + end).unlink(missing_ok=True)

    def usable(self) -> bool:
        """Whether there is an index that can be read."""
        try:
            with self._connected() as connection:
                return bool(connection.execute("PRAGMA user_version").fetchone()[0] == _VERSION)
        except (SeedbedError, sqlite3.Error):
            return False

    def make(self) -> None:
        """Make an empty one in place of what is there.

        Raises:
            StoreUnavailable: The disk refuses, or this Python's SQLite cannot search texts.
        """
        self.throw_away()
        self.path.parent.mkdir(parents=True, exist_ok=True)
        try:
            with closing(sqlite3.connect(self.path)) as connection:
                connection.execute("PRAGMA journal_mode = WAL")
                with connection:
                    connection.executescript(_SCHEMA)
                    born = ("born", secrets.token_hex(8))
                    connection.execute("INSERT INTO meta VALUES (?, ?)", born)
                    connection.execute(f"PRAGMA user_version = {_VERSION}")
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"The index for searching cannot be made at {self.path}: {error}.",
                "Free some space, or check who may write there.",
            ) from error

    @contextmanager
    def _connected(self) -> Iterator[sqlite3.Connection]:
        if not self.path.exists():
            raise StoreUnavailable("There is no index for searching yet.", "Try again in a moment.")
        with closing(sqlite3.connect(self.path, timeout=_BUSY)) as connection:
            yield connection

    @contextmanager
    def writing(self) -> Iterator[Writer]:
        """Add to it; nobody else must meanwhile."""
        with self._connected() as connection:
            connection.execute("PRAGMA synchronous = NORMAL")
            yield Writer(connection)

    @contextmanager
    def reading(self) -> Iterator[Reader]:
        """Ask it; what is added meanwhile may not be seen.

        Raises:
            StoreUnavailable: There is none now, or it cannot be read.
        """
        try:
            with self._connected() as connection:
                connection.execute("BEGIN")
                yield Reader(connection)
        except sqlite3.Error as error:
            raise StoreUnavailable(
                f"The index for searching cannot be read: {error}.", "It is made anew by itself."
            ) from error


class Writer:
    """Adds to an index; ``commit`` makes what was added last."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection
        self.commit = connection.commit
        self._names = {kind: _names(connection, kind) for kind in _NAMED}
        self._last = _last(connection)

    def shards(self) -> dict[str, Shard]:
        """What was begun, by path."""
        rows = self._db.execute("SELECT number, path, size, moment, groups, done FROM shards")
        return {path: Shard(number, path, *rest) for number, path, *rest in rows}

    def begin(self, path: str, size: int, moment: int, groups: int) -> Shard:
        """Note a shard of which nothing is in the index yet."""
        fields = (path, size, moment, groups)
        found = self._db.execute(
            "INSERT INTO shards (path, size, moment, groups, done) VALUES (?, ?, ?, ?, 0)", fields
        )
        return Shard(found.lastrowid or 0, *fields, 0)

    def add(self, shard: Shard, group: int, samples: Sequence[tuple[int, Sample]]) -> int:
        """Add the samples of a row group with their rows in it; those known by id are left out.

        Returns:
            How many are new.
        """
        before = self._last
        texts = []
        for row, sample in samples:
            fields = (self._last + 1, sample.sample_id, shard.number, group, row, *self._of(sample))
            marks = ", ".join("?" * len(fields))
            added = self._db.execute(f"INSERT OR IGNORE INTO samples VALUES ({marks})", fields)  # noqa: S608
            if added.rowcount:
                self._last += 1
                texts.append((self._last, question_of(sample), "\n".join(answers_of(sample))))
        self._db.executemany("INSERT INTO texts (rowid, question, answers) VALUES (?, ?, ?)", texts)
        self._db.execute("UPDATE shards SET done = ? WHERE number = ?", (group + 1, shard.number))
        return self._last - before

    def _of(self, sample: Sample) -> tuple[object, ...]:
        models = list(dict.fromkeys(one.model for one in sample.completions))
        rated = [one.judge_rating for one in sample.completions]
        groups = {UNRATED if value is None else rating_group(value) for value in rated}
        return (
            self._number("topic", sample.topic),
            self._number("perspective", sample.perspective),
            self._number("run", sample.run_id),
            self._number("authors", json.dumps(models, ensure_ascii=False)),
            sum(1 << group for group in groups),
            max((value for value in rated if value is not None), default=None),
            _milliseconds(sample.created_at),
        )

    def _number(self, kind: str, name: str) -> int:
        known = self._names[kind]
        number = known.setdefault(name, len(known))
        if number == len(known) - 1:
            self._db.execute("INSERT OR IGNORE INTO names VALUES (?, ?, ?)", (kind, number, name))
        return number

    def tell(self, name: str, value: str) -> None:
        """Keep a word about the index."""
        self._db.execute("INSERT OR REPLACE INTO meta VALUES (?, ?)", (name, value))


class Reader:
    """Asks an index."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._db = connection

    def told(self, name: str) -> str:
        """What ``Writer.tell`` kept; empty if nothing."""
        found = self._db.execute("SELECT value FROM meta WHERE name = ?", (name,)).fetchone()
        return str(found[0]) if found else ""

    def count(self) -> int:
        """How many samples there are."""
        return _last(self._db)

    def rows(self, known: Rows) -> Rows:
        """All samples; only what ``known`` lacks is read, if it is of the same index."""
        born = self.told("born")
        if known.born != born:
            known = no_rows(born)
        if _last(self._db) == len(known):
            return known
        chunks: list[pa.ChunkedArray] = [known.ids]
        columns: list[list[npt.NDArray[Any]]] = [
            [getattr(known, name)] for name in _COLUMNS
        ]  # fmt: skip
        cursor = self._db.execute(
            f"SELECT sample_id, {', '.join(_COLUMNS)} FROM samples"  # noqa: S608
            " WHERE number > ? ORDER BY number",
            (len(known),),
        )
        while some := cursor.fetchmany(_READ_AT_ONCE):
            ids, *values = zip(*some, strict=True)
            chunks.append(pa.chunked_array([pa.array(ids, pa.string())]))
            for column, value in zip(columns, values, strict=True):
                column.append(np.array(value, column[0].dtype))
        names = {kind: list(_names(self._db, kind)) for kind in _NAMED}
        ids = pa.chunked_array([one for chunk in chunks for one in chunk.chunks], pa.string())
        whole: dict[str, Any] = {
            name: np.concatenate(column) for name, column in zip(_COLUMNS, columns, strict=True)
        }
        return replace(known, ids=ids, names=names, **whole)

    def find(self, query: Query, *, ranked: bool) -> tuple[Numbers, Floats]:
        """The numbers of the samples that have what is wanted, and how well they fit.

        A smaller number fits better: BM25 (Robertson and Zaragoza, "The Probabilistic Relevance
        Framework", 2009) as FTS5 computes it. All are 0 unless ``ranked``.
        """
        if not query.wanted:
            there = np.ones(_last(self._db), np.bool_)
            there[self._numbers(_any(query.unwanted)) - 1] = False
            numbers = np.flatnonzero(there).astype(np.int32) + 1
            return numbers, np.zeros(len(numbers))
        match = " AND ".join(term.in_fts() for term in query.wanted)
        if query.unwanted:
            match = f"({match}) NOT ({_any(query.unwanted)})"
        if not ranked:
            numbers = self._numbers(match)
            return numbers, np.zeros(len(numbers))
        found = self._db.execute(
            f"SELECT rowid, bm25(texts, {_QUESTION_WEIGHT}, 1.0) FROM texts WHERE texts MATCH ?",  # noqa: S608
            (match,),
        )
        pairs = np.array(found.fetchall(), np.float64).reshape(-1, 2)
        return pairs[:, 0].astype(np.int32), pairs[:, 1]

    def places(self, numbers: Sequence[int]) -> list[Place]:
        """Where the texts of samples are, in the order given."""
        marks = ", ".join("?" * len(numbers))
        found = self._db.execute(
            "SELECT samples.number, sample_id, path, in_group, in_row FROM samples"  # noqa: S608
            f" JOIN shards ON shards.number = shard WHERE samples.number IN ({marks})",
            list(numbers),
        )
        by_number = {row[0]: Place(*row) for row in found}
        return [by_number[number] for number in numbers if number in by_number]

    def place(self, sample_id: str) -> Place | None:
        """Where a sample's texts are, if it is in the index."""
        row = self._db.execute(
            "SELECT number FROM samples WHERE sample_id = ?", (sample_id,)
        ).fetchone()
        return self.places(row)[0] if row else None

    def _numbers(self, match: str) -> Numbers:
        if not match:
            return np.zeros(0, np.int32)
        found = self._db.execute("SELECT rowid FROM texts WHERE texts MATCH ?", (match,))
        return np.array(found.fetchall(), np.int32).reshape(-1)


_COLUMNS: Final[dict[str, type[np.generic]]] = {
    "topic": np.int32,
    "perspective": np.int32,
    "run": np.int32,
    "authors": np.int32,
    "ratings": np.int32,
    "best": np.float32,
    "created": np.int64,
}


def question_of(sample: Sample) -> str:
    """What a sample asks."""
    return sample.question or sample.instruction


def answers_of(sample: Sample) -> list[str]:
    """What is answered to it, or the options of an exam question."""
    if sample.kind == "exam":
        return [sample.answer or "", *(sample.distractors or ())]
    return [completion.text for completion in sample.completions]


def rating_group(value: float) -> int:
    """Which group of ``RATINGS`` a rating is in, from 0 on."""
    return sum(value >= edge for edge in RATINGS)


def _any(terms: Sequence[Term]) -> str:
    return " OR ".join(term.in_fts() for term in terms)


def _names(connection: sqlite3.Connection, kind: str) -> dict[str, int]:
    rows = connection.execute(
        "SELECT name, number FROM names WHERE kind = ? ORDER BY number", (kind,)
    )
    return dict(rows.fetchall())


def _last(connection: sqlite3.Connection) -> int:
    return int(connection.execute("SELECT coalesce(max(number), 0) FROM samples").fetchone()[0])


def _milliseconds(moment: str) -> int:
    try:
        found = datetime.fromisoformat(moment)
    except ValueError:
        return 0
    return round(1000 * found.replace(tzinfo=found.tzinfo or UTC).timestamp())
