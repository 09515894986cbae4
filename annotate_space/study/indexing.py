"""Keeps the index for searching up with the project's samples, in a thread of its own."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from filelock import FileLock, Timeout
from pydantic import ValidationError

from annotate_space.shards import MAX_ID
from annotate_space.study.index import Index, Shard, Writer
from annotate_space.study.vectors import Vector, Vectors
from pipeline.core import embeddings, layout
from pipeline.core.errors import InvalidInput, SeedbedError, StoreUnavailable
from pipeline.core.runs import RunRecord, read_runs
from pipeline.core.samples import open_parquet, read_group
from pipeline.core.schema import Sample
from pipeline.core.store import Store

if TYPE_CHECKING:
    from model2vec import StaticModel

_log = logging.getLogger(__name__)

_OFTEN: Final = 10.0
"""Seconds after which it is looked whether there are more samples."""
_SOON: Final = 2.0
"""Likewise while another process makes the index."""
_FIRST_PATIENCE: Final = 1.5
"""Seconds that whoever asks first waits for a small project to be read."""
_PATIENCE: Final = 0.3
"""Likewise for what may be new."""
_ROWS_A_COMMIT: Final = 2_000
_LOAD_AGAIN: Final = 60.0
"""Seconds after which a model that could not be loaded is tried again."""


@dataclass(frozen=True, slots=True)
class Progress:
    """How far the index is.

    Attributes:
        working: Whether it is being made just now.
        done: Samples that can be found by their words.
        of: Rows of all shards, as far as they were looked at.
        meant: Samples that can be found by their meaning.
        trouble: Why it does not go on, if it does not.
    """

    working: bool = False
    done: int = 0
    of: int = 0
    meant: int = 0
    trouble: str = ""


class Meaning:
    """An embedding model, loaded when it is first needed, and again a while after it failed."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._name = ""
        self._model: StaticModel | None = None
        self._tried = 0.0
        self._failed = False

    def failed(self, name: str) -> bool:
        """Whether the model ``name`` could not be loaded when that was tried last."""
        return self._failed and self._name == name

    def due(self, name: str) -> bool:
        """Whether the model ``name`` is to be loaded now."""
        waited = self._clock() - self._tried >= _LOAD_AGAIN
        return not self.ready(name) and (waited or not self.failed(name))

    def ready(self, name: str) -> bool:
        """Whether the model ``name`` is loaded."""
        return self._model is not None and self._name == name

    def load(self, name: str) -> bool:
        """Load it unless it is; False if that fails."""
        if self.due(name):
            self._name, self._model, self._tried = name, None, self._clock()
            try:
                self._model, self._failed = embeddings.load(name), False
            except InvalidInput as error:
                _log.warning("Nothing can be searched by its meaning: %s", error)
                self._failed = True
        return self.ready(name)

    @property
    def form(self) -> str:
        """What vectors of this model are told by."""
        return f"{self._name}:{self.width}"

    @property
    def width(self) -> int:
        """Numbers in a vector."""
        return self._loaded().dim

    def vectors(self, texts: Sequence[str]) -> Vector:
        """One of length one for each text; zeros where the model knows no word of it."""
        return embeddings.unit_vectors(self._loaded(), texts)

    def _loaded(self) -> StaticModel:
        if self._model is None:
            raise StoreUnavailable("The model for meanings is not loaded.", "Try again later.")
        return self._model


