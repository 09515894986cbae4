"""What one question looks like: for the card in the browser, and for a script."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from annotate_space.board import Question
from pipeline.core.schema import STAND_INS, AnnotationSettings, Sample, Span, stable_id
from pipeline.web.markup import to_html

_RENDERED: Final = 4_096
"""Texts kept as HTML; two completions of a sample are often shown to several people."""

Card = dict[str, Any]

rendered = lru_cache(maxsize=_RENDERED)(to_html)


def options(sample: Sample, annotator: str) -> list[str]:
    """The options of an exam question in the order in which ``annotator`` sees them."""
    texts = [sample.answer or "", *(sample.distractors or ())]
    return sorted(texts, key=lambda text: stable_id("option", annotator, sample.sample_id, text))


def plain_card(
    question: Question,
    sample: Sample | None,
    annotator: str,
    settings: AnnotationSettings,
) -> Card:
    """The texts of a question and nothing that would tell who wrote them, no ids either.

    ``passage`` tells whether there is a passage of a document to ask for.

    Args:
        question: What is asked, the answers in the order to show.
        sample: None where there is none, for ``instruction``.
        annotator: Whose order the options of an exam have.
        settings: What may be shown; where exams are reviewed blind, no option is marked.
    """
    card: Card = {
        "task": question.task,
        "topic": "",
        "perspective": "",
        "source": "",
        "passage": False,
        "instruction": "",
        "answers": [],
        "options": [],
        "marked": None,
        "stand_in": False,
    }
    if settings.show_topic or question.task == "instruction":
        card |= {"topic": question.topic, "perspective": question.perspective}
    if sample is None:
        return card
    if settings.show_source:
        card["source"] = sample.document or ""
        card["passage"] = passage_of(question, sample, settings) is not None
    if question.task == "exam":
        texts = options(sample, annotator)
        return card | {
            "instruction": sample.question or sample.instruction,
            "options": [{"text": text} for text in texts],
            "marked": None if settings.blind_exam else texts.index(sample.answer or ""),
            "stand_in": _by_stand_in(sample),
        }
    by_id = {completion.completion_id: completion for completion in sample.completions}
    shown = [by_id[name] for name in question.completion_ids]
    return card | {
        "instruction": sample.instruction,
        "answers": [{"text": completion.text} for completion in shown],
        "stand_in": any(completion.model in STAND_INS for completion in shown),
    }


def passage_of(
    question: Question, sample: Sample | None, settings: AnnotationSettings
) -> tuple[str, Span] | None:
    """Document and span that may be read; whoever answers an exam blind is not to read them."""
    if sample is None or sample.document is None or sample.span is None:
        return None
    hidden = not settings.show_source or (question.task == "exam" and settings.blind_exam)
    return None if hidden else (sample.document, sample.span)


def _by_stand_in(sample: Sample) -> bool:
    """Whether an exam question was written by the stand-in, as its lineage tells."""
    return any(f"written by:{name}" in sample.lineage for name in STAND_INS)


def for_screen(card: Card) -> Card:
    """The same card with its texts as safe HTML, next to the raw ones that are edited."""
    return card | {
        "instruction": rendered(card["instruction"]),
        "answers": [answer | {"html": rendered(answer["text"])} for answer in card["answers"]],
        "options": [option | {"html": rendered(option["text"])} for option in card["options"]],
    }


def authors(question: Question, sample: Sample) -> list[str]:
    """Who wrote the answers that were shown, in the order shown."""
    by_id = {completion.completion_id: completion.model for completion in sample.completions}
    return [by_id[name] for name in question.completion_ids if name in by_id]
