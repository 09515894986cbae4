"""What is taken from an answer that a browser or a script sent, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest

from annotate_space.answers import to_event
from annotate_space.board import Question
from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import FeedbackEvent

QUESTIONS = {
    "thumbs": Question("thumbs", "s", ("c",)),
    "pairwise": Question("pairwise", "s", ("l", "r")),
    "rate": Question("rate", "s", ("c",)),
    "edit": Question("edit", "s", ("c",)),
    "instruction": Question("instruction", "slot", topic="Clay", perspective="Beginner"),
    "exam": Question("exam", "s"),
}
ITEM = {"question": "When?", "answer": "Now", "distractors": ["Later", "Never"]}


def event(task: str, **raw: object) -> FeedbackEvent:
    return to_event(
        {"event_id": "e", "ticket": "t", **raw},
        QUESTIONS[task],
        annotator="ana",
        received_at="2026-01-01T00:00:00.000Z",
        exam_options=["Now", "Later"] if task == "exam" else [],
    )


@pytest.mark.parametrize(
    ("task", "raw"),
    [
        ("thumbs", {"label": True}),
        ("pairwise", {"preference": "both_bad"}),
        ("rate", {"rating": 5}),
        ("edit", {"text": "Better."}),
        ("instruction", {"text": "How deep is topsoil?"}),
        ("exam", {"option": "Later"}),
        ("exam", {"option": "Now", "text": json.dumps(ITEM)}),
        ("thumbs", {"status": "skipped"}),
        ("thumbs", {"status": "flagged", "reason": "unsafe", "comment": "!"}),
        ("exam", {"status": "flagged", "reason": "discard"}),
        ("pairwise", {"status": "withdrawn"}),
    ],
)
def test_an_answer_to_each_task_is_kept(task: str, raw: dict[str, Any]) -> None:
    kept = event(task, **raw)
    assert kept.task == task
    assert {name: getattr(kept, name) for name in raw} == raw


def test_who_what_and_when_come_from_the_server() -> None:
    kept = event("pairwise", preference="left")
    assert (kept.annotator, kept.sample_id) == ("ana", "s")
    assert (kept.left_id, kept.right_id, kept.completion_id) == ("l", "r", None)
    about = event("instruction", text="x")
    assert (about.topic, about.perspective) == ("Clay", "Beginner")


@pytest.mark.parametrize(
    ("task", "raw", "why"),
    [
        ("thumbs", {}, "label"),
        ("thumbs", {"lable": True}, "no field 'lable'"),
        ("thumbs", {"label": True, "rating": 3}, "no field 'rating'"),
        ("thumbs", {"label": True, "annotator": "bob"}, "no field 'annotator'"),
        ("thumbs", {"label": "yes"}, "label"),
        ("thumbs", {"label": True, "comment": "x" * 4_001}, "comment"),
        ("thumbs", {"label": True, "event_id": "x" * 201}, "event_id"),
        ("thumbs", {"label": True, "duration_ms": -1}, "duration_ms"),
        ("thumbs", {"label": True, "status": "done"}, "status"),
        ("rate", {"rating": 6}, "rating"),
        ("pairwise", {"preference": "first"}, "preference"),
        ("edit", {"text": " \n"}, "Nothing was written"),
        ("edit", {"text": "x" * 20_001}, "text"),
        ("exam", {"option": "Elsewhere"}, "none of those"),
        ("exam", {"option": "Now", "text": "{"}, "incomplete"),
        ("exam", {"option": "Now", "text": json.dumps({**ITEM, "question": " "})}, "question"),
        ("exam", {"option": "Then", "text": json.dumps(ITEM)}, "not the corrected answer"),
        ("exam", {"option": "Now", "text": json.dumps({**ITEM, "distractors": ["NOW"]})}, "same"),
    ],
)
def test_what_does_not_fit_is_named(task: str, raw: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        event(task, **raw)
