"""Finds instructions that repeat an earlier one, among as many as a project can hold.

Three ways, the cheapest first. The same words: a hash. Nearly the same words: MinHash (Broder, "On
the resemblance and containment of documents", 1997) proposes candidates by banding (Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4), and the true Jaccard similarity
of their word pairs decides. The same meaning: static embeddings, see ``meanings``.

Nothing grows in memory with the rows: hashes and bands are kept in SQLite and read where needed.
"""

from __future__ import annotations

import json
import sqlite3
from array import array
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

from rensa import RMinHash

from pipeline.core.minhash import Bands, hashed, text_digest
from pipeline.core.schema import QualitySettings
from pipeline.core.words import shingles
from pipeline.generation.quality.meanings import Meanings

_FORM: Final = 1
"""Version of what the file holds; a file of another form is started anew."""

_PER_BAND: Final = 64
"""Entries taken from one band, the earliest; it bounds the work where thousands are alike."""

_MOST_CANDIDATES: Final = 256
"""Entries compared in full, those that share most bands."""

_PER_COMMIT: Final = 2_000
_CACHE_KIB: Final = 32_768

_TABLES: Final = """
CREATE TABLE entry (
    entry INTEGER PRIMARY KEY, sample_id TEXT NOT NULL UNIQUE, pairs BLOB NOT NULL
);
CREATE TABLE exact (digest INTEGER PRIMARY KEY, entry INTEGER NOT NULL);
CREATE TABLE band (
    band INTEGER NOT NULL, entry INTEGER NOT NULL, PRIMARY KEY (band, entry)
) WITHOUT ROWID;
CREATE TABLE form (form TEXT NOT NULL);
"""
_IN_BAND: Final = (
    "SELECT * FROM (SELECT entry FROM band WHERE band = ?{} AND entry < ?1 ORDER BY entry LIMIT ?2)"
)
_PAIRS: Final = """
SELECT entry, pairs FROM entry WHERE entry IN (SELECT value FROM json_each(?)) ORDER BY entry
"""


@dataclass(frozen=True, slots=True)
class Match:
    """An earlier instruction that a later one repeats.

    Attributes:
        name: The flag that says how.
        sample_id: The earlier one's sample.
        similarity: 1 for a duplicate, Jaccard for a near one, cosine for the same meaning.
    """

    name: Literal["duplicate", "near_duplicate", "same_meaning"]
    sample_id: str
    similarity: float


@dataclass(frozen=True, slots=True)
class _Text:
    """An instruction with what it is found by: a digest, hashed pairs of words, keys of bands."""

    instruction: str
    digest: int
    pairs: array[int]
    bands: list[int]


