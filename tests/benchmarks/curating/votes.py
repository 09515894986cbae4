"""A project with many samples and votes, written without holding them."""

from __future__ import annotations

import random
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pipeline.core import layout
from pipeline.core.projects import make_project
from pipeline.core.samples import to_parquet
from pipeline.core.schema import Completion, Project, Sample, Seed, stable_id
from pipeline.core.store_folder import FolderStore

_IN_SHARD: Final = 2_000
_IN_FILE: Final = 2_000
_WORDS: Final = [f"{a}{b}{c}" for a in "bdfgklm" for b in ("a", "e", "io", "u") for c in "nrstlpm"]
_NULLS: Final = (
    '"completion_id": null, "label": null, "left_id": null, "right_id": null, "preference": null, '
    '"rating": null, "text": null, "option": null, "reason": null, "comment": null, "topic": null, '
    '"perspective": null, "repeat": null, "shown_at": "2026-01-01T00:00:00.000Z", "answered_at": '
    '"2026-01-01T00:00:00.000Z", "duration_ms": 2500, "guidelines_version": "0123456789ab", '
    '"schema_version": 1'
)


def make(folder: Path, samples: int, events: int, *, seed: int = 0) -> int:
    """Write the project; how many samples it has."""
    store = FolderStore(folder)
    make_project(store, Seed(domain="Farming"), Project())
    rng = random.Random(seed)
    for number, start in enumerate(range(0, samples, _IN_SHARD)):
        shard = [_sample(n, rng) for n in range(start, min(samples, start + _IN_SHARD))]
        path = folder / layout.sample_shard("run", number)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(to_parquet(shard))
    lines = _lines(samples, events, rng)
    day = folder / "feedback/2026/01/01"
    day.mkdir(parents=True)
    for number, _ in enumerate(range(0, events, _IN_FILE)):
        wanted = min(_IN_FILE, events - number * _IN_FILE)
        with (day / f"bench-{number:06d}.jsonl").open("w", encoding="utf-8") as file:
            file.writelines(next(lines) for _ in range(wanted))
    return samples


def _id(number: int) -> str:
    return stable_id("sample", number)


def _sample(number: int, rng: random.Random) -> Sample:
    ids = [stable_id(_id(number), index) for index in (0, 1)]
    return Sample(
        sample_id=_id(number),
        instruction=" ".join(rng.choices(_WORDS, k=25)) + f" {number}?",
        completions=tuple(
            Completion(
                completion_id=one,
                text=" ".join(rng.choices(_WORDS, k=120)),
                model=f"maker/model-{index}",
                parameters="{}",
            )
            for index, one in enumerate(ids)
        ),
        topic=f"topic {number % 40}",
        perspective=f"perspective {number % 5}",
        run_id="run",
        fingerprint="f" * 16,
        created_at=f"2026-01-01T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:00.000Z",
    )


def _lines(samples: int, events: int, rng: random.Random) -> Iterator[str]:
    """Thumbs and pairs by two hundred people; one in a hundred is taken back, one an edit."""
    for number in range(events):
        sample = _id(rng.randrange(samples))
        first, second = stable_id(sample, 0), stable_id(sample, 1)
        chance = rng.random()
        told: dict[str, str] = {}
        status = "submitted"
        if chance < 0.5:
            task = "thumbs"
            told["completion_id"] = f'"{rng.choice((first, second))}"'
            told["label"] = "true" if rng.random() < 0.6 else "false"
        elif chance < 0.98:
            task = "pairwise"
            left, right = rng.sample((first, second), 2)
            told |= {"left_id": f'"{left}"', "right_id": f'"{right}"'}
            told["preference"] = f'"{rng.choice(("left", "left", "right", "tie"))}"'
        elif chance < 0.99:
            task, status = "thumbs", "withdrawn"
            told["completion_id"] = f'"{first}"'
        else:
            task = "edit"
            told["completion_id"] = f'"{first}"'
            told["text"] = f'"{" ".join(rng.choices(_WORDS, k=80))}"'
        nulls = _NULLS
        for name, value in told.items():
            nulls = nulls.replace(f'"{name}": null', f'"{name}": {value}')
        moment = f"2026-01-{1 + number // 40_000:02d}T00:{number // 60_000 % 60:02d}:{number // 1_000 % 60:02d}.{number % 1_000:03d}Z"  # noqa: E501
        yield (
            f'{{"event_id": "e{number}", "sample_id": "{sample}", "task": "{task}", '
            f'"annotator": "person-{rng.randrange(200)}", "status": "{status}", '
            f'"received_at": "{moment}", {nulls}}}\n'
        )
