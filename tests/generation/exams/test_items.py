"""Replies in, questions out."""

from __future__ import annotations

import json

import pytest

from pipeline.generation.exams.items import LETTERS, parse_item, parse_letter, parse_right
from tests.generation.exams.material import GOOD

TEXT = GOOD.to_json()


@pytest.mark.parametrize(
    "reply",
    [
        TEXT,
        f"<think>hm {{}}</think>\n{TEXT}",
        f"Sure!\n```json\n{TEXT}\n```\nGood luck.",
        f"Here: {TEXT} I hope it helps.",
        f"[{TEXT}]",
        TEXT.replace('"answer"', '"correct_answer"').replace('"distractors"', '"wrong_answers"'),
    ],
)
def test_a_question_is_found_however_it_is_wrapped(reply: str) -> None:
    assert parse_item(reply) == GOOD


def test_labels_of_options_are_taken_off_and_figures_stay() -> None:
    labelled = {
        "question": GOOD.question,
        "answer": "A) 1.5 tonnes",
        "distractors": ["B) 2 tonnes", "C) 3 tonnes", "D) 4 tonnes"],
    }
    assert parse_item(json.dumps(labelled)).options == (
        "1.5 tonnes", "2 tonnes", "3 tonnes", "4 tonnes",
    )  # fmt: skip
    figures = {"question": "How many?", "answer": 3, "distractors": [1, 2, 4.5]}
    assert parse_item(json.dumps(figures)).options == ("3", "1", "2", "4.5")


def test_texts_become_one_clean_line() -> None:
    dirty = {**json.loads(TEXT), "question": " How\nmuch\u202e rye\u0000? ", "answer": "120\t kg"}
    item = parse_item(json.dumps(dirty))
    assert (item.question, item.answer) == ("How much rye?", "120 kg")


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "I cannot do that.",
        "{",
        "[" * 5_000,
        '{"a":' * 3_000,
        "[]",
        "3",
        "null",
        '{"question": "Q"}',
        '{"question": "Q", "answer": "A"}',
        '{"question": "Q", "answer": "A", "distractors": "B"}',
        '{"question": "Q", "answer": "A", "distractors": ["B", {"C": 1}, null]}',
        '{"question": ["Q"], "answer": true, "distractors": ["B"]}',
        '{"question": " ", "answer": "A", "distractors": ["B", "C", "D"]}',
    ],
)
def test_a_reply_without_a_question_says_what_is_missing(reply: str) -> None:
    with pytest.raises(ValueError, match=r"it ha|it hold"):
        parse_item(reply)


def test_letters_are_read_if_there_is_one() -> None:
    assert parse_letter("B") == "B"
    assert parse_letter("<think>A or C</think> The answer is **C**.") == "C"
    assert parse_letter("A or B") is None
    assert parse_letter("Because") is None
    assert parse_letter("") is None


def test_what_is_right_is_a_list_of_letters() -> None:
    assert parse_right('{"right": ["A", "C"], "why": "x"}', LETTERS) == {"A", "C"}
    assert parse_right('ok {"right": []}', LETTERS) == frozenset()
    for reply in ("", "A", '{"right": "A"}', '{"right": ["E"]}', '{"right": [1]}'):
        with pytest.raises(ValueError, match="right"):
            parse_right(reply, LETTERS)
