"""What goes wrong is told in the reader's language, as far as it can be."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from pipeline.core.errors import (
    InvalidInput,
    NotAllowed,
    RateLimited,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.importing import read
from pipeline.core.sheets import _ADVICE, _KINDS
from pipeline.web.words import LANGUAGES
from seed_space import telling
from seed_space.words import Told
from tests.documents import a_docx, paragraph
from tests.sentences import told_by

ROOT = Path(__file__).parents[2]
SENTENCES = json.loads(telling.FILE.read_text(encoding="utf-8"))
READ_BY_EXPERTS = [
    *sorted((ROOT / "seed_space").rglob("*.py")),
    *(ROOT / "pipeline/core" / f"{name}.py" for name in ("importing", "sheets", "versions")),
]

BY_KIND = "This is {0}, which cannot be read here."
PLACE = r"\{\d\}"


@pytest.mark.parametrize("file", READ_BY_EXPERTS, ids=lambda file: file.stem)
def test_what_an_expert_may_be_told_is_translated(file: Path) -> None:
    raised = told_by(file, {"InvalidInput", "NotAllowed", "NotSignedIn"}) - {BY_KIND}
    untold = [
        one for one in raised if not any(known(re.sub(PLACE, text, one)) for text in ("x", ""))
    ]
    assert untold == []


def known(sentence: str) -> bool:
    return telling.told("de", InvalidInput(sentence, "")).exactly == ""


def test_every_translation_has_the_same_places() -> None:
    for sentence, said in SENTENCES.items():
        assert ("en", *said) == LANGUAGES, sentence
        places = sorted(re.findall(r"\{\d\}", sentence))
        assert all(sorted(re.findall(r"\{\d\}", text)) == places for text in said.values())


@pytest.mark.parametrize(
    "content", [kind[0] + b"1.4" for kind in _KINDS] + [a_docx(paragraph("A text"))]
)
def test_a_file_of_the_wrong_kind_is_told_in_the_readers_language(content: bytes) -> None:
    with pytest.raises(InvalidInput) as caught:
        read(content)
    trouble = telling.told("de", caught.value)
    assert trouble.exactly == ""
    assert trouble.text.startswith("Das ist")
    assert telling.told("en", caught.value).text == str(caught.value)


def test_all_advice_about_files_is_translated() -> None:
    assert all(map(known, _ADVICE.values()))


@pytest.mark.parametrize(
    "error",
    [
        StoreUnavailable(
            "The Hub cannot be reached for ana/farm: it answered 503.",
            "Nothing is lost; try again in a moment.",
        ),
        RateLimited("The Hub asks to wait: too many requests or commits within the hour.", None),
    ],
)
def test_an_outage_is_told_whole(error: SeedbedError) -> None:
    for language in LANGUAGES[1:]:
        trouble = telling.told(language, error)
        assert trouble.exactly == ""
        assert trouble.text != str(error)


def test_an_error_that_has_no_translation_gets_a_headline_and_its_own_words_behind_a_fold() -> None:
    error = NotAllowed("<b>ana/farm is not yours.</b>", "Ask ana.")
    shown = telling.failure("de", error)
    assert "<p>Ihr Konto darf das nicht" in shown
    assert "<details>" in shown
    assert '<p lang="en">&lt;b&gt;ana/farm is not yours.&lt;/b&gt; Ask ana.</p>' in shown
    assert "<details>" not in telling.failure("en", error)


def test_what_is_said_in_the_readers_language_is_said_once() -> None:
    error = Told("Zu lang.", "Kürzen.")
    assert telling.told("de", error) == telling.Trouble("Zu lang. Kürzen.")
    assert telling.told("fr", error).exactly == ""
