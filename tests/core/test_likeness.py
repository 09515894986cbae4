"""Which short texts say the same."""

from __future__ import annotations

import random
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.checks import Level, check
from pipeline.core.likeness import Pair, alike, unlike
from pipeline.core.schema import Example
from tests.factories import a_seed


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Soil health", "soil-health"),
        ("Soil health", "Health of soils"),
        ("Cover crop", "Cover crops"),
        ("Covercrops", "Cover crops"),
        ("Pests and diseases", "Diseases and pests"),
        ("Fertilization", "Fertilisation"),
        ("Irrigation", "Irigation"),
        ("Experienced grower", "Expereinced grower"),
        ("Rotación de cultivos", "Rotacion de cultivo"),
        ("Canais de rega", "Canal de rega"),
        ("Leão", "Leões"),
        ("Les prairies", "Prairie"),
        ("Cheval", "Chevaux"),
        ("Böden", "Boden"),
        ("Kuh", "Kühe"),
        ("Felder", "Feld"),
        ("Bodengesundheit", "Boden-Gesundheit"),
        ("Pflanzenschutz", "Pflanzeschutz"),
        ("When is clay dry enough to plough?", "When is clay soil dry enough to plough?"),
    ],
)
def test_the_same_in_other_words_is_found(one: str, other: str) -> None:
    assert list(alike([one, "Something else", other])) == [Pair(0, 2)]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Clay soils", "Cover crops"),
        ("Type 1 diabetes", "Type 2 diabetes"),
        ("2 ha farm", "20 ha farm"),
        ("Sowing", "Mowing"),
        ("Grazing", "Grading"),
        ("Soil", "Oil"),
        ("Water quality", "Water quantity"),
        ("Hypertension", "Hypotension"),
        ("Poultry housing", "Poultry feeding"),
        ("Weide", "Weizen"),
        ("How do I prune apple trees?", "How do I prune pear trees?"),
        ("Never give doses from memory.", "Always give doses from memory."),
        ("Is rule 5 of the grain market law fair?", "Is rule 6 of the grain market law fair?"),
        ("", "  "),
        ("the same", "The  same"),  # is told as the same
    ],
)
def test_what_differs_in_earnest_is_left_alone(one: str, other: str) -> None:
    assert list(alike([one, other])) == []


def test_each_text_is_paired_with_the_first_it_is_like() -> None:
    assert list(alike(["Crop", "Crops", "The crop", "Weeds"])) == [Pair(0, 1), Pair(0, 2)]


@given(st.text(max_size=30), st.text(max_size=30))
def test_alike_is_the_same_both_ways(one: str, other: str) -> None:
    assert bool(list(alike([one, other]))) == bool(list(alike([other, one])))


def test_what_is_new_is_told_from_what_is_there_and_from_itself() -> None:
    there = ["Water quality", "Hail"]
    found = ["Water qualities", "hail", "Water quantity", "Frost", "Frosts", "Frost", "Drought"]
    assert unlike(found, there) == ["Water quantity", "Frost", "Drought"]
    assert unlike([], there) == []


@given(st.lists(st.text(max_size=40), max_size=12))
def test_any_texts_may_be_compared(texts: list[str]) -> None:
    for pair in alike(texts):
        assert 0 <= pair.first < pair.second < len(texts)


def test_five_hundred_topics_are_compared_between_two_keystrokes() -> None:
    words = [f"{start}{end}" for start in ("soil", "crop", "water", "seed") for end in "abcdefghij"]
    source = random.Random(5)
    topics = [" ".join(source.sample(words, 3)) for _ in range(500)]
    list(alike(topics))
    topics[250] += "x"
    start = time.perf_counter()
    list(alike(topics))
    assert time.perf_counter() - start < 0.1  # measured: 4 ms


def test_likeness_is_advice_with_both_texts() -> None:
    examples = [Example(question=q, answer="A.") for q in ("Prune when?", "When to prune?")]
    seed = a_seed().model_copy(
        update={
            "topics": ["Soil health", "Water", "Health of soils"],
            "rules": ["Never give a dose.", "Never give doses."],
            "examples": examples,
        }
    )
    told = {problem.code: problem for problem in check(seed)}
    assert told["topics_alike"].message == (
        "Topics 1 and 3 look alike: “Soil health” and “Health of soils”. If they mean the same, "
        "keep one of them."
    )
    assert {"rules_alike", "examples_alike"} <= set(told)
    assert all(problem.level is Level.ADVICE for problem in told.values())
