"""Everything the page says is there in every language, and all of it is used."""

from __future__ import annotations

import ast
import json
import re
import string
from pathlib import Path
from typing import Any

import gradio as gr
import pytest
from fastapi import Request

from pipeline.core.checks import MESSAGES, Level, Problem, check
from pipeline.core.errors import RateLimited
from pipeline.core.schema import Example, Quota, Seed
from pipeline.core.settings import Settings
from pipeline.web.visitor import Visitor
from pipeline.web.words import LANGUAGES, language_of, number, typeset
from seed_space import pieces, setting_up
from seed_space.changes import compare
from seed_space.screen import FIELDS, STEP_OF, name_of, read, show, told
from seed_space.words import WORDS, count, layout, say
from tests.factories import a_seed

ROOT = Path(__file__).resolve().parents[2] / "seed_space"
FILES = sorted([*(ROOT / "words").glob("*.json"), *(ROOT / "parts").glob("*.json")])


def fields(text: str) -> set[str]:
    return {name for _, name, _, _ in string.Formatter().parse(text) if name is not None}


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_text_is_there_in_every_language_with_the_same_gaps(file: Path) -> None:
    for key, texts in json.loads(file.read_text(encoding="utf-8")).items():
        assert tuple(texts) == LANGUAGES, key
        assert all(text.strip() == text != "" for text in texts.values()), key
        for language, text in texts.items():
            assert fields(text) == fields(texts["en"]), (key, language)


@pytest.mark.parametrize(
    "file", sorted((ROOT / "words").glob("*.json")), ids=lambda file: file.stem
)
def test_keys_begin_with_the_name_of_their_file(file: Path) -> None:
    assert {key.split(".")[0] for key in json.loads(file.read_text())} == {file.stem}


def test_no_words_of_the_page_are_left_over() -> None:
    patterns = [*python_keys()]
    unused = [key for key in WORDS.texts if not any(map_matches(patterns, key))]
    assert unused == []


def map_matches(patterns: list[str], key: str) -> list[bool]:
    stem = re.sub(r"\.(one|many)$", "", key)
    return [re.fullmatch(p, key) is not None or re.fullmatch(p, stem) is not None for p in patterns]


def python_keys() -> set[str]:
    """What string of the code could be a key, as patterns: each gap may be anything."""
    areas = tuple(f"{file.stem}." for file in (ROOT / "words").glob("*.json"))
    found = set()
    for path in ROOT.rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                if node.value.startswith(areas):
                    found.add(re.escape(node.value))
                elif re.fullmatch(r"[a-z_]+", node.value):  # a problem's code
                    found.add(re.escape(f"problems.{node.value}"))
            elif isinstance(node, ast.JoinedStr):
                parts = [
                    re.escape(str(part.value)) if isinstance(part, ast.Constant) else "[A-Za-z_]+"
                    for part in node.values
                ]
                text = "".join(str(part) for part in parts)
                if text.replace("\\", "").startswith(areas) and not text.startswith("problems"):
                    found.add(text)
                elif text == "[A-Za-z_]+_long":
                    found.add(rf"problems\.{text}")
    return found | {re.escape(f"problems.{code}") for code in MESSAGES}


@pytest.mark.parametrize(
    "file", sorted((ROOT / "parts").glob("*.json")), ids=lambda file: file.stem
)
def test_no_words_of_a_part_are_left_over_and_none_is_missing(file: Path) -> None:
    said = json.loads(file.read_text(encoding="utf-8"))
    shared = json.loads((ROOT / "parts" / "shared.json").read_text(encoding="utf-8"))
    names = ["*"] if file.stem == "shared" else [file.stem, "shared"]
    scripts = [path for name in names for path in (ROOT / "parts").glob(f"{name}.*")]
    text = "\n".join(path.read_text(encoding="utf-8") for path in scripts if path.suffix != ".json")
    for key in said:
        # As it stands, or the beginning or end of what is put together.
        cuts = [i for i, sign in enumerate(key) if sign == "_"]
        parts = {key, *(p for i in cuts for p in (key[:i], key[: i + 1], key[i:]))}
        assert any(f'"{part}"' in text for part in parts), key
    if file.stem != "shared":
        for pair in re.findall(r'word\("(\w+)"[,)]|data-(?:say|name)="(\w+)"', text):
            assert "".join(pair) in said | shared


def a_problem_of_every_kind() -> list[Problem]:
    """What reading screens finds that have everything wrong which can be."""
    examples = [
        Example(question="Q?", answer="", topic="Bees", perspective="Nobody"),
        Example(question="q?", answer="A."),
        Example(question="", answer="A."),
        Example(question="When to prune trees?", answer="A."),
        Example(question="When to prune a tree?", answer="A."),
    ]
    wrong = a_seed().model_copy(
        update={
            "topics": ["A", "a", "Soil health", "health of soils"],
            "perspectives": ["B", "b", "Grower", "Growers"],
            "rules": ["Name it.", "Name it.", "Give no doses", "Give no dose"],
            "examples": examples,
            "quotas": [Quota(topic="Bees", perspective="Nobody", rows=1)],
        }
    )
    german = {
        "description": "Es geht um die Arbeit auf kleinen Höfen.",
        "examples": [
            {
                "question": "Wann ist der Ton trocken genug zum Pflügen?",
                "answer": "Wenn er sich nicht mehr zu einer Wurst rollen lässt.",
                "topic": "",
                "perspective": "",
                "extra": "{}",
            }
        ],
    }
    large = [Example(question=f"Q{n}?", answer="x" * 20_000) for n in range(150)]
    long = {
        "question": "x" * 4_001,
        "answer": "x" * 20_001,
        "topic": "x" * 301,
        "perspective": "x" * 301,
        "extra": "{}",
    }
    blank = {"question": "", "answer": "", "topic": "", "perspective": "", "extra": "{}"}
    screens: list[dict[str, Any]] = [
        german,
        {"topics": ["", "x" * 200], "perspectives": ["", ""], "examples": [blank]},
        {"topics": ["x" * 301], "domain": "x" * 201, "examples": [long], "language": "none!"},
        {"perspectives": [f"p{n}" for n in range(201)], "description": "\ud800", "rules": [7]},
    ]
    base = dict(zip(FIELDS, show(a_seed()), strict=True))
    found = [*check(Seed()), *check(wrong), *check(wrong.model_copy(update={"examples": large}))]
    found += check(a_seed().model_copy(update={"domain": "\ud800"}))
    found += check(a_seed().model_copy(update={"extra": "\ud800"}))
    for screen in screens:
        found += read(list({**base, **screen}.values()), Seed()).problems
    return found


