"""What of a sample becomes rows of which export, before it is given a form.

- ``sft``: completions found good, and what people wrote. What a person wrote in place of a
  completion replaces it.
- ``preference`` and ``reward``: every pair with a winner, and what a person wrote against the
  completion that it replaces.
- ``kto``: every completion with a verdict by thumbs. Without any thumb on it, one that won all of
  its settled pairs is good and one that lost all is not.
- ``spin``: what people wrote, against what models wrote to the same instruction.
- ``exam``: items that were reviewed and kept, as corrected.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pydantic import BaseModel, ValidationError

from pipeline.core.schema import Completion, Sample, normalized
from pipeline.curation.consensus import CompletionVerdict, PairVerdict, SampleVerdict

Source = Literal["thumbs", "pair", "lead", "edit", "demonstration", "example", "review"]


@dataclass(frozen=True, slots=True)
class Text:
    """One text of a row.

    Attributes:
        model: Who wrote it; None for a person.
    """

    text: str
    model: str | None = None
    completion_id: str | None = None
    judge_rating: float | None = None


@dataclass(frozen=True, slots=True)
class Picked:
    """What becomes a row.

    Attributes:
        texts: The answers by their columns, such as ``chosen`` and ``rejected``.
        source: What it comes from.
        votes: How many people decided; None where nobody votes, as on what a person wrote.
        agreement: The share of them that said so.
        facts: Further columns.
    """

    sample: Sample
    texts: Mapping[str, Text]
    source: Source
    votes: int | None = None
    agreement: float | None = None
    facts: Mapping[str, Any] = field(default_factory=dict)


class ExamItem(BaseModel):
    """An exam item as a person corrected it."""

    question: str
    answer: str
    distractors: tuple[str, ...]


Examples = Mapping[str, str]
"""Experts' answers by the normalized question."""
Pick = Callable[[Sample, SampleVerdict, Examples], Iterator[Picked]]


def sft(sample: Sample, verdict: SampleVerdict, examples: Examples) -> Iterator[Picked]:
    """Each text once."""
    seen: set[str] = set()
    for source, human, _ in _written(sample, verdict):
        if _new(human.text, seen):
            yield Picked(sample, {"completion": human}, source)
    edited = {edit.completion_id for edit in verdict.edits}
    for completion, said in _judged(sample, verdict):
        fine = said.good is True and completion.completion_id not in edited
        if fine and _new(completion.text, seen):
            yield _single(sample, completion, said, _pairs_of(verdict, completion))


def preference(sample: Sample, verdict: SampleVerdict, examples: Examples) -> Iterator[Picked]:
    """Pairs of different texts only; ``margin`` is the winner's lead as a share of the votes."""
    known = {completion.completion_id: completion for completion in sample.completions}
    for pair in verdict.pairs:
        if pair.chosen_id not in known or pair.rejected_id not in known:
            continue
        chosen, rejected = known[pair.chosen_id], known[pair.rejected_id]
        if _same(chosen.text, rejected.text):
            continue
        yield Picked(
            sample,
            {"chosen": _text(chosen), "rejected": _text(rejected)},
            "lead" if pair.source == "lead" else "pair",
            pair.votes,
            pair.agreement,
            {"margin": pair.margin, "ties": pair.ties + pair.both_bad},
        )
    for source, human, original in _written(sample, verdict):
        if original is not None and not _same(human.text, original.text):
            texts = {"chosen": human, "rejected": _text(original)}
            yield Picked(sample, texts, source, facts={"margin": 1.0, "ties": 0})


def kto(sample: Sample, verdict: SampleVerdict, examples: Examples) -> Iterator[Picked]:
    """At most one row for a completion: thumbs win over pairs, and tied thumbs say nothing."""
    said = {one.completion_id: one for one in verdict.completions}
    for completion in sample.completions:
        about = said.get(completion.completion_id)
        if about is not None and (about.up or about.down):
            if about.good is not None:
                yield _single(sample, completion, about, ())
            continue
        pairs = _pairs_of(verdict, completion)
        won = {pair.chosen_id == completion.completion_id for pair in pairs}
        if len(won) == 1:
            label = won.pop()
            yield Picked(
                sample,
                {"completion": _text(completion)},
                "pair",
                min(pair.votes for pair in pairs),
                min(pair.agreement for pair in pairs),
                {"label": label, "up": 0, "down": 0},
            )


