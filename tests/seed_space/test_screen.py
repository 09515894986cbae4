"""Reading a screen as a seed, and what two versions have to do with each other."""

from __future__ import annotations

import json
from typing import Any

import pytest

from pipeline.core.checks import Level
from pipeline.core.errors import InvalidInput
from pipeline.core.schema import Example, Seed
from seed_space.changes import choices, compare, merge
from seed_space.screen import FIELDS, read, show
from tests.factories import a_seed


def screen(**changes: object) -> list[Any]:
    """The screen of a small seed, some of its fields changed."""
    values = dict(zip(FIELDS, show(a_seed()), strict=True))
    return list({**values, **changes}.values())


def test_a_seed_shown_and_read_is_the_same() -> None:
    seed = Seed.model_validate(
        {
            **a_seed().model_dump(),
            "domain": "  spaces and\ttabs ",
            "description": "Zeile\r\nzwei",
            "topics": [" Clay ", "日本 {{x}} `${y}`"],
            "their_own": {"weight": 1.0, "id": 12345678901234567890},
            "examples": [
                {"question": "Q\n", "answer": " A", "score": 1.0, "by": ["ana"], "topic": "gone"}
            ],
        }
    )
    values = json.loads(json.dumps(show(seed)))
    assert read(values, seed).seed == seed
    assert read(values, seed).require("en").to_json() == seed.to_json()


def test_empty_rows_and_examples_are_left_out_and_told() -> None:
    empty = {"question": " ", "answer": "", "topic": "", "perspective": "", "extra": "{}"}
    examples = [*show(a_seed())[6], empty]
    reading = read(screen(topics=["Clay", "  ", ""], examples=examples), Seed())
    assert reading.require("en").topics == ["Clay"]
    assert len(reading.require("en").examples) == 1
    told = [problem.message for problem in reading.problems]
    assert "2 rows are empty and are left out when you save." in told
    assert "Example 2 is empty and is left out when you save." in told


def test_a_half_written_example_is_kept() -> None:
    half = {"question": "Why?", "answer": "", "topic": "", "perspective": "", "extra": "{}"}
    assert read(screen(examples=[half]), Seed()).require("en").examples[0].question == "Why?"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"domain_expert_prompt": "x" * 10_000_000}, "The expert has 10,000,000 characters"),
        ({"domain": "x" * 201}, "at most 200 can be kept"),
        ({"topics": [f"t{i}" for i in range(501)]}, "Topics: there are 501; at most 500"),
        ({"topics": ["Clay", "clay  "]}, "Topics 1 and 2 are the same"),
        ({"topics": ["x" * 10_000_000]}, "at most 300 can be kept"),
        ({"language": "Klingon"}, "“Klingon” is not a language code"),
        ({"language": ""}, "is not a language code"),
        ({"domain": 7}, "valid string"),
        ({"topics": [7]}, "valid string"),
        ({"topics": {"a": 1}}, "valid string"),
        ({"examples": ["text"]}, "examples.0"),
        ({"description": "broken \ud800"}, "broken character"),
        (
            {"examples": [{"question": "x" * 4_001, "answer": "b", "extra": "{}"}]},
            "The question of example 1 has 4,001 characters",
        ),
    ],
)
def test_what_does_not_fit_is_told_in_one_message(changes: dict[str, Any], message: str) -> None:
    reading = read(screen(**changes), Seed())
    told = [problem.message for problem in reading.problems if problem.level > Level.ADVICE]
    assert message in " ".join(told)
    assert len(told) == 1
    assert len(told[0]) < 400
    if reading.seed is None:
        with pytest.raises(InvalidInput, match="Everything you typed is still here"):
            reading.require("en")


def test_a_very_long_row_is_named() -> None:
    told = [problem.message for problem in read(screen(topics=["a", "x" * 200]), Seed()).problems]
    assert "Row 2 has 200 characters. A short name is enough here; put the rest elsewhere." in told


