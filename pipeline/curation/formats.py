"""The columns of each export, as TRL 1.16 reads them.

``conversational`` has lists of messages, ``text`` has plain strings; TRL takes either.
The prompt is the instruction as one user message. The expert's system prompt is left out, so that a
model learns to answer like the expert without being told to; it stays in the samples. In plain text
an empty line ends the prompt.

``reward`` has the prompt inside ``chosen`` and ``rejected``, as TRL's RewardTrainer wants it, and
no column ``margin``, which that trainer would subtract from the rewards; the same figure is in
``lead``. ``spin`` has the columns of https://github.com/uclaml/SPIN.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import NoneType
from typing import Any, Final, get_args

from datasets import Features, List, Value

from pipeline.core.feedback import FeedbackEvent
from pipeline.core.layout import ExportFormat, Form
from pipeline.curation.picking import Picked, Text

Row = dict[str, Any]

_ANSWERS: Final[Mapping[ExportFormat, tuple[str, ...]]] = {
    "sft": ("completion",),
    "preference": ("chosen", "rejected"),
    "kto": ("completion",),
    "reward": ("chosen", "rejected"),
    "spin": ("real", "generated"),
    "exam": (),
}
_IMPLICIT: Final = ("reward", "spin")
"""Exports in which each answer holds the prompt."""
_STRING, _WHOLE, _REAL, _YES_OR_NO = (Value(k) for k in ("string", "int64", "float64", "bool"))
_FACTS: Final[Mapping[ExportFormat, Mapping[str, Any]]] = {
    "sft": {},
    "preference": {"margin": _REAL, "ties": _WHOLE},
    "kto": {"label": _YES_OR_NO, "up": _WHOLE, "down": _WHOLE},
    "reward": {"lead": _REAL, "ties": _WHOLE},
    "spin": {},
    "exam": {
        "question": _STRING,
        "answer": _STRING,
        "distractors": List(_STRING),
        "document": _STRING,
        "span": {"start": _WHOLE, "end": _WHOLE},
        "corrected": _YES_OR_NO,
    },
}
_PROVENANCE: Final = {
    "source": _STRING,
    "votes": _WHOLE,
    "agreement": _REAL,
    "sample_id": _STRING,
    "group": _STRING,
    "topic": _STRING,
    "perspective": _STRING,
    "flags": List(_STRING),
    "fingerprint": _STRING,
}


def features(export: ExportFormat, form: Form) -> Features:
    """The columns of an export, in their order."""
    if export == "feedback":
        return Features({name: _kind(name) for name in FeedbackEvent.model_fields})
    text = List({"role": _STRING, "content": _STRING}) if form == "conversational" else _STRING
    answers = _ANSWERS[export]
    asked = [] if export in _IMPLICIT or not answers else ["prompt"]
    return Features(
        {
            **{name: text for name in (*asked, *answers)},
            **_FACTS[export],
            **{
                _about(name, answers) + fact: kind
                for name in answers
                for fact, kind in (
                    ("model", _STRING),
                    ("completion_id", _STRING),
                    ("judge_rating", _REAL),
                )
            },
            **_PROVENANCE,
        }
    )


def row(export: ExportFormat, form: Form, picked: Picked, group: str) -> Row:
    """One row."""
    sample, answers = picked.sample, _ANSWERS[export]
    made: Row = {}
    if answers and export not in _IMPLICIT:
        made["prompt"] = _user(sample.instruction, form)
    for name in answers:
        text, before = picked.texts[name], _about(name, answers)
        said = _assistant(text, form)
        made[name] = _user(sample.instruction, form) + said if export in _IMPLICIT else said
        made[f"{before}model"] = text.model
        made[f"{before}completion_id"] = text.completion_id
        made[f"{before}judge_rating"] = text.judge_rating
    facts = dict(picked.facts)
    if export == "reward":
        facts["lead"] = facts.pop("margin")
    if export == "exam":
        facts["document"] = sample.document
        facts["span"] = sample.span and sample.span.model_dump()
    made |= {name: facts[name] for name in _FACTS[export]}
    return made | {
        "source": picked.source,
        "votes": picked.votes,
        "agreement": picked.agreement,
        "sample_id": sample.sample_id,
        "group": group,
        "topic": sample.topic,
        "perspective": sample.perspective,
        "flags": list(sample.flags),
        "fingerprint": sample.fingerprint,
    }


def _about(name: str, answers: tuple[str, ...]) -> str:
    """What stands before ``model`` and the like where there are two answers."""
    return "" if len(answers) == 1 else f"{name}_"


def _user(instruction: str, form: Form) -> Any:  # noqa: ANN401 - a list or a string
    if form == "text":
        return f"{instruction}\n\n"
    return [{"role": "user", "content": instruction}]


def _assistant(text: Text, form: Form) -> Any:  # noqa: ANN401 - a list or a string
    return text.text if form == "text" else [{"role": "assistant", "content": text.text}]


def _kind(name: str) -> Value:
    annotation = FeedbackEvent.model_fields[name].annotation
    kinds = {kind for kind in get_args(annotation) or (annotation,) if kind is not NoneType}
    return _YES_OR_NO if bool in kinds else _WHOLE if int in kinds else _STRING