class Indexing:
    """Reads what is new in the project into the index whenever somebody asks.

    Args:
        store: The project.
        folder: Where the index may be kept.
        clock: Seconds since any moment.
    """

    def __init__(
        self, store: Store, folder: Path, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self.index = Index(folder / "search.sqlite")
        self.meaning = Meaning(clock=clock)
        self._checkout: Path | None = None
        """Where the shards are; None until they were fetched."""
        self.rounds: dict[str, int] = {}
        """Of the runs whose records were read."""
        self._store = store
        self._clock = clock
        self._guard = threading.Lock()
        self._worker: threading.Thread | None = None
        self._next = 0.0
        self._progress = Progress()
        self._taken: set[str] = set()
        self._refused: dict[str, tuple[int, int]] = {}

    def look(self, model: str | None) -> Progress:
        """How far the index is; begins to read what is new, and waits for it a moment.

        Args:
            model: The embedding model by whose meanings is searched as well.
        """
        with self._guard:
            wants = model is not None and self.meaning.due(model)
            due = self._clock() >= self._next or wants
            if not due or (self._worker is not None and self._worker.is_alive()):
                return self._progress
            patience = _FIRST_PATIENCE if self._worker is None else _PATIENCE
            self._tell(working=True)
            worker = self._worker = threading.Thread(
                target=self._work, args=(model,), name="search-index", daemon=True
            )
            worker.start()
        worker.join(patience)
        return self._progress

    def shards(self) -> Path | None:
        """The folder with the shards that the index tells of; None if it cannot be used yet."""
        return self._checkout if self.index.usable() else None

    def look_again(self) -> None:
        """Have the shards fetched again: some are not where they were."""
        self._taken, self._next = set(), 0.0

    def vectors(self) -> Vectors:
        """Those of the model that is loaded."""
        return Vectors(self.index.path.with_suffix(".vectors"), self.meaning.width)

    def _work(self, model: str | None) -> None:
        pause, trouble = _OFTEN, ""
        try:
            self.index.path.parent.mkdir(parents=True, exist_ok=True)
            with FileLock(self.index.path.with_suffix(".lock"), timeout=0):
                self._catch_up(model)
        except Timeout:
            pause = _SOON  # what another process adds is found as well
        except (SeedbedError, OSError) as error:
            trouble = str(error)
        except sqlite3.Error as error:
            _log.warning("The index for searching is made anew: %s", error)
            self.index.throw_away()
            self.look_again()
            pause = _SOON
        finally:
            self._next = self._clock() + pause
            self._tell(working=pause == _SOON, trouble=trouble)

    def _tell(self, **changes: Any) -> None:  # noqa: ANN401 - as Progress has them
        self._progress = replace(self._progress, **changes)

    def _catch_up(self, model: str | None) -> None:
        there = {p for p in self._store.paths(layout.SAMPLES) if p.endswith(".parquet")}
        if there != self._taken or not self.index.usable():
            self._read_shards()
            self._read_rounds()
            self._taken = there - set(self._refused)
        if model is not None and self._checkout is not None and self.meaning.load(model):
            self._read_meanings(self._checkout)

    def _read_shards(self) -> None:
        folder = self._store.checkout(layout.SAMPLES)
        paths = {
            path.relative_to(folder).as_posix(): path
            for path in sorted((folder / layout.SAMPLES).rglob("*.parquet"))
        }
        signatures = {name: _signature(path) for name, path in paths.items()}
        if not self.index.usable() or not self._fits(signatures):
            self.index.make()
        with self.index.writing() as writer:
            begun = writer.shards()
            files: list[tuple[Shard, Path]] = []
            rows = 0
            for name, path in paths.items():
                shape = self._shape(name, path, signatures[name])
                if shape is None:
                    continue
                rows += shape.num_rows
                shard = begun.get(name)
                if shard is None:
                    shard = writer.begin(name, *signatures[name], shape.num_row_groups)
                files.append((shard, path))
            writer.commit()
            self._tell(of=rows, done=self._count())
            self._checkout = folder
            for shard, path in files:
                self._read(writer, shard, path)

    def _fits(self, signatures: dict[str, tuple[int, int]]) -> bool:
        """Whether every shard that is in the index is as it was."""
        with self.index.writing() as writer:
            return all(
                signatures.get(shard.path) == (shard.size, shard.moment)
                for shard in writer.shards().values()
            )

    def _shape(self, name: str, path: Path, signature: tuple[int, int]) -> pq.FileMetaData | None:
        """What a shard holds; None if it cannot be read, which the catalogue tells the lead."""
        if self._refused.get(name) == signature:
            return None
        try:
            with open_parquet(path) as file:
                self._refused.pop(name, None)
                return file.metadata
        except (InvalidInput, pa.ArrowException, OSError) as error:
            _log.warning("%s cannot be searched: %s", name, error)
            self._refused[name] = signature
            return None

    def _read(self, writer: Writer, shard: Shard, path: Path) -> None:
        waiting = 0
        for group in range(shard.done, shard.groups):
            samples = list(samples_in(path, group))
            added = writer.add(shard, group, samples)
            waiting += len(samples)
            if waiting >= _ROWS_A_COMMIT:
                writer.commit()
                waiting = 0
            self._tell(done=self._progress.done + added)
        writer.commit()

    def _count(self) -> int:
        with self.index.reading() as reader:
            return reader.count()

    def _read_rounds(self) -> None:
        for record in read_runs(self._store):
            if isinstance(record, RunRecord):
                self.rounds[record.run_id] = record.round or 1

    def _read_meanings(self, folder: Path) -> None:
        vectors = self.vectors()
        with self.index.reading() as reader:
            of = f"{reader.told('born')}:{self.meaning.form}"
            if reader.told("vectors") != of:
                vectors.clear()
            count = reader.count()
        with self.index.writing() as writer:
            writer.tell("vectors", of)
            writer.commit()
        self._tell(meant=min(count, len(vectors)))
        while (done := len(vectors)) < count:
            with self.index.reading() as reader:
                places = reader.places(range(done + 1, min(count, done + _ROWS_A_COMMIT) + 1))
            texts: dict[tuple[str, int], list[str]] = {}
            for place in places:
                if (place.shard, place.group) not in texts:
                    file = folder / place.shard
                    texts[place.shard, place.group] = _questions(file, place.group)
            rows = [_at(texts[place.shard, place.group], place.row) for place in places]
            vectors.add(self.meaning.vectors(rows))
            self._tell(meant=len(vectors))


def samples_in(path: Path, group: int) -> Iterator[tuple[int, Sample]]:
    """The samples of a row group that can be read, with their rows in it."""
    try:
        rows = read_group(path, group).to_pylist()
    except (InvalidInput, pa.ArrowException, ValueError) as error:
        _log.warning("Samples cannot be searched: %s", error)
        return
    for number, row in enumerate(rows):
        try:
            sample = Sample.model_validate(row)
        except ValidationError:
            continue  # the catalogue tells the lead when it comes to it
        if 0 < len(sample.sample_id) <= MAX_ID:
            yield number, sample


def _questions(path: Path, group: int) -> list[str]:
    try:
        with open_parquet(path) as file:
            present = set(file.schema_arrow.names)
            wanted = [name for name in ("instruction", "question") if name in present]
            rows = file.read_row_group(group, columns=wanted, use_threads=False).to_pylist()
    except (InvalidInput, pa.ArrowException, ValueError, OSError) as error:
        _log.warning("What samples mean cannot be found out: %s", error)
        return []
    return [str(row.get("question") or row.get("instruction") or "") for row in rows]


def _at(texts: list[str], row: int) -> str:
    return texts[row] if row < len(texts) else ""


def _signature(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns
