"""The offline stand-in: composes text from the seed where a model would write it.

It is no language model, and the name on each of its rows says so. It answers the same messages as
a model does, the same request always with the same text, and works for any seed. ``careful`` gives
ordered steps and a caution; ``hasty`` is short and contains one mistake that a person can find, so
that choosing between the two makes sense.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Sequence
from functools import cache, cached_property
from typing import Any, Final

from pipeline.core.schema import STAND_INS, Cell, Seed, normalized, stable_id
from pipeline.generation import prompting
from pipeline.generation.bases import AsyncLLM

HASTY: Final = STAND_INS[1]

_FIELD = r"^{}: (.*)$"
_WANTED = re.compile(r"^Write exactly (\d+) new ", re.MULTILINE)
_NUMBER_OF_CALL = re.compile(r"^Request (\d+) of a series", re.MULTILINE)
_AVOID = re.compile(r"^- (.+)$", re.MULTILINE)
# Bounded, so that a long text without a full stop is not searched again from each character.
_SENTENCE = re.compile(
    r"[^.!?。！？]{1,400}(?:[.](?=\d)[^.!?。！？]{1,400})*[.!?。！？]+[”\"»)]*"  # noqa: RUF001
)
_NUMBER = re.compile(r"(?<![\w.,])\d+(?:[.,]\d+)?(?!\w)")
_FIGURES = re.compile(rf"{_NUMBER.pattern}(?: (?:to|a|à|bis|or|and) {_NUMBER.pattern})?")
_LEANING = re.compile(r"(?:It|They|This|That|These|Those|Yes|No|Not|Below that)\b")
_WORD = re.compile(r"\w{4,}")
_SHORTEST, _LONGEST = 25, 320
"""Characters of a sentence that can stand alone as a step."""


class StandIn(AsyncLLM):
    """Answers as the stand-in named ``model``, from ``seed``."""

    model: str
    seed: Seed

    @property
    def model_name(self) -> str:
        """The name on its rows."""
        return self.model

    async def agenerate(
        self,
        input: prompting.Messages,
        num_generations: int = 1,
        temperature: float | None = None,
        top_p: float | None = None,
        max_tokens: int | None = None,
        seed: int | None = None,
        stage: str = "call",
    ) -> dict[str, Any]:
        """Compose ``num_generations`` texts; of the parameters only ``seed`` changes them.

        Nothing is counted as tokens, because there are none.

        Args:
            input: The messages.
            num_generations: How many texts.
            temperature: Not used.
            top_p: Not used.
            max_tokens: Not used.
            seed: Another number gives another text.
            stage: Not used.
        """
        texts = [self.compose(input, (seed or 0) + turn) for turn in range(num_generations)]
        unknown = [None] * num_generations
        return {
            "generations": texts,
            "statistics": {"input_tokens": unknown, "output_tokens": unknown},
            "finish_reason": ["stop"] * num_generations,
        }

    def compose(self, messages: prompting.Messages, variation: int) -> str:
        """The whole reply to a request; another ``variation`` gives another text."""
        return compose(self.seed, self.model, messages, variation)

    async def aclose(self) -> None:
        """Nothing to close."""


def compose(seed: Seed, model: str, messages: prompting.Messages, variation: int = 0) -> str:
    """The stand-in's whole answer to ``messages``."""
    passage, request = prompting.question_of(messages[-1]["content"])
    prompts = "\n".join(m["content"] for m in messages if m["role"] == "system")
    wanted = _WANTED.search(request)
    where = request if wanted else prompts
    author = _Author(
        seed,
        Cell(topic=_field("Topic", where), perspective=_field("Perspective", where)),
        sentences(without_layout(passage)),
    )
    if wanted:
        avoid, call = _AVOID.findall(request), _NUMBER_OF_CALL.search(request)
        number = int(call[1]) if call else 1
        return json.dumps(author.questions(int(wanted[1]), avoid, number), ensure_ascii=False)
    if model == HASTY:
        return author.hasty(request, variation)
    return author.careful(request, variation)


