"""Calls that fail: nothing is lost, doubled or left empty, and it does not take much longer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Final

from pipeline.core.schema import Sample
from tests.benchmarks import work
from tests.benchmarks.contenders import Options, ratio, seedbed

SHARE: Final = 0.1
TARGET: Final = 1.5
"""Wall time by that of the same run without faults, at most."""


def measure(options: Options, calm_wall: float | None = None) -> dict[str, Any]:
    """Figures of the pipeline with faults; ``calm_wall`` saves the run without them.

    Raises:
        Failed: The command did.
    """
    if calm_wall is None:
        calm_wall = seedbed(options, options.load, "calm").ran.wall
    ours = seedbed(options, replace(options.load, faults=SHARE), "faults")
    samples = work.samples(options.folder / "faults")
    found = ratio(ours.ran.wall, calm_wall)
    wrong = problems(samples, options.rows)
    failed = sum(call.outcome != "answered" for call in ours.calls)
    return {
        "rows": len(samples),
        "wanted": options.rows,
        "share_failed": ratio(failed, len(ours.calls)),
        "problems": wrong,
        "pipeline": ours.figures(),
        "calm_wall_s": round(calm_wall, 2),
        "wall_to_calm": found,
        "target": TARGET,
        "passed": not wrong and found is not None and found <= TARGET,
    }


def problems(samples: Sequence[Sample], wanted: int) -> list[str]:
    """What is wrong with the rows, in words; nothing if all is well."""
    found = []
    if len(samples) != wanted:
        found.append(f"{len(samples)} rows instead of {wanted}")
    ids = Counter(sample.sample_id for sample in samples)
    questions = Counter(sample.instruction for sample in samples)
    completions = Counter(c.completion_id for sample in samples for c in sample.completions)
    for name, counts in (("ids", ids), ("questions", questions), ("completions", completions)):
        if doubled := sum(count > 1 for count in counts.values()):
            found.append(f"{doubled} {name} more than once")
    if empty := sum(not _whole(sample) for sample in samples):
        found.append(f"{empty} rows with something missing")
    return found


def _whole(sample: Sample) -> bool:
    texts = [sample.instruction, *(completion.text for completion in sample.completions)]
    ratings = [completion.judge_rating for completion in sample.completions]
    return (
        len(sample.completions) == len(work.ANSWERERS)
        and all(text and text.strip() for text in texts)
        and None not in ratings
    )
