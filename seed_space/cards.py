"""Samples as the page shows them: texts for the script, and HTML in which nothing is alive."""

from __future__ import annotations

import html
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from pipeline.core.errors import ModelUnavailable, NotSignedIn, SeedbedError
from pipeline.core.schema import Cell, Completion, GenerationSettings, Sample, Seed
from pipeline.generation.chain import Failure
from pipeline.generation.chat import CallFailed
from pipeline.generation.grounding import Grounds
from pipeline.generation.known import Origin
from pipeline.generation.prompting import Messages, Prompts
from pipeline.web.markup import to_html
from seed_space import pieces
from seed_space.telling import failure, notice
from seed_space.words import WORDS, Spoken, say

Card = dict[str, Any]
"""For ``parts/cards.js``: ``key, topic, perspective, question``, HTML in ``question_html``,
``asked_html`` and ``source_html``, and ``columns``, one for each side or None while it is awaited:
``{answers: [{text, html, note}], prompt_html, failed_html}``."""


def card(
    sample: Sample,
    seed: Seed,
    generation: GenerationSettings,
    language: str,
    grounds: Grounds | None = None,
    sides: int = 1,
) -> Card:
    """A sample as the annotators will see it, with what was sent for it; no column yet."""
    cell = Cell(topic=sample.topic, perspective=sample.perspective)
    origin = Origin.of(sample)
    number = origin.ask + 1 if origin else 1
    passage = grounds.passage_of(sample) if grounds else None
    prompts = Prompts(seed)
    asked = prompts.instructions(cell, generation.instructions_per_call, [], number, passage)
    return {
        "key": f"{sample.topic}\n{sample.perspective}",
        "topic": sample.topic,
        "perspective": sample.perspective,
        "question": sample.instruction,
        "question_html": to_html(sample.instruction),
        "asked_html": messages(asked),
        "source_html": pieces.source(language, passage),
        "columns": [None] * sides,
    }


def column(
    sample: Sample | None,
    seed: Seed,
    language: str,
    failures: Sequence[Failure] = (),
    grounds: Grounds | None = None,
) -> Mapping[str, Any]:
    """One side's answers to a sample's instruction, or why there are none."""
    if sample is None:
        return {"answers": [], "prompt_html": "", "failed_html": failed(failures, language)}
    cell = Cell(topic=sample.topic, perspective=sample.perspective)
    passage = grounds.passage_of(sample) if grounds else None
    return {
        "answers": [
            {
                "text": completion.text,
                "html": to_html(completion.text),
                "note": _rating(completion, language),
            }
            for completion in sample.completions
        ],
        "prompt_html": messages(Prompts(seed).answer(cell, sample.instruction, passage)),
        "failed_html": "",
    }


def messages(sent: Messages) -> str:
    """The messages of one request as they were sent."""
    return "".join(
        f'<p class="role">{html.escape(message["role"])}</p>'
        f'<div class="message" tabindex="0">{html.escape(message["content"])}</div>'
        for message in sent
    )


def failed(failures: Iterable[Failure], language: str) -> str:
    """What did not become a sample, why, and what to do; the same reason once."""
    told: dict[tuple[str, str], Failure] = {}
    where: dict[tuple[str, str], list[str]] = {}
    for one in failures:
        key = one.kind, one.reason
        told.setdefault(key, one)
        name = f"{one.cell.topic} · {one.cell.perspective}"
        names = where.setdefault(key, [])
        if name not in names:
            names.append(name)
    return "".join(
        _trouble(one.kind, f"{one.reason} {one.next_step}", language, where[key])
        for key, one in told.items()
    )


def trouble(error: SeedbedError, language: str) -> str:
    """Why no more samples come, and what to do."""
    if isinstance(error, Spoken):
        return failure(language, error)
    if isinstance(error.__cause__, CallFailed):
        return _trouble(error.__cause__.kind, str(error), language)
    if isinstance(error, NotSignedIn):
        return _trouble("signed out", str(error), language)
    if isinstance(error, ModelUnavailable):
        return _trouble("", str(error), language)
    return failure(language, error)


def _trouble(kind: str, exactly: str, language: str, names: Sequence[str] = ()) -> str:
    key = f"samples.why.{kind.replace(' ', '_')}"
    text = say(language, key if key in WORDS.texts else "samples.why.other")
    return notice(language, text, exactly.strip(), about=", ".join(names))


def _rating(completion: Completion, language: str) -> str:
    """What the judge says, as plain text; empty if there is none."""
    if completion.judge_rating is None:
        return ""
    rating = f"{completion.judge_rating:.2g}"
    why = completion.judge_rationale or ""
    return f"{say(language, 'samples.judge', rating=rating)} {why}".strip()
