from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

import annotate_space
from annotate_space.words import component_props, translations
from pipeline.web.words import LANGUAGES

HERE = Path(annotate_space.__file__).parent
DECK = HERE / "deck"
FILES = sorted(HERE.glob("*/*.json"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}/{file.stem}")
def test_every_word_is_there_in_every_language_with_the_same_places_to_fill(file: Path) -> None:
    for key, said in json.loads(file.read_text(encoding="utf-8")).items():
        assert tuple(said) == LANGUAGES, key
        assert all(text.strip() for text in said.values()), key
        places = {tuple(sorted(re.findall(r"\{\w+\}", text))) for text in said.values()}
        assert len(places) == 1, key


def test_a_component_finds_its_words_among_the_translations() -> None:
    key = component_props(DECK)["value"].key
    spoken = translations().translations_dict
    assert set(spoken) == set(LANGUAGES)
    assert json.loads(spoken["es"][key])["good"] == "Buena"


@pytest.mark.parametrize("name", ["deck", "own_page"])
def test_a_component_says_nothing_that_is_not_among_its_words(name: str) -> None:
    folder = HERE / name
    words = json.loads(translations().translations_dict["en"][component_props(folder)["value"].key])
    files = [*folder.glob("*.js"), *folder.glob("*.html"), DECK / "describe.js"]
    source = "\n".join(path.read_text(encoding="utf-8") for path in files)
    said = set(re.findall(r'\bsay\("(\w+)"', source))
    said |= set(re.findall(r'\bword: "(\w+)"', source))
    said |= set(re.findall(r'data-say(?:-label)?="(\w+)"', source))
    for key in re.findall(r'\bsayCount\("(\w+)"', source):
        said |= {f"{key}_one", f"{key}_many"}
    assert said - set(words) == set()
