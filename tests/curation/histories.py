"""Any history of votes, undos, skips, repeats, edits, flags and verdicts by several people."""

from __future__ import annotations

import random
from collections.abc import Sequence

from hypothesis import strategies as st

from pipeline.core.feedback import FeedbackEvent
from pipeline.core.schema import TASKS, Task
from tests.factories import a_sample

SAMPLES = [a_sample(number, ["", "", ""]) for number in range(3)]
PEOPLE = ("ana", "bob", "eva", "lea")
ITEM = '{"question": "q", "answer": "%s", "distractors": ["x"]}'


@st.composite
def events(draw: st.DrawFn) -> FeedbackEvent:
    """One thing that somebody did."""
    sample = draw(st.sampled_from(SAMPLES))
    task: Task = draw(st.sampled_from(TASKS))
    status = draw(st.sampled_from(["submitted"] * 5 + ["skipped", "flagged", "withdrawn"]))
    fields: dict[str, object] = {
        "sample_id": sample.sample_id,
        "task": task,
        "annotator": draw(st.sampled_from(PEOPLE)),
        "status": status,
        "repeat": draw(st.sampled_from([None, None, None, True])),
        "verdict": draw(st.sampled_from([None] * 7 + [True])),
        "received_at": f"2026-01-01T00:00:{draw(st.integers(0, 30)):02d}.000Z",
        "event_id": f"e{draw(st.integers(0, 10**9))}",
        "comment": draw(st.sampled_from([None, "Why: línea\n“dos”"])),
        "duration_ms": draw(st.sampled_from([None, 1_500])),
    }
    ids = [completion.completion_id for completion in sample.completions]
    if task == "pairwise":
        left, right = draw(st.permutations(ids))[:2]
        fields |= {"left_id": left, "right_id": right}
    elif task in ("thumbs", "rate", "edit"):
        fields["completion_id"] = draw(st.sampled_from(ids))
    if status == "submitted":
        fields |= _given(draw, task)
    return FeedbackEvent.model_validate(fields)


def _given(draw: st.DrawFn, task: Task) -> dict[str, object]:
    match task:
        case "thumbs":
            return {"label": draw(st.booleans())}
        case "pairwise":
            return {"preference": draw(st.sampled_from(["left", "right", "tie", "both_bad"]))}
        case "rate":
            return {"rating": draw(st.integers(1, 5))}
        case "exam":
            option = draw(st.sampled_from(["one", "two"]))
            text = draw(st.sampled_from([None, None, ITEM % option]))
            return {"option": option, "text": text}
    return {"text": draw(st.sampled_from(["Better so.", "  ", "Ganz anders: ü"]))}


histories = st.lists(events(), max_size=40, unique_by=lambda event: event.event_id)


def shuffled(history: Sequence[FeedbackEvent], seed: int) -> list[FeedbackEvent]:
    """The same in another order, some of it twice."""
    mixed = [*history, *history[::3]]
    random.Random(seed).shuffle(mixed)
    return mixed


def files(history: Sequence[FeedbackEvent], count: int) -> dict[str, bytes]:
    """The same spread over files."""
    return {
        f"feedback/2026/01/01/{number}-000001.jsonl": "".join(
            f"{event.to_line()}\n" for event in history[number::count]
        ).encode()
        for number in range(count)
    }