def test_every_problem_is_told_in_every_language() -> None:
    found = a_problem_of_every_kind()
    for problem in found:
        assert told("en", problem) == typeset("en", problem.message)
        others = {told(language, problem) for language in LANGUAGES}
        assert len(others) == len(LANGUAGES), problem
    codes = {key.split(".")[1] for key in WORDS.texts if key.startswith("problems.")}
    not_problems = {"kept", "draft_unreadable", "saved_shown"}
    assert {problem.code for problem in found} == codes - not_problems


def test_the_screen_and_other_faces_say_the_same_in_english() -> None:
    shown = {code: WORDS.texts[f"problems.{code}"]["en"] for code in MESSAGES}
    assert shown == {code: typeset("en", text) for code, text in MESSAGES.items()}


def test_every_field_has_a_name_and_a_step() -> None:
    assert all(name_of("de", field) for field in FIELDS)
    assert set(STEP_OF) == set(FIELDS)


def test_changes_are_told_in_the_readers_language() -> None:
    old, new = a_seed(), a_seed()
    new.domain, new.language = "Weinbau", "de"
    new.topics = [f"Thema {n}" for n in range(9)]
    told_in_german = {change.label: change.words for change in compare(old, new, "de")}
    assert told_in_german["Name des Fachgebiets"] == ("Aus „Farming“ wurde „Weinbau“.",)
    assert told_in_german["Sprache"] == ("Aus „English“ wurde „Deutsch“.",)
    assert told_in_german["Themen"][0].endswith("„Thema 5“ und 3 weitere.")


def test_an_outage_at_the_start_is_told_in_the_readers_language() -> None:
    slow = RateLimited("Slow down.", 3)
    page = setting_up.page(Settings(project="ana/farm"), slow, Visitor(language="de"))
    assert "Hub bittet um etwas Geduld" in page


@pytest.mark.parametrize(
    ("language", "value", "written"),
    [
        ("en", 10_000, "10,000"),
        ("de", 10_000, "10.000"),
        ("fr", 1_234_567, "1\u202f234\u202f567"),
        ("es", 2.5, "2,5"),
        ("pt", 2.0, "2"),
    ],
)
def test_numbers_are_written_as_usual_in_a_language(
    language: str, value: float, written: str
) -> None:
    assert number(language, value) == written


def test_a_line_does_not_break_before_a_sign_that_follows_a_space_or_within_a_measure() -> None:
    written = typeset("fr", "« Ainsi » ; pourquoi ? De {n} Mo : {a: 1}")
    assert written == "«\u00a0Ainsi\u00a0»\u202f; pourquoi\u202f? De {n}\u00a0Mo\u00a0: {a: 1}"
    assert typeset("de", "je bis 20 MB werden gelesen …") == (
        "je bis 20\u00a0MB werden gelesen\u00a0…"
    )
    assert " :" not in say("fr", "changes.question", text="x")
    assert (
        typeset("en", "Why? At most {mb} MB; “no”: yes") == "Why? At most {mb}\u00a0MB; “no”: yes"
    )


def test_one_and_many_are_told_apart() -> None:
    assert say("de", "problems.rows_empty.one", n=1) == count("de", "problems.rows_empty", 1)
    assert count("fr", "problems.rows_empty", 0).startswith("0 rangée est")
    assert count("en", "problems.rows_empty", 0).startswith("0 rows are")


def test_a_layout_is_translated_as_a_whole() -> None:
    marker = layout(lambda words: f"<h2>{words('fields.domain')}</h2>")
    key = json.loads(str(marker).removeprefix("__i18n__"))["key"]
    spoken = WORDS.translations().translations_dict
    assert spoken["de"][key] == "<h2>Name des Fachgebiets</h2>"
    assert spoken["fr"][key] == "<h2>Nom du domaine</h2>"


@pytest.mark.parametrize(
    ("asked", "language"),
    [
        ("de-DE,de;q=0.9", "de"),
        ("nl,fr;q=0.5", "en"),
        ("fr-CH, fr;q=0.9, en;q=0.8", "fr"),
        ("", "en"),
        ("pt-BR", "pt"),
    ],
)
def test_the_page_speaks_what_the_browser_asks_for(asked: str, language: str) -> None:
    scope = {"type": "http", "headers": [(b"accept-language", asked.encode())]}
    assert language_of(gr.Request(Request(scope))) == language


def test_levels_have_words() -> None:
    for level in Level:
        problem = Problem("seed", "", level, "kept")
        assert say("pt", "problems.kept") in pieces.summary("pt", None, [problem], first=False)