class _Author:
    """Writes about one cell of one seed, from the sentences of a passage where there is one."""

    def __init__(self, seed: Seed, cell: Cell, passage: Sequence[str] = ()) -> None:
        self._seed = seed
        self._cell = cell
        self._passage = passage
        phrases = _phrases()
        self._say = phrases.get(seed.language.split("-")[0].lower(), phrases["en"])
        perspective = self._in_sentence(cell.perspective)
        article = "an" if perspective[:1].lower() in "aeiou" else "a"
        view = self._say["view"].format(article=article, perspective=perspective)
        self._words = {"topic": self._in_sentence(cell.topic), "view": view}

    def questions(self, count: int, avoid: Sequence[str], number: int) -> list[str]:
        """The questions of the ``number``-th call, without those that exist already."""
        taken = {normalized(text) for text in avoid}
        start = (number - 1) * count
        ordered = self._all_questions
        turned = [ordered[(start + index) % len(ordered)] for index in range(len(ordered))]
        asked = [*self._claims(self._passage), *turned]
        return [text for text in asked if normalized(text) not in taken][:count]

    def careful(self, instruction: str, variation: int) -> str:
        """An ordered answer with a caution; each variation below twelve differs."""
        say = self._say
        key = int(stable_id(self._words, normalized(instruction)), 16) + variation
        intro = self._fill(say["intros"][key % len(say["intros"])], self._cell.topic)
        length = 3 + (key // len(say["intros"])) % 3
        known = self._relevant_sentences(instruction)
        warnings = [s for s in known if any(w in s.casefold() for w in say["warning_words"])]
        caution = warnings[key % len(warnings)] if warnings else None
        steps = [s for s in known if s != caution][:length]
        general = [self._fill(step) for step in say["steps"]]
        start = key % len(general)
        steps += (general[start:] + general[:start])[: length - len(steps)]
        caution = caution or self._fill(say["cautions"][key % len(say["cautions"])])
        numbered = "\n".join(f"{number}. {step}" for number, step in enumerate(steps, start=1))
        parts = [intro, numbered, f"**{say['caution_label']}** {caution}"]
        if brief := self._brief(key):
            parts.append(say["brief"].format(brief=brief))
        return "\n\n".join(parts)

    def hasty(self, instruction: str, variation: int) -> str:
        """A short answer built on one claim that is wrong."""
        say = self._say
        key = int(stable_id(self._words, normalized(instruction), "hasty"), 16) + variation
        wrong = [
            claim for s in self._relevant_sentences(instruction) if (claim := _spoiled(s, say, key))
        ]
        claim = wrong[key % min(len(wrong), 3)] if wrong else None
        claim = claim or self._fill(say["wrong"][key % len(say["wrong"])])
        opening: str = say["hasty"][key % len(say["hasty"])]
        return opening.format(**self._words, claim=claim)

    @cached_property
    def _all_questions(self) -> list[str]:
        """Every question the stand-in knows for the cell, in an order that looks like none."""
        say = self._say
        found = [
            _tidy(frame.format(**self._words, situation=situation))
            for frame in say["frames"]
            for situation in say["situations"]
        ]
        cell = normalized(self._cell.topic)
        for example in prompting.usable_examples(self._seed):
            if normalized(example.topic) in ("", cell):
                found += self._claims(sentences(example.answer))
        words = sorted(self._words.items())
        return sorted(dict.fromkeys(found), key=lambda text: stable_id(words, text))

    def _claims(self, claims: Sequence[str]) -> list[str]:
        """Questions whether something holds, for each way of asking that."""
        frames = self._say["claims"]
        return [_tidy(f.format(**self._words, claim=claim)) for claim in claims for f in frames]

    def _relevant_sentences(self, instruction: str) -> list[str]:
        """Sentences of the passage, then of the cell's closest examples.

        Of each, those come first that share words with the instruction.

        Examples that are tied to another topic are left out: better general than beside the point.
        """
        cell = normalized(self._cell.topic)
        asked = set(_WORD.findall(instruction.casefold()))
        examples = prompting.usable_examples(self._seed)
        found = [
            sentence
            for example in prompting.relevant_examples(examples, self._cell, 3)
            if normalized(example.topic) in ("", cell)
            for sentence in sentences(example.answer)
        ]

        def rank(sentence: str) -> tuple[int, str]:
            shared = len(asked & set(_WORD.findall(sentence.casefold())))
            return -shared, stable_id(instruction, sentence)

        best = [*sorted(self._passage, key=rank), *sorted(found, key=rank)]
        return list(dict.fromkeys(best))

    def _brief(self, key: int) -> str | None:
        """A rule that the expert's description sets, not the description itself."""
        prompt = self._seed.domain_expert_prompt
        rules = [s for s in sentences(prompt) if not s.startswith(("You ", "You'", "As "))]
        return rules[key % len(rules)] if rules else None

    def _fill(self, phrase: str, topic: str | None = None) -> str:
        return _tidy(phrase.format(**{**self._words, "topic": topic or self._words["topic"]}))

    def _in_sentence(self, text: str) -> str:
        """The text as it stands inside a sentence: small first letter, unless it is a name.

        A word that the expert never writes small counts as a name.
        """
        text = " ".join(text.split())
        first = text.split(" ")[0] if text else ""
        own = f"{self._seed.description} {self._seed.domain_expert_prompt} " + " ".join(
            f"{e.question} {e.answer}" for e in self._seed.examples
        )
        small = first[:1].lower() + first[1:]
        english = self._say is _phrases()["en"]
        ordinary = re.search(rf"\b{re.escape(small[:5])}", own) or small in _ORDINARY
        return small + text[len(first) :] if english and small.islower() and ordinary else text


_ORDINARY: Final = ("beginner", "expert", "experienced", "environmental", "economic", "practical")


@cache
def _phrases() -> dict[str, dict[str, Any]]:
    phrases: dict[str, dict[str, Any]] = json.loads(
        prompting.prompt_text(prompting.STAND_IN_PHRASES)
    )
    return phrases


def _field(name: str, text: str) -> str:
    found: list[str] = re.findall(_FIELD.format(name), text, re.MULTILINE)
    return found[-1].strip() if found else ""


def sentences(text: str) -> list[str]:
    """Sentences that can stand alone; those that lean on the one before are left out."""
    whole = (" ".join(match.split()) for match in _SENTENCE.findall(text))
    return [
        s
        for s in whole
        if _SHORTEST <= len(s) <= _LONGEST and not s.endswith("?") and not _LEANING.match(s)
    ]


def without_layout(text: str) -> str:
    """The text without headings and rows of tables, which are no sentences."""
    lines = (line.lstrip("-0123456789. ") for line in text.split("\n"))
    return "\n".join(line for line in lines if not line.startswith("#") and " | " not in line)


def _spoiled(sentence: str, say: dict[str, Any], key: int) -> str | None:
    """The sentence with one recognisable mistake; None if it offers no place for one."""
    swapped = next(_swaps(sentence, say["opposites"]), None)
    figures = _FIGURES.sub(_tripled, sentence, count=1)
    wrong = figures if figures != sentence else None
    return (swapped or wrong) if key % 2 else (wrong or swapped)


def _tripled(figures: re.Match[str]) -> str:
    return _NUMBER.sub(lambda match: f"{float(match[0].replace(',', '.')) * 3:g}", figures[0])


def _swaps(sentence: str, opposites: Sequence[Sequence[str]]) -> Iterator[str]:
    for pair in opposites:
        for word, other in (pair, reversed(pair)):
            if match := re.search(rf"\b{word}\b", sentence, re.IGNORECASE):
                new = other.capitalize() if match[0][0].isupper() else other
                yield sentence[: match.start()] + new + sentence[match.end() :]


def _tidy(text: str) -> str:
    """Closes the gaps that an empty situation leaves."""
    return re.sub(r" +([,.?:])", r"\1", " ".join(text.split(" "))).replace("  ", " ").strip()
