"""Passages: every character in one of them, each at its place, in any script."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.documents.passages import MOST, USUAL, passages

_WORDS = st.sampled_from(
    [
        "soil",
        "rye. ",
        "clover! ",
        "\n\n",
        "\n",
        "\n# Title\n\n",
        " ",
        "水。",
        "土壌を耕す",
        "x" * 700,
    ]
)


@given(st.lists(_WORDS, max_size=200).map("".join))
def test_passages_hold_all_of_a_text_in_order(text: str) -> None:
    found = passages(text)
    at = 0
    for span in found:
        assert not text[at : span.start].strip()
        part = text[span.start : span.end]
        assert part == part.strip()
        assert 0 < len(part) <= MOST
        at = span.end
    assert not text[at:].strip()
    assert passages(text) == found


def test_passages_end_where_paragraphs_or_sentences_do() -> None:
    paragraphs = [f"Paragraph {n}. " + "It says something about soils. " * 12 for n in range(12)]
    text = "\n\n".join(each.strip() for each in paragraphs)
    cut = [text[span.start : span.end] for span in passages(text)]
    assert len(cut) > 3
    assert all(part.startswith("Paragraph") and part.endswith(".") for part in cut)
    sentences = "It says something about soils. " * 300
    assert all(sentences[span.start : span.end].endswith("soils.") for span in passages(sentences))


def test_a_heading_begins_a_passage() -> None:
    text = "# One\n\n" + "Words of one. " * 50 + "\n\n# Two\n\n" + "Words of two. " * 80
    cut = [text[span.start : span.end] for span in passages(text)]
    assert cut[1].startswith("# Two")


def test_text_without_spaces_is_cut_at_its_sentences() -> None:
    text = "土壌が乾いてから耕すこと。" * 300
    cut = [text[span.start : span.end] for span in passages(text)]
    assert "".join(cut) == text
    assert all(part.endswith("。") for part in cut)
    assert max(map(len, cut)) <= MOST
    solid = "土" * 5_000
    assert {len(solid[s.start : s.end]) for s in passages(solid)[:-1]} == {USUAL}


def test_nothing_has_no_passages() -> None:
    assert passages("") == passages(" \n ") == []
