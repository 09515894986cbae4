"""What questions mean, as vectors beside the index, in the order of its samples' numbers.

They are in half precision in a file that is mapped: a million of 256 numbers are 512 MB on disk and
as good as nothing in memory. Every one is compared, block by block, so that none is missed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Numbers = npt.NDArray[np.int32]
Vector = npt.NDArray[np.float32]

_AT_ONCE: Final = 1 << 15
_KIND: Final = np.dtype(np.float16)


class Vectors:
    """The vectors in the file ``path``, of length one or, where there is no meaning, zero."""

    def __init__(self, path: Path, width: int) -> None:
        self.path = path
        self._row_bytes = width * _KIND.itemsize
        self._width = width

    def __len__(self) -> int:
        try:
            return self.path.stat().st_size // self._row_bytes
        except FileNotFoundError:
            return 0

    def clear(self) -> None:
        """Begin anew."""
        self.path.unlink(missing_ok=True)

    def add(self, rows: npt.NDArray[Any]) -> None:
        """Put more at the end, in place of a row that was cut off."""
        whole = len(self) * self._row_bytes
        with self.path.open("ab") as file:
            file.truncate(whole)
            file.write(np.ascontiguousarray(rows, _KIND).tobytes())

    def cosines(self, vector: Vector) -> Vector:
        """How near each is to ``vector``, from -1 to 1."""
        count = len(self)
        near = np.zeros(count, np.float32)
        if count:
            rows: npt.NDArray[Any] = np.memmap(self.path, _KIND, "r", shape=(count, self._width))
            for start in range(0, count, _AT_ONCE):
                block = rows[start : start + _AT_ONCE].astype(np.float32)
                near[start : start + len(block)] = block @ vector
        return near


def nearest(near: Vector, chosen: Numbers, most: int) -> Numbers:
    """Of the samples ``chosen`` the ``most`` nearest, the nearest first; none that is unlike."""
    chosen = chosen[chosen <= len(near)]
    closeness = near[chosen - 1]
    chosen, closeness = chosen[closeness > 0], closeness[closeness > 0]
    if len(chosen) > most:
        kept = np.argpartition(-closeness, most)[:most]
        chosen, closeness = chosen[kept], closeness[kept]
    return chosen[np.lexsort((chosen, -closeness))]
