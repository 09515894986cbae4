from __future__ import annotations

import random
import resource
import subprocess
import sys
import tracemalloc
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.schema import QualitySettings
from pipeline.core.words import shingles
from pipeline.generation.quality.duplicates import DuplicateIndex, Match, meaning_note
from tests.generation.quality.instructions import edited, similar_but_different, unlike

ASKED = "How can I tell in early spring whether the heavy clay on my field is dry enough to plough?"


@pytest.fixture
def opened(tmp_path: Path) -> Iterator[Callable[..., DuplicateIndex]]:
    """Opens indexes at one path, and closes what a test leaves open."""
    indexes: list[DuplicateIndex] = []

    def make(**changes: object) -> DuplicateIndex:
        index = DuplicateIndex(QualitySettings.model_validate(changes), tmp_path / "index")
        indexes.append(index)
        return index

    yield make
    for index in indexes:
        index.close()


def jaccard(one: str, other: str) -> float:
    mine, theirs = set(shingles(one)), set(shingles(other))
    return len(mine & theirs) / len(mine | theirs)


def test_the_first_of_its_kind_is_no_duplicate(opened: Callable[..., DuplicateIndex]) -> None:
    index = opened()
    assert index.add("a", ASKED) is None
    assert index.add("b", "Which cover crops survive a hard frost?") is None


@pytest.mark.parametrize("again", [ASKED, ASKED.upper(), f"  {ASKED}\n", ASKED.replace(" ", "  ")])
def test_the_same_words_are_a_duplicate(opened: Callable[..., DuplicateIndex], again: str) -> None:
    index = opened(minhash_similarity=None)
    index.add("a", ASKED)
    assert index.add("b", again) == Match("duplicate", "a", 1.0)
    assert index.add("c", again) == Match("duplicate", "a", 1.0)


def test_width_and_composition_of_characters_do_not_count(
    opened: Callable[..., DuplicateIndex],
) -> None:
    index = opened(minhash_similarity=None)
    index.add("a", "Café ABC?")
    assert index.add("b", "Cafe\u0301 ＡＢＣ?") == Match("duplicate", "a", 1.0)  # noqa: RUF001


def test_nearly_the_same_words_are_a_near_duplicate(opened: Callable[..., DuplicateIndex]) -> None:
    index = opened()
    index.add("a", ASKED)
    again = ASKED.replace("early ", "")
    assert index.add("b", again) == Match("near_duplicate", "a", jaccard(ASKED, again))
    assert jaccard(ASKED, again) > 0.8


def test_without_a_setting_only_the_same_words_count(opened: Callable[..., DuplicateIndex]) -> None:
    index = opened(minhash_similarity=None)
    index.add("a", ASKED)
    assert index.add("b", ASKED.replace("early ", "")) is None


def test_punctuation_alone_makes_a_near_duplicate_of_similarity_one(
    opened: Callable[..., DuplicateIndex],
) -> None:
    index = opened(minhash_similarity=1)
    index.add("a", ASKED)
    assert index.add("b", ASKED.replace("?", "!")) == Match("near_duplicate", "a", 1.0)


@pytest.mark.parametrize("least", [0.3, 0.5, 0.7, 0.8, 0.9, 0.95])
def test_the_set_similarity_is_honoured(
    opened: Callable[..., DuplicateIndex], least: float
) -> None:
    index = opened(minhash_similarity=least)
    index.add("a", ASKED)
    words = ASKED.split()
    found = 0
    for cut in range(1, len(words)):
        again = " ".join(words[cut:])
        match = index.find(again)
        if jaccard(ASKED, again) < least:
            assert match is None
        elif match is not None:
            assert match.similarity == pytest.approx(jaccard(ASKED, again))
            found += 1
    assert found >= sum(jaccard(ASKED, " ".join(words[cut:])) >= least for cut in range(1, 19)) - 1


