"""Which samples train a model and which test it.

Samples whose instructions are the same or nearly the same share a group, and so do exam questions
from one document; all that is made of a sample is in its group. A group is in the test split if a
hash of its oldest member's text falls below the share asked for. So a sample keeps its split
whatever is added later, and a larger share only moves whole groups from train to test.

A sample joins the group of the closest one that was there before it. If it is close to another one
in the other split as well, it stays out of train: nothing in train is nearly in test.
"""

from __future__ import annotations

import os
import tempfile
from array import array
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import BinaryIO, Final

import numpy as np
from numpy.typing import NDArray

from pipeline.core.layout import Split
from pipeline.core.minhash import Bands, digest, hashed, text_digest
from pipeline.core.samples import open_parquet, sample_files
from pipeline.core.store import Store
from pipeline.core.words import shingles

SIMILARITY: Final = 0.8
"""Jaccard similarity of words from which two instructions are nearly the same."""

_BANDS: Final = Bands.for_similarity(SIMILARITY)
_PER_BAND: Final = 8
"""Instructions that one is compared with in each band, the oldest."""
_ROWS_AT_ONCE: Final = 4_096
_COLUMNS: Final = ("sample_id", "kind", "instruction", "document", "created_at")
_TRAIN, _TEST, _NEITHER = 0, 1, 2

Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class Place:
    """Where a sample is.

    Attributes:
        split: None: nearly the same is in test, though this sample's group is in train.
        group: The same for all samples of its group.
    """

    split: Split | None
    group: str


class Splits:
    """The place of every sample of a project; 17 bytes each."""

    def __init__(self, ids: Ints, groups: Ints, codes: NDArray[np.int8]) -> None:
        order = np.argsort(ids)
        self._ids, self._groups, self._codes = ids[order], groups[order], codes[order]

    @classmethod
    def read(cls, store: Store, share: float) -> Splits:
        """Place all samples, whether judged or not; ``share`` of the groups are in test."""
        with tempfile.TemporaryDirectory(prefix="seedbed-splits-") as folder:
            seen = _Seen(Path(folder))
            for path in sample_files(store):
                seen.add(path)
            return cls(*_placed(seen.done(), share))

    def of(self, sample_id: str) -> Place | None:
        """The place of one sample; None if it came later."""
        wanted = digest(sample_id)
        at = int(np.searchsorted(self._ids, wanted))
        if at == len(self._ids) or self._ids[at] != wanted:
            return None
        split: Split | None = ("train", "test", None)[int(self._codes[at])]
        return Place(split, f"{int(self._groups[at]) & 0xFFFF_FFFF_FFFF_FFFF:016x}")


@dataclass(frozen=True, slots=True)
class _Texts:
    """What is known of the samples, the oldest first.

    Attributes:
        ids: Digest of each sample's id.
        texts: Digest of each instruction.
        sources: Digest of the document of an exam question; 0 for other samples.
        keys: For each band, the file of its keys, as the samples were read.
        read_at: Where each sample was among those read.
        starts: Where a sample's shingles begin in the file, as read; one more at the end.
        shingles: The file.
    """

    ids: Ints
    texts: Ints
    sources: Ints
    keys: tuple[Path, ...]
    read_at: Ints
    starts: Ints
    shingles: Path


