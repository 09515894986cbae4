"""Seeds and settings: what is kept, what is refused, and in which words."""

from __future__ import annotations

import json

import pytest

from pipeline.core.checks import Level, check, require
from pipeline.core.errors import InvalidInput
from pipeline.core.schema import Example, ModelChoice, Project, Seed, stable_id, unique
from tests.factories import a_seed


def test_a_domain_data_grower_file_opens_and_keeps_every_key() -> None:
    old = {
        "domain": "farming",
        "perspectives": ["Family Farmer"],
        "topics": ["Soil management"],
        "examples": [{"question": "Q?", "answer": "A.", "id": 7}],
        "domain_expert_prompt": "You will be asked about farming.",
        "application_instruction": "stale, derived",
        "seed_terms": ["stale"],
        "made_by": {"tool": "another", "list": [1, None]},
    }
    seed = Seed.from_json(json.dumps(old).encode())
    again = json.loads(seed.to_json())
    assert again["made_by"] == old["made_by"]
    assert again["examples"][0]["id"] == 7
    assert again["seed_terms"] == ["Soil management from a Family Farmer perspective"]
    assert again["application_instruction"].startswith("You will be asked about farming.")
    assert Seed.from_json(seed.to_json()) == Seed.from_json(json.dumps(again).encode())


def test_a_seed_is_written_the_same_however_often_it_is_read() -> None:
    data = a_seed().to_json()
    assert Seed.from_json(data).to_json() == data


@pytest.mark.parametrize(
    ("data", "named"),
    [
        (b"", "not JSON"),
        (b"{", "not JSON"),
        (b"\xff\xfe", "not JSON"),
        (b"[1]", "holds a list"),
        (b'"text"', "holds a str"),
        (b'{"topics": "soil"}', "topics"),
        (b'{"topics": [1, null]}', r"topics\.0.*topics\.1"),
        (b'{"domain": 5}', "domain.*it is 5"),
        (b'{"examples": [{"question": "Q?"}]}', r"examples\.0\.answer"),
        (b'{"language": "<b>"}', "language"),
        (b'{"topics": ["' + b"x" * 301 + b'"]}', r"topics\.0"),
        (b'{"schema_version": 2}', "schema version 2"),
        (b'{"domain": "\\ud800"}', "not JSON"),
        (b'{"domain": "' + b"x" * 10_000_000 + b'"}', r"10\.0 MB"),
        (b'{"domain": "' + b"x" * 201 + b'"}', "domain"),
        (b"[" * 100_000, "not JSON|holds"),
    ],
)
def test_a_bad_seed_file_is_refused_with_what_is_wrong(data: bytes, named: str) -> None:
    with pytest.raises(InvalidInput, match=named) as caught:
        Seed.from_json(data)
    assert len(str(caught.value)) < 1_000
    assert caught.value.next_step


@pytest.mark.parametrize(
    "data",
    [
        b'{"generation": {"rowz": 3}}',
        b'{"annotation": {"tasks": ["dance"]}}',
        b'{"annotation": {"tasks": []}}',
        b'{"generation": {"rows": 0}}',
        b'{"generation": {"models": [{"model": "m", "base_url": "file:///etc"}]}}',
    ],
)
def test_settings_refuse_what_they_do_not_know(data: bytes) -> None:
    with pytest.raises(InvalidInput, match=r"project\.json cannot be used"):
        Project.from_json(data)


def test_settings_survive_a_round_trip() -> None:
    project = Project()
    project.generation.models = [ModelChoice(model="a/b", base_url="http://127.0.0.1:1/v1")]
    assert Project.from_json(project.to_json()) == project


def test_duplicates_are_named_and_block_saving() -> None:
    seed = Seed(domain="d", topics=["Clay  soils", "Cover", "clay soils "], perspectives=["a", "A"])
    messages = [problem.message for problem in check(seed) if problem.level is Level.BLOCKS_SAVING]
    assert messages == [
        "Topics 1 and 3 are the same: “clay soils”. Keep one of them.",
        "Perspectives 1 and 2 are the same: “A”. Keep one of them.",
    ]
    with pytest.raises(InvalidInput, match="Topics 1 and 3"):
        require(seed, Level.BLOCKS_SAVING)


def test_an_empty_seed_may_be_kept_but_not_grown() -> None:
    require(Seed(), Level.BLOCKS_SAVING)
    with pytest.raises(InvalidInput, match=r"domain.*topic.*perspective"):
        require(Seed(), Level.BLOCKS_GENERATING)
    require(a_seed(), Level.BLOCKS_GENERATING)


def test_blank_topics_do_not_count() -> None:
    seed = Seed(domain="d", topics=["", "  "], perspectives=["p"])
    with pytest.raises(InvalidInput, match="no topic yet"):
        require(seed, Level.BLOCKS_GENERATING)
    assert seed.cells() == []


def test_examples_that_contradict_the_lists_are_advised_about() -> None:
    seed = a_seed().model_copy(
        update={"examples": [Example(question="Q?", answer=" ", topic="Bees", perspective="x")]}
    )
    messages = " ".join(problem.message for problem in check(seed))
    assert "Example 1 has no answer" in messages
    assert "names the topic “Bees”" in messages
    assert all(problem.level is Level.ADVICE for problem in check(seed))


def test_a_seed_that_grew_too_large_on_screen_is_named() -> None:
    examples = [Example(question=f"Q{n}?", answer="x" * 20_000) for n in range(150)]
    seed = a_seed().model_copy(update={"examples": examples})
    with pytest.raises(InvalidInput, match=r"MB; at most 2 MB"):
        require(seed, Level.BLOCKS_SAVING)


def test_many_topics_and_perspectives_do_not_fill_the_file() -> None:
    seed = a_seed().model_copy(
        update={
            "topics": [f"Topic number {n}" for n in range(400)],
            "perspectives": [f"Perspective number {n}" for n in range(150)],
        }
    )
    require(seed, Level.BLOCKS_GENERATING)
    assert len(seed.to_json()) < 200_000


def test_ids_depend_on_their_parts_only() -> None:
    assert stable_id("a", 1, None) == stable_id("a", 1, None)
    assert stable_id("a", "b") != stable_id("ab")
    assert len(stable_id()) == 16


def test_unique_keeps_order_and_first_spelling() -> None:
    assert unique([" B", "a", "b ", "", "A  "]) == ["B", "a"]
