"""The stand-in: deterministic, varied, fit for any seed, and honest about what it is."""

from __future__ import annotations

import json

import pytest

from pipeline.core.schema import STAND_INS, Cell, Example, Seed, normalized
from pipeline.demo import farming
from pipeline.generation import prompting
from pipeline.generation.standin import compose
from tests.factories import a_seed

CAREFUL, HASTY = STAND_INS

SEEDS = {
    "demo": farming(),
    "small": a_seed(),
    "no examples": Seed(domain="Law", topics=["Rent"], perspectives=["Tenant"]),
    "odd": Seed(
        domain="{x}",
        topics=["{topic} \\1 {0}"],
        perspectives=["%s {{y}}"],
        domain_expert_prompt="Say {z}. Always mention {0} and \\g<1> in every answer.",
        examples=[Example(question="{q}?", answer="Use {n} of 10 {m} before it is too late, or.")],
    ),
    "chinese": Seed(
        domain="农业",
        language="zh",
        topics=["土壤"],
        perspectives=["新手"],
        examples=[Example(question="怎么办?", answer="先观察土壤的湿度。" * 5)],
    ),
    **{
        code: farming().model_copy(update={"language": code})
        for code in ("es", "pt-BR", "fr", "de", "sw")
    },
}


def _questions(seed: Seed, cell: Cell, count: int, avoid: list[str], number: int = 1) -> list[str]:
    messages = prompting.Prompts(seed).instructions(cell, count, avoid, number)
    found: list[str] = json.loads(compose(seed, CAREFUL, messages))
    return found


def _answer(seed: Seed, model: str, question: str, variation: int = 0) -> str:
    messages = prompting.Prompts(seed).answer(seed.cells()[0], question)
    return compose(seed, model, messages, variation)


@pytest.mark.parametrize("name", SEEDS)
def test_any_seed_gets_distinct_questions_and_answers(name: str) -> None:
    seed = SEEDS[name]
    cell = seed.cells()[0]
    asked: list[str] = []
    for number in range(1, 9):
        asked += _questions(seed, cell, 7, [], number)
    assert len({normalized(text) for text in asked}) == 56
    careful, hasty = (_answer(seed, model, asked[0]) for model in STAND_INS)
    assert careful.count("\n") > 3
    assert 0 < len(hasty) < len(careful)
    assert cell.topic in careful
    for text in (*asked, careful, hasty):
        assert "  " not in text
        assert text.strip() == text


def test_a_project_can_have_many_hundred_distinct_questions() -> None:
    seed = farming()
    found = {q for cell in seed.cells() for q in _questions(seed, cell, 50, [])}
    assert len(found) == 24 * 50


@pytest.mark.parametrize("name", SEEDS)
def test_the_same_request_gets_the_same_text(name: str) -> None:
    seed, again = SEEDS[name], SEEDS[name].model_copy(deep=True)
    for model in STAND_INS:
        assert _answer(seed, model, "Why?") == _answer(again, model, "Why?")
    assert _questions(seed, seed.cells()[0], 3, []) == _questions(again, seed.cells()[0], 3, [])


@pytest.mark.parametrize("model", STAND_INS)
@pytest.mark.parametrize("name", SEEDS)
def test_asked_again_it_says_it_differently(name: str, model: str) -> None:
    texts = {_answer(SEEDS[name], model, "Why?", variation) for variation in range(3)}
    assert len(texts) == 3


def test_careful_uses_the_experts_words_about_the_topic() -> None:
    seed = farming()
    answer = _answer(seed, CAREFUL, "How do I see with a spade that the soil is compacted?")
    known = " ".join(e.answer for e in seed.examples if e.topic == seed.topics[0])
    steps = [line[3:] for line in answer.splitlines() if line[:1].isdigit()]
    assert len(steps) >= 3
    assert all(step in known for step in steps)
    assert "**Take care:**" in answer


def test_hasty_contradicts_the_expert() -> None:
    seed = farming()
    known = " ".join(e.answer for e in seed.examples)
    questions = [q for cell in seed.cells()[:1] for q in _questions(seed, cell, 20, [])]
    for question in questions:
        claim = _answer(seed, HASTY, question)
        assert not any(part in known for part in claim.split(". ") if len(part) > 60)


def test_the_names_say_that_it_is_no_model() -> None:
    assert all("stand-in" in name for name in STAND_INS)
