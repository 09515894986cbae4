"""What the catalogue keeps of one shard: ids, cells and ratings, without texts."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from pipeline.core.errors import InvalidInput
from pipeline.core.samples import open_parquet
from pipeline.core.schema import Sample

Hashes: TypeAlias = npt.NDArray[np.uint64]
Numbers: TypeAlias = npt.NDArray[np.int32]
Ratings: TypeAlias = npt.NDArray[np.float32]
Flags: TypeAlias = npt.NDArray[np.bool_]

MAX_ID: Final = 200
"""Characters of an id that a feedback event can name."""

_ODD: Final = (
    pa.ArrowException,
    OSError,
    AttributeError,
    IndexError,
    KeyError,
    TypeError,
    ValueError,
)
"""What is raised for a file that another tool wrote: names that come twice, types of any kind."""

_REQUIRED: Final = frozenset(
    name for name, field in Sample.model_fields.items() if field.is_required()
)


@dataclass(frozen=True, slots=True)
class ShardRows:
    """The samples of a shard that can be asked about, in the order of its rows.

    Attributes:
        ids: ``sample_id`` of each, as Arrow strings.
        hashes: ``hash_ids`` of them.
        exam: Whether each is an exam item.
        cell: Which of ``cells`` each belongs to.
        cells: Topic and perspective.
        counts: Completions of each; all of them follow one another in the next three.
        completion_ids: As Arrow strings.
        completion_hashes: ``hash_ids`` of them.
        ratings: The judge's; NaN where there is none.
        group: The row group of each.
        row: Its row in that group.
        left_out: Rows whose ids cannot be used.
    """

    ids: pa.Array
    hashes: Hashes
    exam: Flags
    cell: Numbers
    cells: list[tuple[str, str]]
    counts: Numbers
    completion_ids: pa.Array
    completion_hashes: Hashes
    ratings: Ratings
    group: Numbers
    row: Numbers
    left_out: int

    def only(self, keep: Flags) -> ShardRows:
        """Those samples that ``keep`` marks."""
        mask, inner = pa.array(keep), np.repeat(keep, self.counts)
        return ShardRows(
            ids=self.ids.filter(mask),
            hashes=self.hashes[keep],
            exam=self.exam[keep],
            cell=self.cell[keep],
            cells=self.cells,
            counts=self.counts[keep],
            completion_ids=self.completion_ids.filter(pa.array(inner)),
            completion_hashes=self.completion_hashes[inner],
            ratings=self.ratings[inner],
            group=self.group[keep],
            row=self.row[keep],
            left_out=self.left_out,
        )


def hash_id(text: str) -> int:
    """64 bits of an id. Keyed anew in each process (SipHash), so nobody can make ids collide."""
    return hash(text) & 0xFFFF_FFFF_FFFF_FFFF


def hash_ids(texts: list[str]) -> Hashes:
    """``hash_id`` of each."""
    return np.fromiter(map(hash, texts), np.int64, len(texts)).view(np.uint64)


def read_rows(path: Path) -> ShardRows:
    """Read a shard's ids, cells and ratings; texts are not read.

    Raises:
        InvalidInput: The file is not parquet, lacks a column that every sample has, or is built
            in a way that cannot be read as samples.
    """
    try:
        with open_parquet(path) as file:
            present = set(file.schema_arrow.names)
            if missing := _REQUIRED - present:
                raise InvalidInput(
                    f"{path} has no column {', '.join(sorted(missing))}.", "Remove or replace it."
                )
            wanted = [n for n in ("sample_id", "kind", "topic", "perspective") if n in present]
            inner = _paths(file, "completions", ("completion_id", "judge_rating"))
            if not any(name.endswith(".completion_id") for name in inner):
                raise InvalidInput(f"{path} has completions without ids.", "Remove or replace it.")
            lengths = [file.metadata.row_group(n).num_rows for n in range(file.num_row_groups)]
            table = file.read(columns=wanted + inner, use_threads=False)
        return _rows(table, lengths)
    except _ODD as error:
        why = " ".join(str(error).split()).rstrip(".") or type(error).__name__
        raise InvalidInput(f"{path} cannot be read: {why}.", "Restore or remove it.") from error


def _paths(file: pq.ParquetFile, column: str, fields: tuple[str, ...]) -> list[str]:
    """Where the fields of a list of objects are; writers name what is between differently."""
    every = (file.schema.column(at).path for at in range(len(file.schema)))
    return [
        path for path in every if path.startswith(f"{column}.") and path.split(".")[-1] in fields
    ]


def _rows(table: pa.Table, lengths: list[int]) -> ShardRows:
    ids = _texts(table["sample_id"])
    completions = table["completions"].combine_chunks()
    counts = pc.fill_null(pc.list_value_length(completions), 0)
    counts = counts.to_numpy(zero_copy_only=False).astype(np.int32)
    each = completions.flatten()
    completion_ids = _texts(each.field("completion_id"))
    completion_hashes = hash_ids(completion_ids.to_pylist())
    cell, cells = _cells(table)
    rows = ShardRows(
        ids=ids,
        hashes=hash_ids(ids.to_pylist()),
        exam=_exam(table),
        cell=cell,
        cells=cells,
        counts=counts,
        completion_ids=completion_ids,
        completion_hashes=completion_hashes,
        ratings=_ratings(each, len(completion_ids)),
        group=np.repeat(np.arange(len(lengths), dtype=np.int32), lengths),
        row=np.concatenate([np.arange(n, dtype=np.int32) for n in [0, *lengths]]),
        left_out=0,
    )
    usable = _usable(ids) & _all(_usable(completion_ids), counts) & _distinct(rows)
    if usable.all():
        return rows
    kept = rows.only(usable)
    return ShardRows(
        **{name: getattr(kept, name) for name in ShardRows.__slots__ if name != "left_out"},
        left_out=int((~usable).sum()),
    )


def _texts(column: Any) -> pa.Array:  # noqa: ANN401 - Arrow is untyped
    if isinstance(column, pa.ChunkedArray):
        column = column.combine_chunks()
    column = column if column.type == pa.string() else column.cast(pa.string())
    return pc.fill_null(column, "") if column.null_count else column


def _usable(ids: pa.Array) -> Flags:
    lengths: Numbers = pc.utf8_length(ids).to_numpy(zero_copy_only=False)
    return (lengths > 0) & (lengths <= MAX_ID)


def _all(marks: Flags, counts: Numbers) -> Flags:
    """For each sample whether all of its completions are marked."""
    bad = np.bincount(np.repeat(np.arange(len(counts)), counts)[~marks], minlength=len(counts))
    fine: Flags = bad == 0
    return fine


def _distinct(rows: ShardRows) -> Flags:
    """For each sample whether no two of its completions have the same id."""
    fine = np.ones(len(rows.counts), dtype=np.bool_)
    ordered = np.sort(rows.completion_hashes)
    if (ordered[1:] != ordered[:-1]).all():
        return fine
    owner = np.repeat(np.arange(len(rows.counts)), rows.counts)
    order = np.lexsort((rows.completion_hashes, owner))
    hashes, owner = rows.completion_hashes[order], owner[order]
    twice = owner[1:][(hashes[1:] == hashes[:-1]) & (owner[1:] == owner[:-1])]
    fine[twice] = False
    return fine


def _ratings(completions: Any, count: int) -> Ratings:  # noqa: ANN401 - Arrow is untyped
    if completions.type.get_field_index("judge_rating") < 0:
        return np.full(count, np.nan, dtype=np.float32)
    found: Ratings = (
        pc.fill_null(completions.field("judge_rating").cast(pa.float64()), float("nan"))
        .to_numpy(zero_copy_only=False)
        .astype(np.float32)
    )
    return found


def _exam(table: pa.Table) -> Flags:
    if "kind" not in table.column_names:
        return np.zeros(len(table), dtype=np.bool_)
    exam: Flags = pc.equal(_texts(table["kind"]), "exam").to_numpy(zero_copy_only=False)
    return exam


def _cells(table: pa.Table) -> tuple[Numbers, list[tuple[str, str]]]:
    topics = _texts(table["topic"]).dictionary_encode()
    perspectives = _texts(table["perspective"]).dictionary_encode()
    wide = max(1, len(perspectives.dictionary))
    both = topics.indices.to_numpy().astype(np.int64) * wide + perspectives.indices.to_numpy()
    found, cell = np.unique(both, return_inverse=True)
    names = topics.dictionary.to_pylist(), perspectives.dictionary.to_pylist()
    cells = [(names[0][code // wide], names[1][code % wide]) for code in found.tolist()]
    return cell.astype(np.int32), cells