@pytest.mark.parametrize(
    ("one", "again"),
    [
        (
            "重い粘土質の土壌は春のいつごろ耕せますか、教えてください。",
            "重い粘土質の土壌は春のいつごろ耕せますか、教えて下さい。",
        ),
        (
            "在黏重的土壤上哪些覆盖作物能够耐受冬天的严霜",
            "在黏重的土壤上哪些覆盖作物能够耐受冬天严霜",
        ),
        ("ถ้าดินเหนียวติดมือควรรออีกกี่วันก่อนไถนาในฤดูใบไม้ผลิ", "ถ้าดินเหนียวติดมือควรรออีกกี่วันก่อนไถนาฤดูใบไม้ผลิ"),
    ],
)
def test_near_duplicates_are_found_without_spaces_between_words(
    opened: Callable[..., DuplicateIndex], one: str, again: str
) -> None:
    index = opened(minhash_similarity=0.6)
    index.add("a", one)
    index.add("other", "土" + one[::-1])
    match = index.add("b", again)
    assert match is not None
    assert (match.name, match.sample_id) == ("near_duplicate", "a")


@pytest.mark.parametrize("least", [5e-324, 1e-9, 0.01, 0.999999, 1])
def test_any_similarity_can_be_set(opened: Callable[..., DuplicateIndex], least: float) -> None:
    index = opened(minhash_similarity=least)
    index.add("a", ASKED)
    assert index.add("b", ASKED + "!") == Match("near_duplicate", "a", 1.0)


def test_the_closest_earlier_one_is_named(opened: Callable[..., DuplicateIndex]) -> None:
    index = opened(minhash_similarity=0.5)
    index.add("far", ASKED.replace("heavy clay", "sandy loam"))
    index.add("near", ASKED.replace("early ", ""))
    index.add("far too", ASKED.replace("my field", "our meadow"))
    match = index.add("b", ASKED)
    assert match is not None
    assert match.sample_id == "near"


def test_the_same_sample_again_changes_nothing(opened: Callable[..., DuplicateIndex]) -> None:
    index = opened()
    assert index.add("a", ASKED) is None
    assert index.add("b", ASKED) == Match("duplicate", "a", 1.0)
    assert index.add("a", ASKED) is None
    assert index.add("a", "Something else altogether?") is None
    assert index.find("Something else altogether?") is None
    assert index.add("b", ASKED) == Match("duplicate", "a", 1.0)


def test_looking_up_adds_nothing(opened: Callable[..., DuplicateIndex]) -> None:
    index = opened()
    assert index.find(ASKED) is None
    assert index.find(ASKED) is None
    index.remember("a", ASKED)
    assert index.find(ASKED) == Match("duplicate", "a", 1.0)
    assert index.find(ASKED, "a") is None


@pytest.mark.parametrize("blank", ["", "  ", "?!"])
def test_an_instruction_without_words_is_only_its_own_duplicate(
    opened: Callable[..., DuplicateIndex], blank: str
) -> None:
    index = opened()
    assert index.add("a", ASKED) is None
    assert index.add("b", blank) is None
    assert index.add("c", "...") is None
    assert index.add("d", blank) == Match("duplicate", "b", 1.0)


def test_an_index_outlives_its_process(opened: Callable[..., DuplicateIndex]) -> None:
    index = opened()
    index.add("a", ASKED)
    index.close()
    index = opened()
    assert index.add("b", ASKED.replace("early ", "")) is not None
    assert index.add("a", ASKED) is None


def test_closing_twice_does_no_harm(opened: Callable[..., DuplicateIndex]) -> None:
    index = opened()
    index.close()
    index.close()


def test_other_settings_start_the_index_anew(opened: Callable[..., DuplicateIndex]) -> None:
    index = opened(minhash_similarity=0.8)
    index.add("a", ASKED)
    index.close()
    assert opened(minhash_similarity=0.5).add("a", ASKED) is None


def test_a_file_that_is_no_index_is_replaced(
    opened: Callable[..., DuplicateIndex], tmp_path: Path
) -> None:
    (tmp_path / "index").write_text("not a database" * 1_000)
    index = opened()
    assert index.add("a", ASKED) is None
    assert index.add("b", ASKED) == Match("duplicate", "a", 1.0)


