"""What is marked on a sample by looking at its own texts.

Each mark is meant to be nearly always right, since people may let marked texts be thrown away: a
rule that is not sure stays silent. The marks and their reasons are in ``pipeline.core.flags``.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import Final

from pipeline.core.flags import Flag, FlagName
from pipeline.core.schema import Completion, QualitySettings, Sample, Seed
from pipeline.core.words import words
from pipeline.generation.language import in_language
from pipeline.generation.quality.phrases import Overused, holds, phrases, plain, starts_sentence
from pipeline.generation.quality.references import Known, unsupported
from pipeline.generation.quality.truncation import breaks_off

_REFUSAL_WITHIN: Final = 250
"""Characters in which an answer that refuses has begun to."""

_LONGEST_REFUSAL: Final = 1_200
"""Characters; an answer that goes on for longer has been given after all."""

_OVERUSED: Final = 3
"""Points from which phrases are overused: a phrase is two, a word is one, each counted once."""

_WORDS_A_POINT: Final = 400
"""Words of a text for each point more that it takes: long texts may hold a few."""

_CUT: Final = frozenset({"length", "max_tokens", "model_length"})
"""Why models stop when they run out of tokens."""

_FEWEST_REPEATED: Final = 5
_MOST_REPEATED: Final = 60
"""Words a question has to be looked for at the start of its answer."""

_REPEATED: Final = 0.8
_LEAD: Final = 8
"""Words that may stand before a repeated question, as in "You asked: "."""

_SENTENCE = re.compile(r"[^.!?。！？؟\n]{1,600}[.!?。！？؟]?")  # noqa: RUF001


class Rules:
    """The rules for one project. Comparing with other samples is not among them.

    Args:
        seed: The language that texts should be in, and what they may refer to.
        settings: Lengths, and phrases to mark besides the usual ones.
    """

    def __init__(self, seed: Seed, settings: QualitySettings) -> None:
        self._settings = settings
        self._language = seed.language
        examples = (text for each in seed.examples for text in (each.question, each.answer))
        self._known = Known.of(
            seed.domain,
            seed.description,
            seed.domain_expert_prompt,
            *seed.topics,
            *seed.perspectives,
            *examples,
        )
        listed = phrases().overused.get(seed.language.partition("-")[0].lower(), Overused((), ()))
        self._overused = listed.without_subject(self._known.holds_words)
        self._own = tuple(filter(None, map(plain, settings.overused_phrases)))

    def flags_of(self, sample: Sample, source: str = "") -> tuple[Flag, ...]:
        """The marks of one sample: those of the instruction, then of each completion.

        ``source`` is the document it was made from, which it may refer to as well.
        """
        given = self._known.with_texts(
            sample.system or "", sample.topic, sample.perspective, source
        )
        asked = given.with_texts(sample.instruction)
        found = [Flag(name) for name in self._of_instruction(sample.instruction, given)]
        for completion in sample.completions:
            names = self._of_completion(completion, sample.instruction, asked)
            found += [Flag(name, completion.completion_id) for name in names]
        return tuple(found)

    def _of_instruction(self, instruction: str, given: Known) -> Iterator[FlagName]:
        if self._is_overused(instruction, given):
            yield "overused_phrase"
        if unsupported(instruction, given):
            yield "unsupported_reference"
        if in_language(instruction, self._language) is False:
            yield "wrong_language"

    def _of_completion(
        self, completion: Completion, instruction: str, asked: Known
    ) -> Iterator[FlagName]:
        text = completion.text
        checks: dict[FlagName, Callable[[], bool]] = {
            "refusal": lambda: refuses(text),
            "overused_phrase": lambda: self._is_overused(text, asked),
            "unsupported_reference": lambda: unsupported(text, asked),
            "truncated": lambda: (
                completion.finish_reason in _CUT or breaks_off(text, self._language)
            ),
            "wrong_language": lambda: in_language(text, self._language) is False,
            "too_short": lambda: len(text.strip()) < self._settings.shortest_answer,
            "too_long": lambda: len(text.strip()) > self._settings.longest_answer,
            "repeats_question": lambda: repeats(instruction, text),
        }
        return (name for name, holds_true in checks.items() if holds_true())

    def _is_overused(self, text: str, given: Known) -> bool:
        """Whether a phrase of the settings occurs, or too many of the usual ones.

        A usual one that the model was given is the subject's own.
        """
        text = plain(text)
        if any(holds(phrase, text) for phrase in self._own):
            return True
        needed = _OVERUSED + text.count(" ") // _WORDS_A_POINT
        points = 0
        for worth, listed in ((2, self._overused.phrases), (1, self._overused.words)):
            for phrase in listed:
                if holds(phrase, text) and not given.holds_words(phrase):
                    points += worth
        return points >= needed


def refuses(text: str) -> bool:
    """Whether an answer refuses, or its writer speaks of itself as an AI."""
    folded = plain(text)
    if any(holds(phrase, folded) for phrase in phrases().self_talk):
        return True
    if len(folded) > _LONGEST_REFUSAL:
        return False
    start = folded[:_REFUSAL_WITHIN]
    return any(starts_sentence(phrase, start) for phrase in phrases().refusals)


def repeats(instruction: str, answer: str) -> bool:
    """Whether an answer begins with a question of its instruction, nearly word for word.

    An instruction without a question mark is looked for as a whole. Answers that take up the words
    of a question in another order, as good ones do, share few pairs of them.
    """
    instruction = instruction[:4_000]
    sentences = [match[0] for match in _SENTENCE.finditer(instruction)]
    questions = [sentence for sentence in sentences if sentence.endswith(("?", "？", "؟"))]  # noqa: RUF001
    start = words(answer[:1_500])
    return any(_starts_with(words(question), start) for question in questions or [instruction])


def _starts_with(question: list[str], start: list[str]) -> bool:
    if not _FEWEST_REPEATED <= len(question) <= _MOST_REPEATED:
        return False
    window = start[: len(question) + _LEAD]
    pairs = set(pairwise(question))
    shared = pairs.intersection(pairwise(window))
    return len(shared) >= _REPEATED * len(pairs)
