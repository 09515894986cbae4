from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.words import shingles, words


def test_case_width_and_punctuation_do_not_count() -> None:
    assert (
        words("When is CLAY dry?")
        == words("when, is clay — “dry”")
        == ["when", "is", "clay", "dry"]
    )


def test_accents_and_vowel_signs_stay_in_their_word() -> None:
    assert words("हिन्दी में") == ["हिन्दी", "में"]
    assert words("cafe\u0301") == words("café") == ["café"]


def test_scripts_without_spaces_give_characters() -> None:
    assert words("土壌はpH 6") == ["土", "壌", "は", "ph", "6"]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("", []),
        ("?!", []),
        ("Clay", ["clay"]),
        ("clay clay clay clay", ["clay clay"]),
        ("is clay dry", ["is clay", "clay dry"]),
        ("粘土は", ["粘 土", "土 は"]),
        ("ดินเห", ["ด ิ น เ", "ิ น เ ห"]),
    ],
)
def test_shingles_are_pairs_of_words_or_about_a_word_of_thai(text: str, found: list[str]) -> None:
    assert shingles(text) == found


@given(st.text())
def test_shingles_are_distinct_and_there_are_some_for_any_word(text: str) -> None:
    found = shingles(text)
    assert len(set(found)) == len(found)
    assert bool(found) == bool(words(text))
