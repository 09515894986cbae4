"""What keeps a question out, and what must not."""

from __future__ import annotations

import dataclasses

import pytest

from pipeline.generation.exams.checks import fault_of, same
from pipeline.generation.exams.items import Item
from tests.generation.exams.material import GOOD, GOOD_PT, PASSAGE, PASSAGE_PT


def kind(item: Item, passage: str = PASSAGE, language: str = "en") -> str | None:
    fault = fault_of(item, passage, language)
    assert fault is None or fault.reason.endswith((".", ";")), fault
    return fault.kind if fault else None


def but(item: Item = GOOD, **changes: object) -> Item:
    return dataclasses.replace(item, **changes)  # type: ignore[arg-type]


def test_good_questions_are_kept_in_english_and_portuguese() -> None:
    assert kind(GOOD) is None
    assert kind(GOOD_PT, PASSAGE_PT, "pt") is None
    assert kind(GOOD_PT, PASSAGE_PT, "pt-BR") is None


@pytest.mark.parametrize("count", [0, 1, 2, 4, 5])
def test_three_wrong_answers_are_three(count: int) -> None:
    wrong = tuple(f"{60 + n} kilograms to the hectare" for n in range(count))
    assert kind(but(distractors=wrong)) == "distractors"


@pytest.mark.parametrize(
    "wrong",
    [
        ("60 kilograms to the hectare", "120 Kilograms, to the hectare.", "90 kilograms"),
        ("60 kilograms", "60 kilograms.", "90 kilograms"),
        ("60 KILOGRAMS", "６０ kilograms", "90 kilograms"),  # noqa: RUF001
    ],
)
def test_options_that_say_the_same_are_refused(wrong: tuple[str, ...]) -> None:
    assert kind(but(distractors=wrong)) == "same options"


def test_options_differ_by_what_counts_only() -> None:
    assert same("“About 3 weeks.”", "about  3 weeks")
    assert not same("3 weeks", "4 weeks")
    assert not same("-5 °C", "5 °C")
    assert not same("1.5 t", "15 t")


def test_an_answer_must_not_stand_out_by_length() -> None:
    long = "120 kilograms to the hectare, drilled in rows or spread by hand before the middle"
    assert kind(but(answer=long, distractors=("60 kilograms", "90 kilograms", "240 kg"))) == (
        "told by length"
    )
    short = but(answer="120 kilograms", distractors=("60 kilos", "90 kilos", "240 kilos"))
    assert kind(short) is None


def test_an_answer_must_not_repeat_the_question() -> None:
    item = Item(
        "Which clover persists for several seasons on heavy clay?",
        "White clover that persists for seasons",
        (
            "Red vetch that is sown for grazing",
            "Blue oats that are cut for hay",
            "Late rye left for its straw",
        ),
    )
    assert kind(item) == "told by wording"


def test_grammar_and_form_must_not_tell() -> None:
    item = Item(
        "Below which depth does one find an _____ in clay?",
        "old tile drain",
        ("new tile drain", "big tile drain", "red tile drain"),
    )
    assert kind(item, PASSAGE + " An old tile drain.") == "told by form"
    figures = but(answer="120 kilos", distractors=("Half a bag", "Two bags", "As much as wheat"))
    assert kind(figures) == "told by form"


@pytest.mark.parametrize(
    ("question", "language"),
    [
        ("According to the passage, how much winter rye is sown?", "en"),
        ("How much rye is sown, as mentioned in the text?", "en"),
        ("What does the author recommend for winter rye?", "en"),
        ("Segundo o texto, quanto centeio de inverno se semeia?", "pt"),
        ("De acordo com o autor, quanto centeio de inverno se semeia?", "pt"),
        ("No trecho, quanto centeio de inverno se semeia por hectare?", "pt"),
        ("Según el texto, ¿cuánto centeno se siembra?", "es"),
        ("D'après le passage, combien de seigle faut-il semer ?", "fr"),
        ("Wie viel Roggen wird laut dem Text gesät?", "de"),
    ],
)
def test_a_question_must_not_speak_of_a_text(question: str, language: str) -> None:
    assert kind(but(question=question), language=language) == "speaks of the text"


@pytest.mark.parametrize(
    "question",
    [
        "How many kilograms of winter rye does article 5 allow before October?",
        "Which passage for cattle stays dry in October beside winter rye?",
        "Which document names the winter rye that was sown in October?",
        "Segundo o artigo 5, quanto centeio de inverno se semeia em October?",
    ],
)
def test_the_same_words_may_be_the_matter_itself(question: str) -> None:
    assert kind(but(question=question)) != "speaks of the text"


@pytest.mark.parametrize(
    "option",
    ["All of the above", "None of these answers", "Both A and B", "A and C", "Todas as anteriores",
     "Nenhuma das alternativas", "Todas las anteriores", "Toutes ces réponses",
     "Keine der genannten"],
)  # fmt: skip
def test_options_must_not_speak_of_each_other(option: str) -> None:
    item = but(answer="120 kg", distractors=("60 kg", "90 kg", option))
    assert kind(item) == "several at once"
    for fine in ("All crops", "None of the clay", "Any other crop", "Both kinds of clover"):
        assert kind(but(answer="120 kg", distractors=("60 kg", "90 kg", fine))) != "several at once"


def test_the_passage_must_say_it() -> None:
    assert kind(but(answer="150 kilograms to the hectare")) == "not supported"
    item = Item(
        "What does winter rye bring to a heavy clay field?",
        "Purple butterflies everywhere",
        ("Yellow caterpillars elsewhere", "Orange grasshoppers nearby", "Silver beetles at night"),
    )
    assert kind(item) == "not supported"
    in_words = but(
        question="How long before planting the main crop is winter rye terminated?",
        answer="3 weeks",
        distractors=("1 week", "6 weeks", "9 weeks"),
    )
    assert kind(in_words) is None


@pytest.mark.parametrize(
    ("said", "asked"), [("1,200", "1200"), ("1.200", "1 200"), ("0.5", "0,5"), ("2 500", "2,500")]
)
def test_figures_are_the_same_in_other_spellings(said: str, asked: str) -> None:
    passage = PASSAGE + f" Lime is spread at {said} kilograms."
    item = but(
        question="How much lime is spread on winter rye?",
        answer=f"{asked} kilograms",
        distractors=("70 kilograms", "71 kilograms", "72 kilograms"),
    )
    assert kind(item, passage) is None


def test_questions_are_in_the_language_of_the_seed() -> None:
    assert kind(GOOD, PASSAGE_PT, "pt") == "wrong language"
    # A question in the seed's language about a document in another one shares no words with it.
    foreign = but(GOOD, question="How much of it is sown on heavy soils in the autumn months?")
    assert kind(foreign, PASSAGE_PT, "en") is None
    assert kind(but(foreign, answer="77 kilograms to the hectare"), PASSAGE_PT) == "not supported"


@pytest.mark.parametrize("text", ["", "...", "?" * 700, "\u202e"])
def test_hostile_items_are_faults_and_no_errors(text: str) -> None:
    assert kind(Item(text, text, (text, text, text))) is not None
    assert kind(but(distractors=(text, "a" * 400, "b"))) is not None
