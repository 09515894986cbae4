"""Finding texts that share most of their words: MinHash with banding, and what decides in the end.

MinHash is of Broder, "On the resemblance and containment of documents" (1997), banding of Leskovec,
Rajaraman and Ullman, "Mining of Massive Datasets", section 3.4.
"""

from __future__ import annotations

import math
import unicodedata
from array import array
from collections.abc import Iterable, Sequence
from functools import cache
from hashlib import blake2b
from typing import Final, NamedTuple
from zlib import crc32

import numpy as np
from numpy.typing import NDArray
from rensa import RMinHash

from pipeline.core.schema import normalized

_SEED: Final = 20_251_121
_RECALL: Final = 0.99
"""Chance that two texts share a band if they are just as similar as set; closer ones have more."""


class Bands(NamedTuple):
    """How a signature is cut: two texts are compared when all rows of one band agree."""

    bands: int
    rows: int

    @classmethod
    def for_similarity(cls, similarity: float) -> Bands:
        """The fewest, widest bands that find a pair of this similarity with ``_RECALL``.

        A pair of similarity s shares a band with probability 1 - (1 - s^rows)^bands. Rows are as
        many as leave s^rows above 1/4, which needs at most sixteen bands for similarities of one
        half and more; wide bands keep texts that merely use the same words from being compared.
        """
        if similarity >= 1:
            return cls(1, 8)
        similarity = max(similarity, 0.01)
        rows = min(16, max(1, math.floor(math.log(0.25) / math.log(similarity))))
        bands = math.ceil(math.log(1 - _RECALL) / math.log1p(-(similarity**rows)))
        return cls(min(bands, 128), rows)

    def keys(self, found: Sequence[str]) -> list[int]:
        """A number for each band of the signature; they differ between bands."""
        minhash = RMinHash(num_perm=self.bands * self.rows, seed=_SEED)
        minhash.update(found)
        signature = np.array(minhash.digest(), np.uint64).reshape(self)
        keys = (signature * _multipliers(self)).sum(axis=1, dtype=np.uint64)
        return [int(key) for key in keys.view(np.int64).tolist()]


@cache
def _multipliers(shape: tuple[int, int]) -> NDArray[np.uint64]:
    # RandomState's stream is frozen over versions of NumPy (NEP 19); keys outlive a process.
    bits = np.random.RandomState(_SEED).bytes(8 * math.prod(shape))
    return np.frombuffer(bits, np.uint64).reshape(shape) | np.uint64(1)


def hashed(found: Iterable[str]) -> array[int]:
    """Shingles as numbers of 32 bits, each once, in order."""
    return array("I", sorted({crc32(shingle.encode()) for shingle in found}))


def text_digest(text: str) -> int:
    """What texts share that differ only in case, spacing and width.

    64 bits as SQLite's signed integer; among a million texts two agree by chance 3e-8 times.
    """
    return digest(normalized(unicodedata.normalize("NFKC", text)))


def digest(text: str) -> int:
    """64 bits of a text as a signed integer."""
    data = blake2b(text.encode(), digest_size=8).digest()
    return int.from_bytes(data, "little", signed=True)
