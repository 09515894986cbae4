"""Small real projects for tests."""

from __future__ import annotations

from collections.abc import Sequence

from pipeline.core import layout
from pipeline.core.feedback import FeedbackEvent, now
from pipeline.core.projects import make_project
from pipeline.core.runs import RunRecord
from pipeline.core.samples import to_parquet
from pipeline.core.schema import Completion, Example, Project, Sample, Seed, stable_id
from pipeline.core.store import Store


def a_seed() -> Seed:
    """A small complete seed."""
    return Seed(
        domain="Farming",
        description="Growing crops on small farms.",
        domain_expert_prompt="You are an agronomist who has farmed for thirty years.",
        topics=["Clay soils", "Cover crops"],
        perspectives=["Agronomist", "Beginner"],
        examples=[
            Example(
                question="When is clay dry enough to plough?",
                answer="Roll a handful: if it crumbles, you may plough. If it smears, wait.",
                topic="Clay soils",
            )
        ],
    )


def a_sample(number: int, texts: Sequence[str] = ("", ""), **changes: object) -> Sample:
    """Sample ``number``; a blank text becomes one of its own."""
    sample_id = stable_id("sample", number)
    fields: dict[str, object] = {
        "sample_id": sample_id,
        "instruction": f"What should I know about field {number}?",
        "completions": tuple(
            Completion(
                completion_id=stable_id(sample_id, index),
                text=text or f"Answer {'AB'[index % 2]} to question {number}. " * (1 + 3 * index),
                model=f"maker/model-{index}",
                parameters='{"temperature": 0.8}',
                finish_reason="stop",
            )
            for index, text in enumerate(texts)
        ),
        "topic": "Clay soils",
        "perspective": "Agronomist",
        "run_id": "run",
        "fingerprint": "f" * 16,
        "created_at": now(),
    }
    return Sample.model_validate({**fields, **changes})


def a_run(run_id: str = "run", **changes: object) -> RunRecord:
    """The record of a run that finished just now."""
    fields: dict[str, object] = {
        "run_id": run_id,
        "fingerprint": "f" * 16,
        "state": "finished",
        "started_at": now(),
        "updated_at": now(),
    }
    return RunRecord.model_validate({**fields, **changes})


def fill(store: Store, samples: Sequence[Sample], project: Project | None = None) -> None:
    """Make a project that holds ``samples``."""
    make_project(store, a_seed(), project or Project())
    store.commit({layout.sample_shard("run", 0): to_parquet(samples)}, message="Add samples")


def thumb(
    sample: Sample, index: int, label: bool | None, annotator: str = "ana", **changes: object
) -> FeedbackEvent:
    """A thumb on one completion; None skips."""
    fields: dict[str, object] = {
        "event_id": stable_id("thumb", sample.sample_id, index, label, annotator, changes),
        "sample_id": sample.sample_id,
        "task": "thumbs",
        "annotator": annotator,
        "status": "skipped" if label is None else "submitted",
        "completion_id": sample.completions[index].completion_id,
        "label": label,
        "received_at": now(),
    }
    return FeedbackEvent.model_validate({**fields, **changes})


def pair(
    sample: Sample,
    preference: str,
    annotator: str = "ana",
    *,
    swap: bool = False,
    **changes: object,
) -> FeedbackEvent:
    """A choice between a sample's first two completions, shown in order or swapped."""
    first, second = (completion.completion_id for completion in sample.completions[:2])
    fields: dict[str, object] = {
        "event_id": stable_id("pair", sample.sample_id, preference, annotator, swap, changes),
        "sample_id": sample.sample_id,
        "task": "pairwise",
        "annotator": annotator,
        "status": "submitted",
        "left_id": second if swap else first,
        "right_id": first if swap else second,
        "preference": preference,
        "received_at": now(),
    }
    return FeedbackEvent.model_validate({**fields, **changes})
