from __future__ import annotations

import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.generation.language import in_language
from tests.generation.quality.corpus import TEXTS, UNDECIDABLE

EVERY = [(language, text) for language, texts in TEXTS.items() for text in texts]


@pytest.mark.parametrize(("language", "text"), EVERY)
def test_a_text_is_never_foreign_to_its_own_language(language: str, text: str) -> None:
    assert in_language(text, language) is not False


def test_nearly_all_texts_are_recognised() -> None:
    unsure = [text for language, text in EVERY if in_language(text, language) is None]
    assert len(unsure) <= 2, unsure


def test_nearly_all_foreign_texts_are_found() -> None:
    pairs = [(text, other) for own, text in EVERY for other in TEXTS if other != own]
    found = sum(in_language(text, other) is False for text, other in pairs)
    assert found / len(pairs) > 0.98


@pytest.mark.parametrize("text", UNDECIDABLE)
@pytest.mark.parametrize("language", ["en", "es", "de", "ja", "ru", "ar", "zh", "th"])
def test_what_is_hardly_prose_is_not_judged(text: str, language: str) -> None:
    assert in_language(text, language) is None


@pytest.mark.parametrize("language", ["en", "es", "pt", "fr", "de", "it", "nl"])
def test_excerpts_of_six_words_raise_no_false_alarm(language: str) -> None:
    for text in TEXTS[language]:
        words = text.split()
        for start in range(max(1, len(words) - 5)):
            excerpt = " ".join(words[start : start + 6])
            assert in_language(excerpt, language) is not False, excerpt


@pytest.mark.parametrize(
    ("tag", "text"),
    [("en-GB", TEXTS["en"][0]), ("pt-BR", TEXTS["pt"][0]), ("ZH-Hant", TEXTS["zh"][0])],
)
def test_regions_and_case_of_a_tag_do_not_count(tag: str, text: str) -> None:
    assert in_language(text, tag) is True


def test_a_language_the_detector_does_not_know_is_judged_by_its_script_only() -> None:
    assert in_language(TEXTS["en"][0], "qaa") is None
    assert in_language(TEXTS["ru"][0], "qaa") is False


def test_languages_without_a_listed_name_can_be_told_too() -> None:
    danish = "Beskær æbletræet om vinteren, men vent med kirsebærtræet til efter høsten."
    thai = "ปั้นดินหนึ่งกำมือ ถ้าดินร่วนก็ไถได้ ถ้าดินเหนียวติดมือให้รอก่อน"
    assert in_language(danish, "da") is True
    assert in_language(danish, "en") is not True
    assert in_language(thai, "th") is True
    assert in_language(thai, "en") is False


def test_code_in_an_answer_does_not_make_it_foreign() -> None:
    answer = (
        "Nimm eine Schleife und zähle die Felder, die groß genug sind:\n\n```python\n"
        + "for field in fields:\n    if field.area > threshold and field.is_open:\n"
        "        count_of_large_open_fields = count_of_large_open_fields + 1\n"
        * 5
        + "```\n\nDanach steht die Anzahl in der Variablen."
    )
    assert in_language(answer, "de") is True


def test_a_table_of_numbers_does_not_make_an_answer_foreign() -> None:
    answer = (
        "Estas son las dosis que conviene aplicar en cada etapa del cultivo:\n\n"
        "| Etapa | N (kg/ha) | P2O5 | K2O |\n|---|---|---|---|\n| Siembra | 40 | 60 | 30 |\n"
    )
    assert in_language(answer, "es") is True


def test_a_quotation_in_another_language_does_not_make_an_answer_foreign() -> None:
    answer = (
        "The sign at the gate reads « défense d'entrer », which means that nobody may come in "
        "without the owner's leave, even if the gate stands open."
    )
    assert in_language(answer, "en") is True


def test_a_long_text_is_judged_quickly_and_as_a_whole() -> None:
    assert in_language(TEXTS["fr"][0] * 2_000, "fr") is True
    assert in_language(TEXTS["fr"][0] * 2_000, "en") is False


def test_importing_reads_no_model() -> None:
    code = "import sys, pipeline.generation.language; print('py3langid' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "False\n"


@given(st.text(), st.sampled_from(["en", "ja", "ru", "zh", "sr", "x"]))
def test_any_text_gets_an_answer(text: str, language: str) -> None:
    assert in_language(text, language) in (True, False, None)