def spin(sample: Sample, verdict: SampleVerdict, examples: Examples) -> Iterator[Picked]:
    """What was written in place of one completion is set against that one, else against each."""
    for source, human, original in _human(sample, verdict, examples):
        for completion in sample.completions if original is None else (original,):
            if not _same(human.text, completion.text):
                yield Picked(sample, {"real": human, "generated": _text(completion)}, source)


def exam(sample: Sample, verdict: SampleVerdict, examples: Examples) -> Iterator[Picked]:
    """An option that reviewers picked instead trades places with the answer."""
    said = verdict.exam
    if sample.kind != "exam" or said is None or said.status not in ("approved", "corrected"):
        return
    item = _item(sample)
    if said.correction is not None:
        try:
            item = ExamItem.model_validate_json(said.correction)
        except ValidationError:
            return  # an item that nobody can answer is no row
    elif item is not None and said.option is not None and said.option != item.answer:
        if said.option not in item.distractors:
            return
        others = (item.answer, *(one for one in item.distractors if one != said.option))
        item = ExamItem(question=item.question, answer=said.option, distractors=others)
    if item is None or not _distinct(item):
        return
    corrected = item != _item(sample)
    facts = {**item.model_dump(), "corrected": corrected}
    yield Picked(sample, {}, "review", said.votes, said.agreement, facts)


PICKS: Final[Mapping[str, Pick]] = {
    "sft": sft,
    "preference": preference,
    "kto": kto,
    "reward": preference,
    "spin": spin,
    "exam": exam,
}


def _judged(
    sample: Sample, verdict: SampleVerdict
) -> Iterator[tuple[Completion, CompletionVerdict]]:
    said = {one.completion_id: one for one in verdict.completions}
    for completion in sample.completions:
        if completion.completion_id in said:
            yield completion, said[completion.completion_id]


def _single(
    sample: Sample,
    completion: Completion,
    said: CompletionVerdict,
    pairs: tuple[PairVerdict, ...],
) -> Picked:
    votes, agreement = said.up + said.down, said.agreement
    if said.source == "pair":
        won = [pair for pair in pairs if pair.chosen_id == completion.completion_id]
        clearest = max(won, key=lambda pair: (pair.margin, pair.votes), default=None)
        votes = clearest.votes if clearest else 0
        agreement = clearest.agreement if clearest else None
    facts = {"label": said.good, "up": said.up, "down": said.down}
    texts = {"completion": _text(completion)}
    return Picked(sample, texts, said.source or "thumbs", votes, agreement, facts)


def _pairs_of(verdict: SampleVerdict, completion: Completion) -> tuple[PairVerdict, ...]:
    mine = completion.completion_id
    return tuple(pair for pair in verdict.pairs if mine in (pair.chosen_id, pair.rejected_id))


def _written(
    sample: Sample, verdict: SampleVerdict
) -> Iterator[tuple[Source, Text, Completion | None]]:
    """What people wrote, with the completion in whose place they did."""
    known = {completion.completion_id: completion for completion in sample.completions}
    for edit in verdict.edits:
        original = known.get(edit.completion_id or "")
        source: Source = "demonstration" if original is None else "edit"
        yield source, Text(edit.text, completion_id=edit.completion_id), original


def _human(
    sample: Sample, verdict: SampleVerdict, examples: Examples
) -> Iterator[tuple[Source, Text, Completion | None]]:
    yield from _written(sample, verdict)
    answer = examples.get(normalized(sample.instruction))
    if answer is not None:
        yield "example", Text(answer), None


def _item(sample: Sample) -> ExamItem | None:
    if sample.question is None or sample.answer is None or sample.distractors is None:
        return None
    return ExamItem(question=sample.question, answer=sample.answer, distractors=sample.distractors)


def _distinct(item: ExamItem) -> bool:
    """Whether there are options and no two the same, which would leave none right."""
    options = [normalized(one) for one in (item.answer, *item.distractors)]
    return bool(item.distractors) and all(options) and len(set(options)) == len(options)


def _text(completion: Completion) -> Text:
    return Text(
        completion.text, completion.model, completion.completion_id, completion.judge_rating
    )


def _same(one: str, other: str) -> bool:
    return one.strip() == other.strip()


def _new(text: str, seen: set[str]) -> bool:
    if text.strip() in seen:
        return False
    seen.add(text.strip())
    return True