class _Seen:
    """Reads shards; what is long is put into files."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._ids = array("q")
        self._texts = array("q")
        self._sources = array("q")
        self._starts = array("q", [0])
        self._created: list[NDArray[np.bytes_]] = []

    def add(self, path: Path) -> None:
        with open_parquet(path) as file, (self._folder / "shingles").open("ab") as out:
            for batch in file.iter_batches(columns=list(_COLUMNS), batch_size=_ROWS_AT_ONCE):
                rows = batch.to_pydict()
                self._created.append(np.array([t.encode() for t in rows["created_at"]], "S24"))
                self._ids.extend(map(digest, rows["sample_id"]))
                self._texts.extend(map(text_digest, rows["instruction"]))
                self._sources.extend(
                    digest(document) if kind == "exam" and document else 0
                    for kind, document in zip(rows["kind"], rows["document"], strict=True)
                )
                self._add_words(rows["instruction"], out)

    def _add_words(self, instructions: list[str], out: BinaryIO) -> None:
        keys = np.zeros((len(instructions), _BANDS.bands), np.int64)
        for row, instruction in enumerate(instructions):
            found = shingles(instruction)
            if found:
                keys[row] = _BANDS.keys(found)
                out.write(hashed(found).tobytes())
            self._starts.append(out.tell() // 4)
        for band in range(_BANDS.bands):
            with self._key_file(band).open("ab") as file:
                file.write(keys[:, band].tobytes())

    def _key_file(self, band: int) -> Path:
        return self._folder / f"band-{band}"

    def done(self) -> _Texts:
        """Each sample once, the oldest first."""
        ids = np.frombuffer(self._ids, np.int64) if self._ids else np.zeros(0, np.int64)
        created = np.concatenate(self._created) if self._created else np.zeros(0, "S24")
        first = np.unique(ids, return_index=True)[1]  # as read_samples, which takes the first
        read_at = first[np.lexsort((ids[first], created[first]))].astype(np.int64)
        return _Texts(
            ids=ids[read_at],
            texts=np.array(self._texts, np.int64)[read_at],
            sources=np.array(self._sources, np.int64)[read_at],
            keys=tuple(self._key_file(band) for band in range(_BANDS.bands)),
            read_at=read_at,
            starts=np.array(self._starts, np.int64),
            shingles=self._folder / "shingles",
        )


def _placed(known: _Texts, share: float) -> tuple[Ints, Ints, NDArray[np.int8]]:
    """Ids, groups and codes."""
    count = len(known.ids)
    if not count:
        return known.ids, known.ids, np.zeros(0, np.int8)
    first_index, text_of = np.unique(known.texts, return_index=True, return_inverse=True)[1:]
    oldest = np.sort(first_index)  # the first sample of each text
    near = _near(known, oldest)
    groups = _groups(known, first_index[text_of], near)
    codes = np.where(_hashes(groups) < share, _TEST, _TRAIN).astype(np.int8)
    # Texts in test, and those near to them, are in no train row.
    barred = np.zeros(len(first_index), bool)
    in_test = np.zeros(len(first_index), bool)
    in_test[text_of[codes == _TEST]] = True
    barred |= in_test
    for later, earlier, _ in near:
        one, other = text_of[later], text_of[earlier]
        barred[one] |= in_test[other]
        barred[other] |= in_test[one]
    codes[(codes == _TRAIN) & barred[text_of]] = _NEITHER
    return known.ids, groups, codes


def _groups(known: _Texts, same_text: Ints, near: list[tuple[int, int, float]]) -> Ints:
    """The key of each sample's group; samples join what was there before them."""
    closest: dict[int, tuple[float, int]] = {}
    for later, earlier, similarity in near:
        # Of equals, the oldest.
        closest[later] = max(closest.get(later, (0.0, 0)), (similarity, -earlier))
    groups = np.zeros(len(known.ids), np.int64)
    of_source: dict[int, int] = {}
    texts, sources = known.texts.tolist(), known.sources.tolist()
    for at, same in enumerate(same_text.tolist()):
        source = sources[at]
        if source and source in of_source:
            groups[at] = of_source[source]
            continue
        if same < at:
            groups[at] = groups[same]
        elif at in closest:
            groups[at] = groups[-closest[at][1]]
        else:
            groups[at] = source or texts[at]
        if source:
            of_source[source] = int(groups[at])
    return groups


def _hashes(groups: Ints) -> NDArray[np.float64]:
    """A number from 0 to 1 for each group, by its key alone (the finalizer of SplitMix64)."""
    mixed = groups.view(np.uint64) + np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    mixed = (mixed ^ (mixed >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    mixed ^= mixed >> np.uint64(31)
    return (mixed >> np.uint64(11)).astype(np.float64) / 2.0**53


def _near(known: _Texts, oldest: Ints) -> list[tuple[int, int, float]]:
    """Later sample, earlier sample and similarity, of all that are nearly the same."""
    words = known.starts[known.read_at + 1] - known.starts[known.read_at]
    with known.shingles.open("rb") as file:

        @lru_cache(maxsize=8_192)
        def of(at: int) -> frozenset[int]:
            start = int(known.starts[known.read_at[at]])
            found = array("I")
            found.frombytes(os.pread(file.fileno(), 4 * int(words[at]), 4 * start))
            return frozenset(found)

        found = []
        for later, earlier in _candidates(known, oldest[words[oldest] > 0]):
            mine, theirs = of(later), of(earlier)
            shared = len(mine & theirs)
            similarity = shared / (len(mine) + len(theirs) - shared)
            if similarity >= SIMILARITY:
                found.append((later, earlier, similarity))
    return found


def _candidates(known: _Texts, among: Ints) -> Iterator[tuple[int, int]]:
    """Pairs that share a band, the later one first, in order; each once."""
    total = np.int64(len(known.ids))
    pairs = np.zeros(0, np.int64)
    for path in known.keys:
        keys = np.fromfile(path, np.int64)[known.read_at][among]
        order = np.lexsort((among, keys))
        keys = keys[order]
        starts = np.flatnonzero(np.r_[True, keys[1:] != keys[:-1]]) if len(keys) else keys
        start_of = np.repeat(starts, np.diff(np.r_[starts, len(keys)]))
        place = np.arange(len(keys)) - start_of
        for back in range(_PER_BAND):
            later = np.flatnonzero(place > back)
            if not len(later):
                break
            earlier = among[order[start_of[later] + back]]
            pairs = np.union1d(pairs, among[order[later]] * total + earlier)
    for pair in pairs.tolist():
        yield divmod(pair, int(total))