class DuplicateIndex:
    """All instructions seen so far, in a file that outlives the process.

    Not for several threads or processes at once. The file is derived from samples and may be
    deleted at any time; if it was made with other settings or libraries, it is started anew.

    Args:
        settings: What counts as similar.
        path: The file; others that begin with its name are put beside it.

    Raises:
        InvalidInput: Meaning is to be compared, and the library or the model for it is missing.
    """

    def __init__(self, settings: QualitySettings, path: Path) -> None:
        self._similarity = settings.minhash_similarity
        self._bands = Bands.for_similarity(self._similarity) if self._similarity else None
        self._meanings = None if settings.embedding_model is None else Meanings(settings, path)
        self._closed = False
        bands = self._bands.bands if self._bands else 0
        self._candidates = " UNION ALL ".join(
            _IN_BAND.format(place) for place in range(3, bands + 3)
        )
        meanings = self._meanings and self._meanings.form
        version = getattr(RMinHash, "ALGORITHM_VERSION", 0)
        form = f"{_FORM}/{version}/{self._bands}/{meanings}"
        self._database = _opened(path, form)
        self._newest = self._count()
        self._path, self._form = path, form
        if self._meanings is not None and not self._meanings.open(self._newest):
            self._start_anew()

    def __len__(self) -> int:
        return self._newest

    def clear(self) -> None:
        """Forget all instructions."""
        self._database.execute("COMMIT")
        if self._meanings is not None:
            self._meanings.close()
        self._start_anew()

    def _start_anew(self) -> None:
        self._database.close()
        _remove(self._path)
        self._database = _opened(self._path, self._form)
        self._newest = 0
        if self._meanings is not None:
            self._meanings.open(0)

    def add(self, sample_id: str, instruction: str) -> Match | None:
        """Index an instruction and return the earlier one it repeats.

        A sample that is known already changes nothing, and is compared only with those before it:
        the answer is the one it got the first time.
        """
        text = self._read(instruction)
        match = self._find(text, sample_id)
        self._remember(sample_id, text)
        return match

    def find(self, instruction: str, sample_id: str | None = None) -> Match | None:
        """The indexed instruction that this one repeats, the closest first.

        With ``sample_id``, of a sample that may be indexed itself, only those before it count.
        """
        return self._find(self._read(instruction), sample_id)

    def remember(self, sample_id: str, instruction: str) -> None:
        """Index an instruction without a comparison, as when a project's samples are loaded."""
        if self._entry(sample_id) is None:
            self._remember(sample_id, self._read(instruction))

    def close(self) -> None:
        """Save everything. Without it, the last two thousand may be missing from the file."""
        if self._closed:
            return
        self._closed = True
        self._database.execute("COMMIT")
        self._database.close()
        if self._meanings is not None:
            self._meanings.close()

    def _read(self, instruction: str) -> _Text:
        found = shingles(instruction) if self._bands else []
        return _Text(
            instruction=instruction,
            digest=text_digest(instruction),
            pairs=hashed(found),
            bands=self._bands.keys(found) if self._bands and found else [],
        )

    def _find(self, text: _Text, sample_id: str | None) -> Match | None:
        before = (self._entry(sample_id) if sample_id else None) or self._newest + 1
        return (
            self._same_text(text, before)
            or self._near(text, before)
            or self._same_meaning(text, before)
        )

    def _same_text(self, text: _Text, before: int) -> Match | None:
        query = "SELECT entry FROM exact WHERE digest = ? AND entry < ?"
        row = self._database.execute(query, (text.digest, before)).fetchone()
        return None if row is None else Match("duplicate", self._sample_id(row[0]), 1.0)

    def _near(self, text: _Text, before: int) -> Match | None:
        if self._similarity is None or not text.bands:
            return None
        found = self._database.execute(self._candidates, (before, _PER_BAND, *text.bands))
        shared = Counter(entry for (entry,) in found)
        likeliest = [entry for entry, _ in shared.most_common(_MOST_CANDIDATES)]
        mine = set(text.pairs)
        best: tuple[float, int] | None = None
        for entry, pairs in self._database.execute(_PAIRS, (json.dumps(likeliest),)):
            similarity = _jaccard(mine, pairs)
            if similarity >= self._similarity and (best is None or similarity > best[0]):
                best = (similarity, entry)
        return best and Match("near_duplicate", self._sample_id(best[1]), best[0])

    def _same_meaning(self, text: _Text, before: int) -> Match | None:
        if self._meanings is None:
            return None
        near = self._meanings.nearest(text.instruction, before)
        return near and Match("same_meaning", self._sample_id(near.row), near.similarity)

    def _remember(self, sample_id: str, text: _Text) -> None:
        entry = self._newest + 1
        execute = self._database.execute
        values = (entry, sample_id, text.pairs.tobytes())
        if not execute("INSERT OR IGNORE INTO entry VALUES (?, ?, ?)", values).rowcount:
            return
        new = execute("INSERT OR IGNORE INTO exact VALUES (?, ?)", (text.digest, entry)).rowcount
        if new:  # what is like a second copy is like the first, which is found
            rows = [(band, entry) for band in text.bands]
            self._database.executemany("INSERT OR IGNORE INTO band VALUES (?, ?)", rows)
        if self._meanings is not None:
            self._meanings.put(entry, text.instruction if new else "")
        self._newest = entry
        if entry % _PER_COMMIT == 0:
            execute("COMMIT")
            execute("BEGIN")

    def _count(self) -> int:
        return int(self._database.execute("SELECT max(entry) FROM entry").fetchone()[0] or 0)

    def _entry(self, sample_id: str) -> int | None:
        query = "SELECT entry FROM entry WHERE sample_id = ?"
        row = self._database.execute(query, (sample_id,)).fetchone()
        return None if row is None else int(row[0])

    def _sample_id(self, entry: int) -> str:
        query = "SELECT sample_id FROM entry WHERE entry = ?"
        return str(self._database.execute(query, (entry,)).fetchone()[0])


def meaning_note(settings: QualitySettings) -> str | None:
    """A sentence for a person that meanings are not compared; None when they are."""
    if settings.embedding_model is not None:
        return None
    return (
        "Instructions are compared by their words, not by meaning: no embedding_model is set in "
        "project.json."
    )


def _opened(path: Path, form: str) -> sqlite3.Connection:
    """The database, with a transaction begun; an earlier file is kept only if it fits."""
    database = _connected(path)
    try:
        held = database.execute("SELECT form FROM form").fetchall()
    except sqlite3.DatabaseError:  # new, or not a database
        held = []
    if held != [(form,)]:
        database.close()
        _remove(path)
        database = _connected(path)
        database.executescript(_TABLES)
        database.execute("INSERT INTO form VALUES (?)", (form,))
    database.execute("BEGIN")
    return database


def _connected(path: Path) -> sqlite3.Connection:
    database = sqlite3.connect(path, isolation_level=None)
    with suppress(sqlite3.DatabaseError):
        database.execute("PRAGMA journal_mode = WAL")
        database.execute("PRAGMA synchronous = NORMAL")
        database.execute(f"PRAGMA cache_size = -{_CACHE_KIB}")
    return database


def _remove(path: Path) -> None:
    for ending in ("", "-wal", "-shm"):
        path.with_name(path.name + ending).unlink(missing_ok=True)


def _jaccard(mine: set[int], packed: bytes) -> float:
    theirs = array("I", packed)
    shared = len(mine.intersection(theirs))
    return shared / (len(mine) + len(theirs) - shared)
