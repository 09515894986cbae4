"""Which topic each judged sample belongs to."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from pipeline.core import layout
from pipeline.core.errors import InvalidInput
from pipeline.core.samples import open_parquet
from pipeline.core.store import Store
from pipeline.curation.judgements import Codes

_COLUMNS: Final = ["sample_id", "topic"]
_ODD: Final = (pa.ArrowException, OSError, KeyError, TypeError, ValueError)
"""What is raised for a file that another tool wrote."""


@dataclass(frozen=True, slots=True)
class Topics:
    """The topics of samples.

    Attributes:
        names: Each topic once.
        of: For each sample a place in ``names``; -1 if the sample is not found.
    """

    names: tuple[str, ...]
    of: Codes

    @classmethod
    def read(cls, store: Store, samples: pa.StringArray) -> Topics:
        """Those of ``samples``, which are ids; a shard that cannot be read is passed over.

        Raises:
            SeedbedError: The store cannot be reached.
        """
        folder = store.checkout(layout.SAMPLES)
        of = np.full(len(samples), -1, dtype=np.int32)
        known: dict[str, int] = {}
        # As elsewhere, of an id that comes twice the first one counts.
        for path in sorted((folder / layout.SAMPLES).rglob("*.parquet"), reverse=True):
            try:
                _read(path, samples, of, known)
            except (InvalidInput, *_ODD):
                continue  # the server tells the lead about it
        return cls(tuple(known), of)


def _read(path: Path, samples: pa.StringArray, of: Codes, known: dict[str, int]) -> None:
    with open_parquet(path) as file:
        table = file.read(columns=_COLUMNS, use_threads=False)
    places = pc.index_in(table["sample_id"].cast(pa.string()), value_set=samples)
    topics = table["topic"].cast(pa.string()).combine_chunks().dictionary_encode()
    numbers = [known.setdefault(str(name), len(known)) for name in topics.dictionary.to_pylist()]
    found = pc.is_valid(places).to_numpy() & pc.is_valid(topics).to_numpy(zero_copy_only=False)
    rows = np.flatnonzero(found)[::-1]
    codes = np.asarray(numbers, dtype=np.int32)
    places, indices = (
        pc.fill_null(column, 0).to_numpy(zero_copy_only=False)
        for column in (places.combine_chunks(), topics.indices)
    )
    of[places[rows]] = codes[indices[rows]]
