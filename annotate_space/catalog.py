"""Every sample of a project: an index without texts in memory, texts read when they are shown.

A million samples with two completions each take about 200 MB. The index is numpy and Arrow
arrays; samples are numbered in the order in which they came, and keep their number.
"""

from __future__ import annotations

import logging
import threading
import time
from bisect import bisect_right
from collections import Counter, OrderedDict
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt
import pyarrow as pa
from pydantic import ValidationError

from annotate_space.shards import (
    Flags,
    Hashes,
    Numbers,
    Ratings,
    ShardRows,
    hash_id,
    read_rows,
)
from pipeline.core import layout
from pipeline.core.errors import InvalidInput, SeedbedError
from pipeline.core.samples import read_group
from pipeline.core.schema import Sample, describe
from pipeline.core.store import Store

_log = logging.getLogger(__name__)

TEXT_BYTES: Final = 64_000_000
"""Texts kept in memory at most, as Arrow holds them."""
_AT_ONCE: Final = 100
"""Shards whose rows are in memory beside the index while it grows."""
_READERS: Final = 2
RETRY_SECONDS: Final = 60.0
"""After which texts that could not be read are tried again, though their file looks the same."""


@dataclass(frozen=True, slots=True)
class Part:
    """What cannot be read: a block, or one sample of it."""

    block: int
    sample: int | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """A file that could not be read, as it was then."""

    signature: tuple[int, int] | None
    why: str
    at: float


