"""Under which fingerprint questions count, and how many calls one takes."""

from __future__ import annotations

from importlib.resources import files

from pipeline.core.schema import STAND_INS, ExamSettings, ModelChoice, Seed, stable_id
from pipeline.generation.exams import prompting


def fingerprint(seed: Seed, exam: ExamSettings) -> str:
    """A digest of what determines a place's question: prompts, model, the expert's words.

    Left out is what only decides how many there are, what is checked or marked, and the documents:
    a question's id holds its own passage, and a new document leaves the others' questions alone.
    """
    return stable_id(
        "exam",
        list(prompting.sources()),
        list(prompting.improving_sources()) if exam.improve else None,
        _digested(exam.model) if exam.model else None,
        " ".join(seed.domain.split()),
        seed.description.strip(),
        seed.language,
    )


def calls_per_question(exam: ExamSettings) -> float:
    """How many calls one question takes if none fails."""
    tries = 1 + exam.improve
    return tries * (1 + exam.check_support) + exam.closed_book


def _digested(choice: ModelChoice) -> dict[str, object]:
    fields = choice.model_dump(include={"model", "temperature", "top_p", "max_tokens"})
    if choice.model in STAND_INS:
        frames = files(__package__).joinpath("cloze.json").read_text(encoding="utf-8")
        return {**fields, "phrases": frames}
    return fields
