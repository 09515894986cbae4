"""A small project that the pipeline itself made: python -m tests.training.project FOLDER

Its exports are in the project in the conversational form, and in FOLDER/text as plain text.
"""

from __future__ import annotations

import random
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipeline.core.feedback import FeedbackEvent, now
from pipeline.core.samples import read_samples
from pipeline.core.schema import Sample, stable_id
from pipeline.core.store_folder import FolderStore

ROWS: Final = 48


def make(folder: Path) -> None:
    """Grow, judge and export."""
    _run("demo", str(folder), "--rows", str(ROWS), "--no-serve")
    store = FolderStore(folder)
    rng = random.Random(0)
    events = [e for n, sample in enumerate(read_samples(store)) for e in _judged(sample, n, rng)]
    lines = "".join(event.to_line() + "\n" for event in events)
    store.commit({"feedback/2026/01/01/made-000001.jsonl": lines.encode()}, message="Judge")
    _run("export", str(folder))
    _run("export", str(folder), "--form", "text", "--to", str(folder / "text"))


def _judged(sample: Sample, number: int, rng: random.Random) -> Iterator[FeedbackEvent]:
    ids = [completion.completion_id for completion in sample.completions]
    if number % 3 == 0:
        for one in ids:
            yield _event(sample, "thumbs", completion_id=one, label=rng.random() < 0.6)
    elif number % 3 == 1:
        side = rng.choice(["left", "right"])
        yield _event(sample, "pairwise", left_id=ids[0], right_id=ids[1], preference=side)
    else:
        text = f"In short: {sample.completions[0].text[:200]}"
        yield _event(sample, "edit", completion_id=ids[0], text=text)


def _event(sample: Sample, task: str, **fields: object) -> FeedbackEvent:
    told = {
        "event_id": stable_id(sample.sample_id, task, fields),
        "sample_id": sample.sample_id,
        "task": task,
        "annotator": "ana",
        "status": "submitted",
        "received_at": now(),
    }
    return FeedbackEvent.model_validate(told | fields)


def _run(*words: str) -> None:
    subprocess.run(
        [sys.executable, "-m", "pipeline", *words], check=True, stdout=subprocess.DEVNULL
    )


if __name__ == "__main__":
    make(Path(sys.argv[1]))