class Catalog:
    """The samples under ``samples/``, each id once: the first shard in path order has it.

    Args:
        text_bytes: Texts kept in memory at most.
        clock: Seconds since any moment.
    """

    def __init__(
        self,
        store: Store,
        *,
        text_bytes: int = TEXT_BYTES,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._store = store
        self._clock = clock
        self._mended = clock()
        self._index = Index()
        self._texts = _Texts(text_bytes)
        self._refreshing = threading.Lock()
        self._naming = threading.Lock()
        self._marking = threading.Lock()
        self._folder = Path()
        self._taken: set[str] = set()
        self._refused: dict[str, Refusal] = {}
        self._broken: dict[Part, Refusal] = {}
        self._left_out: list[str] = []
        self._cell_numbers: dict[tuple[str, str], int] = {}
        self.cells: list[tuple[str, str]] = []
        """Topic and perspective by number; only ever added to."""

    def __len__(self) -> int:
        return len(self._index)

    @property
    def index(self) -> Index:
        """What is known now; it does not change, ``refresh`` puts another in its place."""
        return self._index

    @property
    def trouble(self) -> list[str]:
        """What cannot be read, and why: shards, and of those that can be the samples."""
        told: dict[tuple[str, bool], str] = {}
        more: Counter[tuple[str, bool]] = Counter()
        for part, broken in self._broken.items():
            key = (self._index.blocks[part.block][0], part.sample is not None)
            more[key] += key in told
            told.setdefault(key, broken.why)
        texts = [
            f"{why} {more[key]} more samples of this file have such errors." if more[key] else why
            for key, why in ((key, why) for key, why in told.items() if key[1])
        ]
        texts += [why for key, why in told.items() if not key[1]]
        refused = [refusal.why for refusal in self._refused.values()]
        return list(dict.fromkeys([*refused, *texts, *self._left_out]))

    @property
    def broken(self) -> Mapping[Part, Refusal]:
        """What cannot be shown now; another mapping whenever that changes."""
        return self._broken

    def refresh(self) -> int:
        """Take in the shards that are new, or were unreadable and have changed.

        Where nothing is new the shards are left alone: to make sure of each takes a request.

        Returns:
            How many samples came.

        Raises:
            SeedbedError: The store cannot be reached.
        """
        with self._refreshing:
            there = [p for p in self._store.paths(layout.SAMPLES) if p.endswith(".parquet")]
            if not self._refused and not self._broken and self._taken.issuperset(there):
                return 0
            names = self._check_out()
            self._refused = {n: why for n, why in self._refused.items() if n in names}
            self._mend(names)
            before = len(self._index)
            fresh = iter([name for name in names if name not in self._taken])
            while some := list(islice(fresh, _AT_ONCE)):
                self._take_in({name: names[name] for name in some})
            return len(self._index) - before

    def mend_due(self) -> bool:
        """Whether ``mend`` should be called now: texts are missing, and it was not for a while."""
        waited = self._clock() - self._mended >= RETRY_SECONDS
        return waited and any(part.sample is None for part in self._broken)

    def mend(self) -> None:
        """Fetch the shards again, some of whose texts could not be read: a cache can be emptied."""
        with self._refreshing:
            self._mended = self._clock()
            try:
                self._mend(self._check_out())
            except SeedbedError as error:
                _log.warning("Samples cannot be fetched again: %s", error)

    def sample(self, sample_id: str) -> Sample:
        """A sample with its texts.

        Raises:
            KeyError: There is none with this id.
            InvalidInput: Its shard or its row can no longer be read.
        """
        index = self._index
        number = index.find(sample_id)
        if number < 0:
            raise KeyError(sample_id)
        block = index.block_of(number)
        rows = self._block(index, block)
        part, at = Part(block, number), int(index.row[number])
        try:
            row = rows.slice(at, 1).to_pylist()[0] if at < len(rows) else {}
            sample = Sample.model_validate(row)
        except ValidationError as error:
            why = f"sample {sample_id} is not as it should be: {describe(error)}"
            raise self._spoilt(index, part, why) from error
        except (pa.ArrowException, ValueError) as error:  # such as bytes that are no text
            raise self._spoilt(index, part, f"sample {sample_id}: {error}") from error
        if sample.sample_id != sample_id:
            why = f"sample {sample_id} is no longer where it was"
            raise self._spoilt(index, part, why)
        return sample

    def cell_number(self, topic: str, perspective: str) -> int:
        """The number of a cell, which it gets when it is first asked for."""
        number = self._cell_numbers.get((topic, perspective))
        if number is None:
            with self._naming:
                number = self._cell_numbers.setdefault((topic, perspective), len(self.cells))
                if number == len(self.cells):
                    self.cells.append((topic, perspective))
        return number

    def warm(self) -> list[int]:
        """The blocks whose texts are in memory."""
        return self._texts.blocks()

    def warm_up(self, block: int) -> None:
        """Read a block's texts into memory; one that cannot be read is noted and stays out."""
        try:
            self._block(self._index, block)
        except InvalidInput as error:
            _log.warning("Samples cannot be shown: %s", error)

    def readable(self, number: int) -> bool:
        """Whether the texts of a sample can be read, as far as that was tried."""
        broken = self._broken
        if not broken:
            return True
        block = self._index.block_of(number)
        return Part(block) not in broken and Part(block, number) not in broken

    def _block(self, index: Index, block: int) -> pa.Table:
        rows = self._texts.get(block)
        if rows is None:
            shard, group = index.blocks[block]
            try:
                rows = read_group(self._folder / shard, group)
            except InvalidInput as error:
                raise self._spoilt(index, Part(block), error.problem) from error
            self._texts.put(block, rows)
        return rows

    def _spoilt(self, index: Index, part: Part, why: str) -> InvalidInput:
        shard, _ = index.blocks[part.block]
        error = InvalidInput(f"{shard}: {why}.", "Restore the file, or remove it and start again.")
        refusal = Refusal(_signature(self._folder / shard), str(error), self._clock())
        with self._marking:  # a new dictionary, as others may be going through the old one
            self._broken = {**self._broken, part: refusal}
        return error

    def _check_out(self) -> dict[str, Path]:
        """Where the shards are now, by name, in the order of their paths."""
        self._folder = self._store.checkout(layout.SAMPLES)
        paths = sorted((self._folder / layout.SAMPLES).rglob("*.parquet"))
        return {path.relative_to(self._folder).as_posix(): path for path in paths}

    def _mend(self, names: dict[str, Path]) -> None:
        """Try texts again whose shard has changed since, or that could not be read a while ago."""
        now = self._clock()
        for part, refusal in self._broken.items():
            path = names.get(self._index.blocks[part.block][0])
            again = part.sample is None and now - refusal.at >= RETRY_SECONDS
            if path is not None and (again or _signature(path) != refusal.signature):
                self._texts.drop(part.block)
                with self._marking:
                    self._broken = {p: why for p, why in self._broken.items() if p != part}

    def _take_in(self, shards: dict[str, Path]) -> None:
        with ThreadPoolExecutor(_READERS) as readers:
            read = list(readers.map(self._read, shards.keys(), shards.values()))
        found = [(name, rows) for name, rows in zip(shards, read, strict=True) if rows is not None]
        if found:
            cells = [self._number_cells(rows.cells)[rows.cell] for _, rows in found]
            self._index = self._index.extended(found, cells)
            self._taken.update(name for name, _ in found)

    def _read(self, name: str, path: Path) -> ShardRows | None:
        signature = _signature(path)
        known = self._refused.get(name)
        if known is not None and known.signature == signature:
            return None
        try:
            rows = read_rows(path)
        except InvalidInput as error:
            _log.warning("A shard is left out: %s", error)
            why = f"{name} is left out: {error.problem}"
            self._refused[name] = Refusal(signature, why, self._clock())
            return None
        self._refused.pop(name, None)
        if rows.left_out:
            self._left_out.append(f"{name}: {rows.left_out} rows have ids that cannot be used.")
        return rows

    def _number_cells(self, cells: Sequence[tuple[str, str]]) -> Numbers:
        return np.array([self.cell_number(*cell) for cell in cells], dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Strings:
    """Many strings in Arrow arrays, by number."""

    chunks: list[pa.Array] = field(default_factory=list)
    starts: list[int] = field(default_factory=list)

    def get(self, number: int) -> str:
        """The string with this number."""
        chunk = bisect_right(self.starts, number) - 1
        text: str = self.chunks[chunk][number - self.starts[chunk]].as_py()
        return text

    def extended(self, chunks: Sequence[pa.Array]) -> Strings:
        """These and more."""
        size = self.starts[-1] + len(self.chunks[-1]) if self.chunks else 0
        starts = [size, *(size + np.cumsum([len(chunk) for chunk in chunks])).tolist()][:-1]
        return Strings([*self.chunks, *chunks], [*self.starts, *starts])


def _no_numbers() -> Numbers:
    return np.zeros(0, dtype=np.int32)


@dataclass(frozen=True, slots=True)
class Index:
    """Everything about the samples but their texts; never changed.

    Attributes:
        hashes: Of the ids, ascending.
        by_hash: The numbers of the samples in that order.
        first: Where each sample's completions begin, and at last where all of them end.
        blocks: Shard and row group of each block; its samples have consecutive numbers.
        block_first: The number of each block's first sample, and at last of all samples.
        row: Each sample's row in its block.
    """

    ids: Strings = field(default_factory=Strings)
    hashes: Hashes = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    by_hash: Numbers = field(default_factory=_no_numbers)
    exam: Flags = field(default_factory=lambda: np.zeros(0, dtype=np.bool_))
    cell: Numbers = field(default_factory=_no_numbers)
    row: Numbers = field(default_factory=_no_numbers)
    first: Numbers = field(default_factory=lambda: np.zeros(1, dtype=np.int32))
    completion_ids: Strings = field(default_factory=Strings)
    completion_hashes: Hashes = field(default_factory=lambda: np.zeros(0, dtype=np.uint64))
    ratings: Ratings = field(default_factory=lambda: np.zeros(0, dtype=np.float32))
    blocks: list[tuple[str, int]] = field(default_factory=list)
    block_first: Numbers = field(default_factory=lambda: np.zeros(1, dtype=np.int32))

    def __len__(self) -> int:
        return len(self.exam)

    def find(self, sample_id: str) -> int:
        """The number of a sample, -1 if there is none."""
        wanted = np.uint64(hash_id(sample_id))
        at = int(self.hashes.searchsorted(wanted))
        while at < len(self.hashes) and self.hashes[at] == wanted:
            number = int(self.by_hash[at])
            if self.ids.get(number) == sample_id:
                return number
            at += 1
        return -1

    def completion(self, number: int, completion_id: str) -> int:
        """Which completion of a sample has this id, -1 if none has.

        By hash alone: two of one sample's would have to agree in 64 bits.
        """
        start, end = self.first[number], self.first[number + 1]
        wanted = hash_id(completion_id)
        for at, found in enumerate(self.completion_hashes[start:end].tolist()):
            if found == wanted:
                return at
        return -1

    def block_of(self, number: int) -> int:
        """The block that a sample is in."""
        return int(self.block_first.searchsorted(np.int32(number), side="right")) - 1

    def extended(self, read: Sequence[tuple[str, ShardRows]], cells: Sequence[Numbers]) -> Index:
        """This index with more shards, without samples whose id is known or came twice."""
        kept: list[tuple[str, ShardRows]] = []
        numbered: list[Numbers] = []
        fresh = _split(self._fresh([rows for _, rows in read]), [len(r.ids) for _, r in read])
        for (name, rows), cell, keep in zip(read, cells, fresh, strict=True):
            kept.append((name, rows if keep.all() else rows.only(keep)))
            numbered.append(cell[keep])
        every = [rows for _, rows in kept]
        hashes = np.concatenate([r.hashes for r in every])
        order = np.argsort(hashes, kind="stable")
        places = self.hashes.searchsorted(hashes[order])
        counts = np.concatenate([r.counts for r in every])
        numbers = (order + len(self)).astype(np.int32)
        blocks, firsts = self._blocks(kept)
        return Index(
            ids=self.ids.extended([r.ids for r in every]),
            hashes=np.insert(self.hashes, places, hashes[order]),
            by_hash=np.insert(self.by_hash, places, numbers),
            exam=np.concatenate([self.exam, *(r.exam for r in every)]),
            cell=np.concatenate([self.cell, *numbered]),
            row=np.concatenate([self.row, *(r.row for r in every)]),
            first=_continued(self.first, counts),
            completion_ids=self.completion_ids.extended([r.completion_ids for r in every]),
            completion_hashes=np.concatenate(
                [self.completion_hashes, *(r.completion_hashes for r in every)]
            ),
            ratings=np.concatenate([self.ratings, *(r.ratings for r in every)]),
            blocks=blocks,
            block_first=firsts,
        )

    def _fresh(self, read: Sequence[ShardRows]) -> Flags:
        """Which samples of all shards in order are neither known nor came before."""
        hashes = np.concatenate([rows.hashes for rows in read])
        ids = Strings().extended([rows.ids for rows in read])
        order = np.argsort(hashes, kind="stable")
        same = hashes[order][1:] == hashes[order][:-1]
        again = np.zeros(len(hashes), dtype=np.bool_)
        again[order[1:][same]] = again[order[:-1][same]] = True
        if len(self.hashes):
            at = np.minimum(self.hashes.searchsorted(hashes), len(self.hashes) - 1)
            again |= self.hashes[at] == hashes
        fresh = np.ones(len(hashes), dtype=np.bool_)
        seen: set[str] = set()
        for number in np.flatnonzero(again).tolist():
            sample_id = ids.get(number)
            fresh[number] = sample_id not in seen and self.find(sample_id) < 0
            seen.add(sample_id)
        return fresh

    def _blocks(
        self, kept: Sequence[tuple[str, ShardRows]]
    ) -> tuple[list[tuple[str, int]], Numbers]:
        blocks, sizes = list(self.blocks), []
        for name, rows in kept:
            groups, counts = np.unique(rows.group, return_counts=True)
            blocks.extend((name, group) for group in groups.tolist())
            sizes.append(counts)
        return blocks, _continued(self.block_first, np.concatenate(sizes))


class _Texts:
    """Blocks with their texts; the one read longest ago goes when there are too many bytes."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[int, pa.Table] = OrderedDict()
        self._guard = threading.Lock()

    def blocks(self) -> list[int]:
        with self._guard:
            return list(self._kept)

    def get(self, block: int) -> Any:  # noqa: ANN401 - Arrow is untyped
        with self._guard:
            rows = self._kept.get(block)
            if rows is not None:
                self._kept.move_to_end(block)
            return rows

    def put(self, block: int, rows: pa.Table) -> None:
        with self._guard:
            self._forget(block)
            self._kept[block] = rows
            self._bytes += rows.nbytes
            while self._bytes > self._most and len(self._kept) > 1:
                self._forget(next(iter(self._kept)))

    def drop(self, block: int) -> None:
        with self._guard:
            self._forget(block)

    def _forget(self, block: int) -> None:
        rows = self._kept.pop(block, None)
        if rows is not None:
            self._bytes -= rows.nbytes


def _signature(path: Path) -> tuple[int, int] | None:
    """Changes when the file does; None when it cannot be looked at."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_size, found.st_mtime_ns


def _continued(firsts: Numbers, counts: npt.NDArray[Any]) -> Numbers:
    """Running positions, with more items of the given sizes."""
    more = firsts[-1] + np.cumsum(counts, dtype=np.int64)
    return np.concatenate([firsts, more.astype(np.int32)])


def _split(marks: Flags, sizes: Sequence[int]) -> list[Flags]:
    return np.split(marks, np.cumsum(sizes)[:-1])