def test_processes_agree(tmp_path: Path) -> None:
    code = (
        "import random, sys; from pathlib import Path;"
        "from pipeline.core.schema import QualitySettings;"
        "from pipeline.generation.quality.duplicates import DuplicateIndex;"
        "from tests.generation.quality.instructions import *;"
        "index = DuplicateIndex(QualitySettings(minhash_similarity=0.6), Path(sys.argv[1]));"
        "rng = random.Random(1); texts = similar_but_different(150);"
        "print([index.add(str(n), edited(t, rng)) for n, t in enumerate(texts * 2)]);"
        "print(list(index._database.execute('SELECT * FROM band')))"
    )
    outputs = {
        subprocess.run(
            [sys.executable, "-c", code, str(tmp_path / seed)],
            capture_output=True, text=True, check=True, env={"PYTHONHASHSEED": seed},
        ).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert len(outputs) == 1
    assert "near_duplicate" in outputs.pop()


def test_signatures_are_those_of_earlier_versions(opened: Callable[..., DuplicateIndex]) -> None:
    """A library that computes others would make an index on disk find nothing."""
    index = opened()
    index.add("a", "When is clay dry enough?")
    bands = [band for (band,) in index._database.execute("SELECT band FROM band")]
    assert sorted(bands)[:2] == SIGNATURE


SIGNATURE = [-8128915210486887455, -6091243106427789207]


def test_different_instructions_of_few_templates_are_not_called_duplicates(
    opened: Callable[..., DuplicateIndex],
) -> None:
    texts = similar_but_different(2_000)
    index = opened()
    found = [(text, index.add(str(number), text)) for number, text in enumerate(texts)]
    wrong = [
        text for text, match in found
        if match is not None and jaccard(text, texts[int(match.sample_id)]) < 0.8
    ]  # fmt: skip
    assert wrong == []
    assert sum(match is not None for _, match in found) < 0.01 * len(texts)


def test_nearly_all_edits_that_are_similar_enough_are_found(
    opened: Callable[..., DuplicateIndex],
) -> None:
    rng = random.Random(2)
    texts = similar_but_different(1_000)
    index = opened()
    for number, text in enumerate(texts):
        index.remember(str(number), text)
    edits = [(text, edited(text, rng)) for text in texts]
    due = [again for text, again in edits if jaccard(text, again) >= 0.8]
    assert len(due) > 100
    assert sum(index.find(again) is not None for again in due) >= 0.97 * len(due)


def test_thousands_that_are_alike_do_not_slow_it_down_without_bound(
    opened: Callable[..., DuplicateIndex],
) -> None:
    index = opened()
    assert index.add("first", ASKED) is None
    for number in range(2_000):
        again = f"{ASKED} {number}"
        match = index.add(str(number), again)
        assert match is not None
        assert match.name == "near_duplicate"


def test_memory_stays_flat(opened: Callable[..., DuplicateIndex]) -> None:
    index = opened()
    texts = unlike(22_000)
    for number, text in enumerate(texts[:2_000]):
        index.add(str(number), text)
    resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tracemalloc.start()
    for number, text in enumerate(texts[2_000:], 2_000):
        index.add(str(number), text)
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 1_000_000
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - resident < 80_000


@settings(max_examples=40, deadline=None)
@given(texts=st.lists(st.text(max_size=30), max_size=12))
def test_a_match_is_always_an_earlier_one_that_is_similar(
    texts: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    index = DuplicateIndex(QualitySettings(), tmp_path_factory.mktemp("index") / "index")
    for number, text in enumerate(texts):
        match = index.add(str(number), text)
        if match is not None:
            earlier = texts[int(match.sample_id)]
            assert int(match.sample_id) < number
            assert match.name == "duplicate" or jaccard(text, earlier) >= 0.8
        assert index.add(str(number), text) == match
    index.close()


def test_a_note_says_that_meanings_are_not_compared() -> None:
    assert meaning_note(QualitySettings(embedding_model="some/model")) is None
    note = meaning_note(QualitySettings())
    assert note is not None
    assert note.endswith(".")
    assert "embedding_model" in note
