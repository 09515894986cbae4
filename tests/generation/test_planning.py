"""Which cells get how many samples, and what makes rows differ."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pipeline.core.checks import check
from pipeline.core.quotas import cell_key, wanted_rows
from pipeline.core.rounds import CellCount, Round
from pipeline.core.schema import Example, GenerationSettings, ModelChoice, Quota, Sample, Seed
from pipeline.generation import prompting
from pipeline.generation.planning import _fill, fingerprint, plan
from tests.factories import a_sample, a_seed

SETTINGS = GenerationSettings()


def _made(seed: Seed, number: int, cell: int, **changes: Any) -> Sample:  # noqa: ANN401
    where = seed.cells()[cell]
    fields = {
        "topic": where.topic,
        "perspective": where.perspective,
        "fingerprint": fingerprint(seed, SETTINGS),
    }
    return a_sample(number, **{**fields, **changes})


@given(st.lists(st.integers(0, 50), min_size=1, max_size=40), st.integers(0, 2_000))
def test_rows_are_spread_as_evenly_as_what_exists_allows(levels: list[int], total: int) -> None:
    added = _fill(levels, total)
    assert min(added) >= 0
    assert sum(added) == max(0, total - sum(levels))
    after = [level + more for level, more in zip(levels, added, strict=True)]
    grown = [level for level, more in zip(after, added, strict=True) if more]
    assert all(level <= min(after) + 1 for level in grown)


@pytest.mark.parametrize(("rows", "counts"), [(1, [1]), (4, [1] * 4), (6, [2, 2, 1, 1])])
def test_an_empty_project_gets_even_quotas(rows: int, counts: list[int]) -> None:
    quotas = list(plan(a_seed(), SETTINGS, [], rows).quotas())
    assert [quota.count for quota in quotas] == counts


def test_what_exists_counts_and_is_named() -> None:
    seed = a_seed()
    samples = [_made(seed, n, n % 4, lineage=("ask:3.1",)) for n in range(6)]
    assert plan(seed, SETTINGS, samples, 6).rows == 0
    assert plan(seed, SETTINGS, samples, 2).rows == 0
    quotas = list(plan(seed, SETTINGS, samples, 8).quotas())
    assert [(q.cell, q.count) for q in quotas] == [(seed.cells()[2], 1), (seed.cells()[3], 1)]
    assert quotas[0].made == {3: {1: samples[2].instruction}}


def test_rows_of_another_fingerprint_are_avoided_but_do_not_count() -> None:
    seed = a_seed()
    old = _made(seed, 1, 0, fingerprint="other")
    quotas = list(plan(seed, SETTINGS, [old], 4).quotas())
    assert [quota.count for quota in quotas] == [1] * 4
    assert (quotas[0].made, quotas[0].others) == ({}, (old.instruction,))


def test_a_new_topic_grows_only_its_own_cells() -> None:
    seed = a_seed()
    samples = [_made(seed, n, n) for n in range(4)]
    wider = seed.model_copy(update={"topics": ["Ponds", *seed.topics]})
    quotas = list(plan(wider, SETTINGS, samples, 6).quotas())
    assert [(q.cell.topic, q.count) for q in quotas] == [("Ponds", 1), ("Ponds", 1)]


def test_samples_of_cells_that_are_gone_do_not_count() -> None:
    seed = a_seed()
    assert plan(seed, SETTINGS, [_made(seed, 1, 0, topic="Ponds")], 4).rows == 4


CHANGES: list[tuple[dict[str, Any], dict[str, Any]]] = [
    ({"domain": "Law"}, {}),
    ({"description": "Other."}, {}),
    ({"language": "es"}, {}),
    ({"domain_expert_prompt": "Other."}, {}),
    ({"examples": []}, {}),
    ({"rules": ["Never give doses."]}, {}),
    ({"examples": [Example(question="Q?", answer="A.")]}, {}),
    ({}, {"completions": 3}),
    ({}, {"instructions_per_call": 5}),
    ({}, {"instruction_model": ModelChoice(model="x/y")}),
    ({}, {"models": [ModelChoice(model="x/y")]}),
    ({}, {"models": [ModelChoice(model=m.model, temperature=0.1) for m in SETTINGS.models]}),
    ({}, {"models": [ModelChoice(model=m.model, top_p=0.5) for m in SETTINGS.models]}),
    ({}, {"models": [ModelChoice(model=m.model, max_tokens=9) for m in SETTINGS.models]}),
]


@pytest.mark.parametrize(("seed_change", "settings_change"), CHANGES)
def test_the_fingerprint_changes_with_what_determines_rows(
    seed_change: dict[str, Any], settings_change: dict[str, Any]
) -> None:
    seed = a_seed().model_copy(update=seed_change)
    changed = SETTINGS.model_copy(update=settings_change)
    assert fingerprint(seed, changed) != fingerprint(a_seed(), SETTINGS)


def test_the_fingerprint_does_not_change_with_anything_else() -> None:
    others = SETTINGS.model_copy(update={"rows": 9, "concurrency": 1, "timeout": 3.0})
    seed = a_seed()
    more = {
        "topics": [*seed.topics, "Ponds"],
        "perspectives": ["Other"],
        "rules": ["  "],
        "quotas": [Quota(topic="Clay soils", perspective="Other", rows=3)],
        "examples": [*seed.examples, Example(question="Unanswered?", answer="")],
    }
    assert fingerprint(seed.model_copy(update=more), others) == fingerprint(seed, SETTINGS)
    here, there = (
        GenerationSettings(models=[ModelChoice(model="m", base_url=f"http://{host}/v1")])
        for host in ("a", "b")
    )
    assert fingerprint(seed, here) == fingerprint(seed, there)


def test_the_fingerprint_changes_with_the_prompts(monkeypatch: pytest.MonkeyPatch) -> None:
    before = fingerprint(a_seed(), SETTINGS)
    assert any("answer_system.jinja2" in text for text in prompting.sources())
    monkeypatch.setattr(prompting, "sources", lambda: iter(["another prompt"]))
    assert fingerprint(a_seed(), SETTINGS) != before


def test_planning_a_hundred_thousand_cells_is_quick() -> None:
    seed = Seed(
        domain="d",
        topics=[f"t{n}" for n in range(500)],
        perspectives=[f"p{n}" for n in range(200)],
    )
    quotas = list(plan(seed, SETTINGS, [], 150_000).quotas())
    assert sum(quota.count for quota in quotas) == 150_000


def _quotas(seed: Seed, rows: dict[int, int]) -> Seed:
    """``seed`` with quotas for some of its cells, by their place, in another spelling."""
    cells = seed.cells()
    quotas = [
        Quota(topic=cells[at].topic.upper(), perspective=f" {cells[at].perspective}  ", rows=count)
        for at, count in rows.items()
    ]
    return seed.model_copy(update={"quotas": quotas})


def _spread(have: list[int], fixed: dict[int, int], rows: int) -> list[int]:
    """What ``plan`` is to add, row by row: the next one goes to the first of the emptiest cells."""
    free = [at for at in range(len(have)) if at not in fixed]
    added = [max(0, fixed.get(at, 0) - have[at]) for at in range(len(have))]
    levels = {at: have[at] for at in free}
    for _ in range(rows - sum(fixed.values()) - sum(levels.values())):
        if not levels:
            break
        at = min(levels, key=lambda one: (levels[one], one))
        levels[at] += 1
        added[at] += 1
    return added


@settings(deadline=None, max_examples=150)
@given(
    st.lists(st.integers(0, 5), min_size=4, max_size=4),
    st.dictionaries(st.integers(0, 3), st.integers(0, 8)),
    st.integers(1, 40),
)
def test_quotas_are_met_exactly_and_the_rest_is_spread(
    have: list[int], fixed: dict[int, int], rows: int
) -> None:
    seed = _quotas(a_seed(), fixed)
    cells = seed.cells()
    numbers = iter(range(100))
    samples = [
        _made(seed, next(numbers), at) for at, count in enumerate(have) for _ in range(count)
    ]
    planned = dict(plan(seed, SETTINGS, samples, rows).counts)
    assert [planned.get(cell, 0) for cell in cells] == _spread(have, fixed, rows)
    grown = [
        *samples,
        *(
            _made(seed, next(numbers), cells.index(cell))
            for cell, n in planned.items()
            for _ in range(n)
        ),
    ]
    assert plan(seed, SETTINGS, grown, rows).rows == 0


@given(st.dictionaries(st.integers(0, 3), st.integers(0, 8)), st.integers(1, 40))
def test_an_empty_project_grows_to_what_is_wanted(fixed: dict[int, int], rows: int) -> None:
    seed = _quotas(a_seed(), fixed)
    planned = {cell_key(cell): count for cell, count in plan(seed, SETTINGS, [], rows).counts}
    wanted = wanted_rows(seed, rows)
    assert planned == {key: count for key, count in wanted.items() if count}


def test_a_quota_for_an_unknown_cell_counts_for_nothing_and_is_told() -> None:
    seed = a_seed().model_copy(
        update={"quotas": [Quota(topic="Ponds", perspective="Beginner", rows=7)]}
    )
    assert plan(seed, SETTINGS, [], 4).counts == plan(a_seed(), SETTINGS, [], 4).counts
    assert [problem.field for problem in check(seed)] == ["quotas"]


def test_in_a_round_what_people_accepted_counts_towards_a_quota() -> None:
    seed = _quotas(a_seed(), {0: 3, 1: 0})
    accepted = (CellCount(topic="Clay soils", perspective="Agronomist", accepted=2),)
    after = Round(number=2, made_at="2026-01-01T00:00:00Z", accepted=accepted)
    planned = {cell_key(cell): n for cell, n in plan(seed, SETTINGS, [], 9, after).counts}
    keys = [cell_key(cell) for cell in seed.cells()]
    assert [planned.get(key, 0) for key in keys] == [1, 0, 4, 4]
