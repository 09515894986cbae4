"""What counts as an instruction in a model's reply."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.generation.parsing import MAX_INSTRUCTION, parse_instructions, without_thinking

TWO = ["How wet is too wet?", "When do I sow rye?"]


@pytest.mark.parametrize(
    "reply",
    [
        json.dumps(TWO),
        json.dumps(TWO, indent=2),
        f"```json\n{json.dumps(TWO)}\n```",
        f"Here are 2 questions:\n\n```json\n{json.dumps(TWO)}\n```\nGood luck!",
        f"Sure! {json.dumps(TWO)} Let me know if you need more.",
        json.dumps({"questions": TWO}),
        json.dumps([{"question": text, "type": "how-to"} for text in TWO]),
        json.dumps([f"{n}. {text}" for n, text in enumerate(TWO, 1)]),
        json.dumps(["Here are 2 questions:", *TWO]),
        json.dumps([*TWO, "", "  ", TWO[0].upper()]),
        f"<think>They want 2. [1] maybe?\n</think>\n{json.dumps(TWO)}",
        f"They want two.</think>{json.dumps(TWO)}",
        '["How wet is too wet?", "When do I sow rye?", "What abou',
        "1. How wet is too wet?\n2. When do I sow rye?",
        "1) How wet is too wet?\n2) When do I sow rye?",
        "(1) How wet is too wet?\n(2) When do I sow rye?",
        "Here are 2 questions:\n\n1. How wet is too wet?\n\n2. When do I sow rye?\n\nEnjoy!",
        "**1.** How wet is too wet?\n**2.** When do I sow rye?",
        '1. "How wet is too wet?"\n2. “When do I sow rye?”',
        "1. **How wet is too wet?**\n2. **When do I sow rye?**",
        "Question 1: How wet is too wet?\nQuestion 2: When do I sow rye?",
        "- How wet is too wet?\n- When do I sow rye?",
        "* How wet is too wet?\n\n* When do I sow rye?",
        "Of course.\n• How wet is too wet?\n• When do I sow rye?\n\nThese cover both.",
        "How wet is too wet?\n\nWhen do I sow rye?",
        "Aquí tienes 2 preguntas:\nHow wet is too wet?\nWhen do I sow rye?",
    ],
)
def test_the_same_two_instructions_however_they_are_written(reply: str) -> None:
    assert parse_instructions(reply) == TWO


@pytest.mark.parametrize(
    "reply",
    [
        "",
        "   \n\n",
        "[]",
        "{}",
        "null",
        "42",
        "I'm sorry, but I cannot help with that request.",
        "Here are 5 questions:",
        '["Here are 5 questions:"]',
        "1.\n2.\n3.",
        "<think>I should write 1. How wet is too wet?",
        '["' + "a" * (MAX_INSTRUCTION + 1) + '"]',
        "[" * 100_000,
    ],
)
def test_nothing_is_made_of_a_reply_without_instructions(reply: str) -> None:
    assert parse_instructions(reply) == []


def test_an_item_may_run_over_lines() -> None:
    reply = "1. My field is wet.\n   What now?\n2. When do I sow rye?"
    assert parse_instructions(reply) == ["My field is wet.\nWhat now?", "When do I sow rye?"]


def test_numbers_and_markup_inside_an_instruction_stay() -> None:
    items = [
        "Is 2.5 t/ha of lime enough? Options: 1. yes 2. no",
        "<script>alert('1. x')</script> {{ 7 * 7 }} [a](javascript:b)?",
        'Why does he call it "poached" ground?',
    ]
    assert parse_instructions(json.dumps(items)) == items
    assert parse_instructions("\n".join(f"{n}. {t}" for n, t in enumerate(items, 1))) == items


def test_imperatives_in_a_list_are_instructions() -> None:
    assert parse_instructions("- Explain liming.\n- Plan a rotation.") == [
        "Explain liming.",
        "Plan a rotation.",
    ]


@given(st.text(max_size=300))
def test_no_text_breaks_the_parser(text: str) -> None:
    for item in parse_instructions(text):
        assert item.strip() == item
        assert any(map(str.isalpha, item))


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("plain", "plain"),
        ("<think>a\nb</think>\n\nanswer", "answer"),
        ("<thinking>a</thinking>answer", "answer"),
        ("a</think>answer", "answer"),
        ("<think>cut off", ""),
        ("The tag <think> ends with </think>.", "The tag <think> ends with </think>."),
        ("Answer first, then <think>.", "Answer first, then <think>."),
    ],
)
def test_thinking_is_not_part_of_the_answer(text: str, left: str) -> None:
    assert without_thinking(text) == left
