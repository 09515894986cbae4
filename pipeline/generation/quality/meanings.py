"""Finds instructions that ask the same thing in other words, by static embeddings of model2vec.

A vector is first compared by 256 bits, the sides of random planes on which it lies: two vectors
differ in a bit with probability angle / pi (Charikar, "Similarity estimation techniques from
rounding algorithms", 2002). Only those whose bits are near enough are compared by cosine. Both
forms lie in files that are mapped, not read: a million rows cost 32 MB of codes to look through.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from pipeline.core.embeddings import load, unit_vectors
from pipeline.core.schema import QualitySettings

_BITS: Final = 256
_DEVIATIONS: Final = 4
"""How many standard deviations of differing bits are allowed for: about 3 pairs in 100 000 are
missed at exactly the set similarity."""

_SEED: Final = 20_251_121
_ROUNDING: Final = 5e-4
"""Half precision moves a cosine by less."""

_LOOKED_AT_ONCE: Final = 1 << 16
_FEWEST_ROWS: Final = 4_096


class Near(NamedTuple):
    """A row with its cosine similarity."""

    row: int
    similarity: float


class Meanings:
    """Vectors of instructions by row number, from one on, beside the index they belong to.

    Args:
        settings: The model, which must be set, and the similarity that counts.
        path: The index; two files with longer names are put beside it.

    Raises:
        InvalidInput: model2vec is not installed, or it cannot load the model.
    """

    def __init__(self, settings: QualitySettings, path: Path) -> None:
        name = settings.embedding_model or ""
        self._model = load(name)
        self._least = max(settings.embedding_similarity - _ROUNDING, _ROUNDING)
        share = math.acos(settings.embedding_similarity) / math.pi
        spread = math.sqrt(_BITS * share * (1 - share))
        self._most_bits = math.ceil(_BITS * share + _DEVIATIONS * spread) + 1
        self.form = f"{name}:{self._model.dim}"
        # RandomState's stream is frozen over versions of NumPy (NEP 19); codes outlive a process.
        self._planes = np.random.RandomState(_SEED).standard_normal((self._model.dim, _BITS))
        self._codes = _Rows(path.with_name(path.name + ".codes"), np.dtype(np.uint64), _BITS // 64)
        self._vectors = _Rows(
            path.with_name(path.name + ".vectors"), np.dtype(np.float16), self._model.dim
        )

    def open(self, count: int) -> bool:
        """Take up rows 1 to ``count``, written before; False if they are not all there."""
        return self._codes.open(count) and self._vectors.open(count)

    def put(self, row: int, text: str) -> None:
        """Store row ``row``, which is the next or an earlier one; a blank text matches nothing."""
        vector = self._vector(text)
        self._vectors.put(row, vector)
        self._codes.put(row, self._code(vector))

    def nearest(self, text: str, before: int) -> Near | None:
        """The most similar row below ``before`` that reaches the set similarity."""
        vector = self._vector(text)
        if not vector.any():
            return None
        code = self._code(vector)
        best: Near | None = None
        for start in range(1, before, _LOOKED_AT_ONCE):
            end = min(before, start + _LOOKED_AT_ONCE)
            differing = np.bitwise_count(self._codes.rows[start:end] ^ code)
            close = np.flatnonzero(differing.sum(axis=1, dtype=np.uint16) <= self._most_bits)
            if not close.size:
                continue
            cosines = self._vectors.rows[start + close].astype(np.float32) @ vector
            place = int(cosines.argmax())
            found = Near(start + int(close[place]), min(1.0, float(cosines[place])))
            if found.similarity >= self._least and (not best or found.similarity > best.similarity):
                best = found
        return best

    def close(self) -> None:
        """Write what is still in memory."""
        self._codes.close()
        self._vectors.close()

    def _vector(self, text: str) -> NDArray[np.float32]:
        """The embedding with length one; zeros where the model knows no word of it."""
        vector: NDArray[np.float32] = unit_vectors(self._model, [text])[0]
        return vector

    def _code(self, vector: NDArray[np.float32]) -> NDArray[np.uint64]:
        return np.packbits(vector @ self._planes > 0).view(np.uint64)


class _Rows:
    """Rows of numbers in a mapped file that doubles when it is full."""

    def __init__(self, path: Path, kind: np.dtype[Any], width: int) -> None:
        self._path = path
        self._kind = kind
        self._width = width
        self.rows: NDArray[Any] = np.empty((0, width), kind)

    def open(self, count: int) -> bool:
        size = self._path.stat().st_size if self._path.exists() else 0
        held = size // (self._width * self._kind.itemsize)
        if count and count >= held:
            return False
        self._map(max(held, _FEWEST_ROWS))
        return True

    def put(self, row: int, values: NDArray[Any]) -> None:
        if row >= len(self.rows):
            self._map(max(2 * len(self.rows), row + 1))
        self.rows[row] = values

    def close(self) -> None:
        if isinstance(self.rows, np.memmap):
            self.rows.flush()
        self.rows = np.empty((0, self._width), self._kind)

    def _map(self, rows: int) -> None:
        self.close()
        with self._path.open("ab") as file:
            file.truncate(rows * self._width * self._kind.itemsize)
        self.rows = np.memmap(self._path, self._kind, "r+", shape=(rows, self._width))
