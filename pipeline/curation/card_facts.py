"""What a dataset card tells of a project, read without reading texts."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, Final

from datasets import Features

from pipeline.core import layout
from pipeline.core.flags import Flag
from pipeline.core.layout import SPLITS, ExportFormat, Split
from pipeline.core.projects import load_project, load_seed
from pipeline.core.samples import open_parquet, sample_files
from pipeline.core.schema import Project, Seed
from pipeline.core.store import Store
from pipeline.curation.formats import features
from pipeline.curation.grid import Cells, Grid
from pipeline.curation.history import History, read_history
from pipeline.curation.record import ExportRecord, read_record
from pipeline.curation.shards import sizes

CONFIGS: Final = ("samples", "feedback", *layout.TRAINING_FORMATS)
"""In the order in which a card lists them; the first one is the default."""

_EXPORTS: Final[tuple[ExportFormat, ...]] = ("feedback", *layout.TRAINING_FORMATS)
_RATING: Final = "completions.list.element.judge_rating"
_MODEL: Final = "completions.list.element.model"
_COLUMNS: Final = (_RATING, _MODEL, "flags.list.element", "topic", "perspective", "fingerprint")


@dataclass(frozen=True, slots=True)
class ConfigFacts:
    """One config.

    Attributes:
        paths: Patterns of its files by split.
        rows: By split.
        plain_bytes: By split, before compression.
        stored_bytes: Of all files.
        columns: None where files grow without the card being written.
    """

    paths: Mapping[Split, str]
    rows: Mapping[Split, int]
    plain_bytes: Mapping[Split, int]
    stored_bytes: int
    columns: Features | None

    def total(self) -> int:
        """Rows of all splits."""
        return sum(self.rows.values())

    def data_files(self) -> str | list[dict[str, str]]:
        """As ``configs`` of a card names files."""
        if self.columns is None:
            return next(iter(self.paths.values()))
        return [{"split": split, "path": path} for split, path in self.paths.items()]

    def info(self, name: str) -> dict[str, Any]:
        """As ``dataset_info`` of a card tells of them."""
        return {
            "config_name": name,
            "features": self.columns._to_yaml_list() if self.columns is not None else [],
            "splits": [
                {"name": split, "num_bytes": self.plain_bytes[split], "num_examples": rows}
                for split, rows in self.rows.items()
            ],
            "download_size": self.stored_bytes,
            "dataset_size": sum(self.plain_bytes.values()),
        }


@dataclass(frozen=True, slots=True)
class Facts:
    """What a project holds, as far as its card tells it.

    Attributes:
        configs: Those with rows, in order.
        samples: How many there are.
        models: Completions by the model that wrote them.
        rated: Completions with a judge's rating.
        flags: Samples that carry each flag, the most frequent first.
        coverage: Samples by topic and perspective, cells of the seed included.
        fingerprints: Samples by fingerprint.
        record: How exports were made, if that is known.
    """

    seed: Seed
    project: Project
    configs: Mapping[str, ConfigFacts]
    samples: int = 0
    models: Mapping[str, int] = field(default_factory=dict)
    rated: int = 0
    flags: Mapping[str, int] = field(default_factory=dict)
    coverage: Grid = field(default_factory=Grid)
    fingerprints: Mapping[str, int] = field(default_factory=dict)
    history: History = field(default_factory=History)
    record: ExportRecord | None = None


def read_facts(store: Store, record: ExportRecord | None = None) -> Facts:
    """Read what the card tells; of samples only the columns that it takes.

    Args:
        store: The project.
        record: Of exports that are about to be committed; by default, of those in the project.
    """
    seed = load_seed(store).seed
    seen = _Seen(Cells(seed.cells()))
    shards = sample_files(store)
    for path in shards:
        for batch in open_parquet(path).iter_batches(columns=list(_COLUMNS)):
            seen.add(batch.to_pydict())
    configs: dict[str, ConfigFacts] = {}
    if seen.samples:
        size = sum(path.stat().st_size for path in shards)
        where: dict[Split, str] = {"train": f"{layout.SAMPLES}/**/*.parquet"}
        configs["samples"] = ConfigFacts(where, {"train": seen.samples}, {"train": 0}, size, None)
    told = record or read_record(store)
    for name in _EXPORTS:
        found = _export_facts(store, name, told, fresh=record is not None)
        if found is not None:
            configs[name] = found
    return Facts(
        seed=seed,
        project=load_project(store),
        configs=configs,
        samples=seen.samples,
        models=_most_first(seen.models),
        rated=seen.rated,
        flags=_most_first(seen.flags),
        coverage=seen.cells.grid(seen.counts),
        fingerprints=_most_first(seen.fingerprints),
        history=read_history(store),
        record=told,
    )


class _Seen:
    """What is counted while samples pass."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.counts: Counter[tuple[str, str]] = Counter()
        self.samples = self.rated = 0
        self.models: Counter[str] = Counter()
        self.flags: Counter[str] = Counter()
        self.fingerprints: Counter[str] = Counter()

    def add(self, rows: Mapping[str, list[Any]]) -> None:
        self.samples += len(rows["topic"])
        self.fingerprints.update(rows["fingerprint"])
        for topic, perspective in zip(rows["topic"], rows["perspective"], strict=True):
            self.counts[self.cells.key(topic, perspective)] += 1
        for marks in rows["flags"]:
            self.flags.update({Flag.parse(mark).name for mark in marks or ()})
        for completions in rows["completions"]:
            self.models.update(one["model"] for one in completions)
            self.rated += sum(one["judge_rating"] is not None for one in completions)


def _export_facts(
    store: Store, name: ExportFormat, record: ExportRecord | None, *, fresh: bool
) -> ConfigFacts | None:
    """From the record where it is right, else from the files' footers."""
    made = record.made.get(name) if record else None
    there = [p for p in store.paths(layout.export_folder(name)) if p.endswith(".parquet")]
    if made is not None and (fresh or sorted(there) == sorted(made.files)):
        return _facts(made.files, features(name, made.form))
    if not there:
        return None
    folder = store.checkout(layout.export_folder(name))
    files = {}
    columns: Features | None = None
    for path in there:
        with open_parquet(folder / path) as file:
            files[path] = sizes(folder / path, file.metadata)
            columns = columns or Features.from_arrow_schema(file.schema_arrow)
    return _facts(files, columns)


def _facts(
    files: Mapping[str, tuple[int, int, int]], columns: Features | None
) -> ConfigFacts | None:
    rows: defaultdict[Split, int] = defaultdict(int)
    plain: defaultdict[Split, int] = defaultdict(int)
    paths: dict[Split, str] = {}
    for split in SPLITS:
        for path, (count, size, _) in files.items():
            where = PurePosixPath(path)
            if count and where.name.startswith(split):
                rows[split] += count
                plain[split] += size
                paths[split] = f"{where.parent}/{split}*.parquet"
    if not rows:
        return None
    stored = sum(size for _, _, size in files.values())
    return ConfigFacts(paths, dict(rows), dict(plain), stored, columns)


def _most_first(counts: Mapping[str, int]) -> dict[str, int]:
    return dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
