"""Measures the duplicate index: python tests/benchmarks/quality.py [rows ...].

Prints one JSON object as its last line. Precision and recall compare what the index says with the
Jaccard similarity of all pairs, computed in the same run; times are of the process, so that other
work on the machine counts little.
"""

from __future__ import annotations

import json
import random
import resource
import sys
import tempfile
import time
from itertools import count
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from pipeline.core.schema import QualitySettings
from pipeline.core.words import shingles
from pipeline.generation.quality.duplicates import DuplicateIndex
from tests.generation.quality.instructions import (
    edited,
    similar_but_different,
    unlike,
)

QUALITY = QualitySettings()


def peak_rss() -> float:
    """Mebibytes."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def adds(folder: Path, rows: int) -> dict[str, float]:
    """Adds a second, of the last tenth of ``rows`` and of all."""
    index = DuplicateIndex(QUALITY, folder / str(rows))
    batch = max(1, rows // 10)
    numbers = count()
    started = total = 0.0
    for part in range(10):
        texts = unlike(batch, seed=part)
        started = time.process_time()
        for text in texts:
            index.add(str(next(numbers)), text)
        total += time.process_time() - started
    last = time.process_time() - started
    index.close()
    return {"adds_per_second": round(10 * batch / total), "in_last_tenth": round(batch / last)}


def found(folder: Path, texts: int) -> dict[str, float]:
    """How many near duplicates are found, against comparing each with all before it."""
    rng = random.Random(7)
    originals = similar_but_different(texts)
    every = originals + [edited(text, rng) for text in originals]
    rng.shuffle(every)
    started = time.process_time()
    sets = [frozenset(shingles(text)) for text in every]
    due = set()
    for at, mine in enumerate(sets):
        if any(len(mine & other) / len(mine | other) >= 0.8 for other in sets[:at]):
            due.add(at)
    baseline = time.process_time() - started
    index = DuplicateIndex(QUALITY, folder / "found")
    started = time.process_time()
    said = {at for at, text in enumerate(every) if index.add(str(at), text)}
    took = time.process_time() - started
    index.close()
    return {
        "texts": len(every),
        "near_duplicates": len(due),
        "precision": round(len(said & due) / len(said), 4),
        "recall": round(len(said & due) / len(due), 4),
        "seconds_of_brute_force_to_ours": round(baseline / took, 2),
    }


def main() -> None:
    """Measure and print."""
    sizes = [int(size) for size in sys.argv[1:]] or [10_000, 100_000]
    with tempfile.TemporaryDirectory() as folder:
        result: dict[str, object] = {"rss_at_start_mib": round(peak_rss())}
        for rows in sizes:
            result[f"{rows}_rows"] = adds(Path(folder), rows)
            result[f"peak_rss_mib_after_{rows}"] = round(peak_rss())
        result["near_duplicates"] = found(Path(folder), 2_000)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