@pytest.mark.parametrize(
    ("typed", "code"), [("Spanish", "es"), (" pt-BR ", "pt-BR"), ("ca", "ca"), ("GERMAN", "de")]
)
def test_a_language_is_known_by_name_or_code(typed: str, code: str) -> None:
    assert read(screen(language=typed), Seed()).require("en").language == code


def test_hostile_text_is_kept_as_it_is() -> None:
    hostile = "<script>alert(1)</script><img onerror=alert(1)>"
    assert read(screen(topics=[hostile], domain=hostile), Seed()).require("en").topics == [hostile]


def test_changes_are_told_in_words() -> None:
    old, new = a_seed(), a_seed()
    new.domain = "Gardening"
    new.topics = ["Cover crops", "Clay soils", "Water"]
    new.domain_expert_prompt = "You are a gardener. " * 20
    new.examples = [
        old.examples[0].model_copy(update={"answer": "Wait."}),
        Example(question="New?", answer="Yes."),
    ]
    told = {change.field: " ".join(change.words) for change in compare(old, new, "en")}
    assert told["domain"] == "“Farming” became “Gardening”."
    assert told["topics"] == "Added: “Water”. Put into another order."
    assert told["domain_expert_prompt"].startswith("Rewritten; it had 54 characters")
    assert told["examples"] == "Added: “New?”. Changed: “When is clay dry enough to plough?”."
    assert set(told) == {"domain", "topics", "domain_expert_prompt", "examples"}
    assert compare(old, a_seed(), "en") == []


def test_only_what_both_changed_is_left_to_choose() -> None:
    base, mine, theirs = a_seed(), a_seed(), a_seed()
    mine.domain, theirs.domain = "Mine", "Theirs"
    mine.topics = ["My topic"]
    theirs.description = "Their description."
    rows = {row["field"]: row["choice"] for row in choices(base, mine, theirs, "en")}
    assert rows == {"domain": "", "topics": "mine", "description": "theirs"}
    assert {row["choice"] for row in choices(None, mine, theirs, "en")} == {""}
    merged = merge(mine, theirs, {"domain": "theirs", "description": "theirs", "topics": "mine"})
    assert (merged.domain, merged.topics) == ("Theirs", ["My topic"])
    assert merged.description == "Their description."


def test_numbers_are_those_on_the_screen_where_blank_rows_count() -> None:
    blank = {"question": "", "answer": "", "topic": "", "perspective": "", "extra": "{}"}
    half = {**blank, "question": "Why?", "topic": "Bees"}
    values = screen(topics=["", "Clay", "", "clay"], examples=[blank, half])
    told = [problem.message for problem in read(values, Seed()).problems]
    assert "Topics 2 and 4 are the same: “clay”. Keep one of them." in told
    assert "Example 2 has no answer; it is not used." in told
    assert "Example 2 names the topic “Bees”, which is not in your list." in told


def test_texts_in_another_language_are_told_and_stop_nothing() -> None:
    german = {
        "question": "Wann ist der Boden trocken genug zum Pflügen?",
        "answer": "Wenn er beim Reiben krümelt und nicht mehr schmiert.",
        "topic": "",
        "perspective": "",
        "extra": "{}",
    }
    mine = screen(
        description="Praktische Entscheidungen auf kleinen Höfen im Allgäu.",
        rules=["Nennen Sie immer den Grund für jeden Rat, den Sie geben."],
        examples=[*show(a_seed())[6], german],
    )
    found = [p for p in read(mine, Seed()).problems if p.code.startswith("foreign")]
    assert [(p.field, p.level) for p in found] == [
        ("description", Level.ADVICE),
        ("rules", Level.ADVICE),
        ("examples", Level.ADVICE),
    ]
    assert found[2].message.startswith("Example 2 does not look like English")
    in_german = screen(language="de", description=mine[1], topics=["Boden", "Wasser"])
    told = {p.field for p in read(in_german, Seed()).problems if p.code.startswith("foreign")}
    assert told == {"domain_expert_prompt", "examples"}
