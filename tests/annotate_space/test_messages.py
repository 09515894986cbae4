from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from annotate_space.limits import TooFast
from annotate_space.messages import FILE, told
from pipeline.core.errors import InvalidInput, InvitationNeeded
from pipeline.web.words import LANGUAGES
from tests.sentences import told_by

ROOT = Path(__file__).parents[2]
SENTENCES = json.loads(FILE.read_text(encoding="utf-8"))
ERRORS = {"AskName", "InvalidInput", "InvitationNeeded", "NotAllowed", "NotSignedIn", "Outdated"}
READ_BY_ANNOTATORS = [
    *(ROOT / "annotate_space" / f"{name}.py" for name in (
        "answers", "handlers", "limits", "own", "people", "searching", "service", "study/index",
        "study/search", "tickets",
    )),
    ROOT / "pipeline/core/invitations.py",
]  # fmt: skip


@pytest.mark.parametrize("file", READ_BY_ANNOTATORS, ids=lambda file: file.stem)
def test_what_an_annotator_may_be_told_is_translated(file: Path) -> None:
    wanted = ERRORS if file.name != "invitations.py" else {"InvitationNeeded"}
    assert told_by(file, wanted) - set(SENTENCES) == set()


def test_every_translation_has_the_same_places() -> None:
    for sentence, said in SENTENCES.items():
        assert ("en", *said) == LANGUAGES, sentence
        places = sorted(re.findall(r"\{\d\}", sentence))
        assert all(sorted(re.findall(r"\{\d\}", text)) == places for text in said.values())


def test_an_error_is_told_in_the_readers_language() -> None:
    expired = InvitationNeeded(
        "This invitation was good until 2026-11-01 and has expired.",
        "Ask who sent it for a new one.",
    )
    assert told(expired, "de") == (
        "Diese Einladung galt bis 2026-11-01 und ist abgelaufen. "
        "Bitten Sie den Absender um eine neue."
    )
    assert told(TooFast(3), "fr").endswith("dans 3 s\u202f; rien n’est perdu.")  # noqa: RUF001
    for language in ("en", "xx", None, 3):
        assert told(expired, language) == str(expired)


def test_what_has_no_translation_stays_as_it_is_and_text_in_places_is_only_text() -> None:
    unknown = InvalidInput("A {0} sentence.", "Of (.*) ours.")
    assert told(unknown, "es") == str(unknown)
    hostile = InvalidInput("{1} {x}\n%s is not among the people who give feedback here.", "")
    assert told(hostile, "es") == "{1} {x}\n%s no está entre las personas que opinan aquí."
