"""A person's paragraphs stay where they were, wherever in the text they were put."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.curation.owned import Paragraph, merge, paragraphs, split

FIRST = [*paragraphs("about", ["# Title", "What it is."]), *paragraphs("end", ["Limits."])]
LATER = [*paragraphs("about", ["# Title", "What it is now."]), *paragraphs("end", ["Limits."])]


def lines(text: str) -> list[str]:
    return [piece for piece in split(text) if not piece.startswith("<!--")]


@given(st.integers(0, 5), st.integers(1, 3))
def test_a_paragraph_anywhere_survives(place: int, times: int) -> None:
    made = merge("", FIRST)
    pieces = list(split(made))
    pieces.insert(place, "By asking farmers.")
    text = "\n\n".join(pieces)
    for _ in range(times):
        text = merge(text, LATER)
    found = lines(text)
    assert found.count("By asking farmers.") == 1
    assert [one for one in found if one != "By asking farmers."] == [p.text for p in LATER]
    assert merge(text, LATER) == text


def test_it_stays_behind_what_it_stood_behind() -> None:
    text = merge("", FIRST).replace("What it is.", "What it is.\n\nMine.")
    assert lines(merge(text, LATER)) == ["# Title", "What it is now.", "Mine.", "Limits."]
    shorter = paragraphs("about", ["# Title"])
    assert lines(merge(text, shorter)) == ["# Title", "Mine."]


def test_a_paragraph_of_ours_that_was_changed_is_theirs_from_then_on() -> None:
    text = merge("", FIRST).replace("What it is.", "What it really is.")
    for _ in range(3):
        text = merge(text, LATER)
    assert lines(text) == ["# Title", "What it really is.", "What it is now.", "Limits."]


def test_text_around_our_part_is_left_alone() -> None:
    around = f"Before.\n\n{merge('', FIRST).strip()}\n\nAfter.  \n"
    made = merge(around, LATER)
    assert made.startswith("Before.\n\n<!--")
    assert made.endswith("-->\n\nAfter.  \n")


def test_a_part_from_before_digests_is_ours() -> None:
    old = (
        "<!-- written by Seedbed: begin -->\n# Old\n\nOld text.\n<!-- written by Seedbed: end -->\n"
    )
    assert lines(merge(old, FIRST)) == [p.text for p in FIRST]


def test_an_empty_line_ends_no_code() -> None:
    code = "```python\nimport x\n\nx()\n```"
    assert list(split(f"One\n\n{code}\n\nTwo")) == ["One", code, "Two"]
    assert Paragraph("a.0", f"{code}\n").digest() == Paragraph("b.1", code).digest()
