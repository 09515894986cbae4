"""Figures about samples: right, told in one pass, and in bounded memory."""

from __future__ import annotations

import json
import statistics
import tracemalloc
from collections.abc import Iterator

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core.schema import Cell, Completion, Sample
from pipeline.curation.analysis import Analysis, OutlierKind, Shown, analyse
from pipeline.curation.consensus import settle
from pipeline.curation.judgements import Judgements
from pipeline.curation.measures import MOST_BINS, Distribution, Lengths, Top, excerpt, words
from tests.factories import a_sample, thumb


def spread_of(values: list[int]) -> Distribution:
    lengths = Lengths()
    for value in values:
        lengths.add(value)
    return lengths.distribution()


def rated(number: int, *ratings: float | None, **changes: object) -> Sample:
    sample = a_sample(number, [""] * len(ratings))
    completions = tuple(
        completion.model_copy(update={"judge_rating": rating})
        for completion, rating in zip(sample.completions, ratings, strict=True)
    )
    return sample.model_copy(update={"completions": completions, **changes})


def outliers(found: Analysis, kind: OutlierKind) -> tuple[Shown, ...]:
    return next((group.samples for group in found.outliers if group.kind == kind), ())


@given(st.lists(st.integers(0, 50_000), min_size=1, max_size=200))
def test_quantiles_and_bins_tell_of_every_value(values: list[int]) -> None:
    found = spread_of(values)
    assert (found.count, found.total, found.least, found.most) == (
        len(values), sum(values), min(values), max(values),
    )  # fmt: skip
    assert sum(one.count for one in found.bins) == len(values)
    assert len(found.bins) <= MOST_BINS
    assert found.p5 <= found.p25 <= found.median <= found.p75 <= found.p95 <= found.most
    assert found.median == pytest.approx(statistics.median_low(values), rel=0.01)
    for one, following in zip(found.bins, found.bins[1:], strict=False):
        assert one.end == following.start
    assert found.bins[-1].end is None or found.most < found.bins[-1].end


def test_what_is_far_out_does_not_flatten_the_histogram() -> None:
    found = spread_of([*range(10, 30)] * 20 + [90_000])
    assert found.bins[-1].end is None
    assert sum(one.count > 0 for one in found.bins) >= 15


def test_no_values_are_no_error() -> None:
    found = spread_of([])
    assert (found.count, found.mean, found.bins, found.z(5)) == (0, 0.0, (), 0.0)


@pytest.mark.parametrize(
    ("text", "count"), [("one two\nthree", 3), ("", 0), ("土壌は何", 4), ("où est-ce 土", 3)]
)
def test_words_are_counted_in_every_script(text: str, count: int) -> None:
    assert words(text) == count


def test_an_excerpt_is_one_short_line_that_can_be_shown() -> None:
    shown = excerpt("a\n\x1b[31m\x00b " + "x" * 10_000, 40)
    assert len(shown) <= 40
    assert shown.startswith("a �[31m�b x")
    assert shown.endswith("…")


def test_top_keeps_the_first_of_equals() -> None:
    top = Top[str](2)
    for rank, name in [(1, "a"), (2, "b"), (2, "c"), (2, "d")]:
        top.add(rank, name)
    assert list(top.items()) == [(2, "b"), (2, "c")]
    assert not top.wants(2)


def test_samples_are_counted_by_cell_run_fingerprint_and_round() -> None:
    samples = [
        a_sample(1),
        a_sample(2, topic="clay  SOILS", run_id="second", fingerprint="e" * 16),
        a_sample(3, topic="Ponds", run_id="second"),
    ]
    cells = [Cell(topic="Clay soils", perspective="Agronomist")]
    found = analyse(samples, cells, round_of={"run": None, "second": 2})
    assert found.coverage.as_json() == {"Clay soils": {"Agronomist": 2}, "Ponds": {"Agronomist": 1}}
    assert found.runs == {"run": 1, "second": 2}
    assert found.fingerprints == {"f" * 16: 2, "e" * 16: 1}
    assert found.rounds == {None: 1, 2: 2}


def test_accepted_are_good_ones_and_edited_ones() -> None:
    samples = [a_sample(number) for number in range(3)]
    events = [
        thumb(samples[0], 0, True),
        thumb(samples[0], 1, False),
        thumb(samples[1], 0, None, task="edit", status="submitted", text="Mine."),
    ]
    found = analyse(samples, consensus=settle(Judgements.of(events)))
    assert found.accepted_samples == found.accepted.total() == 2
    assert found.judged.total() == 2
    assert [(m.model, m.accepted, m.turned_down) for m in found.models] == [
        ("maker/model-0", 1, 0),
        ("maker/model-1", 0, 1),
    ]


def test_models_tokens_and_finish_reasons() -> None:
    sample = a_sample(1)
    first, second = sample.completions
    cut = second.model_copy(
        update={"model": first.model, "finish_reason": None, "tokens_in": 5, "tokens_out": 7}
    )
    found = analyse([sample, a_sample(2).model_copy(update={"completions": (cut,)})])
    assert found.finish_reasons == {"stop": 2, "not told": 1}
    assert [(m.model, m.completions) for m in found.models] == [
        (first.model, 2),
        (second.model, 1),
    ]
    assert (found.tokens_in, found.tokens_out, found.untold_tokens) == (5, 7, 2)


def test_ratings_keep_missing_ones_apart() -> None:
    found = analyse([rated(1, 4.6, None), rated(2, 1.0, float("nan"))])
    assert (found.ratings.rated, found.ratings.unrated) == (2, 2)
    assert found.ratings.mean == pytest.approx(2.8)
    assert found.ratings.stars == ((1, 1), (2, 0), (3, 0), (4, 0), (5, 1))
    assert analyse([rated(1, None, None)]).ratings.mean is None


def test_a_sample_counts_once_for_a_flag_however_often_it_carries_it() -> None:
    sample = a_sample(1)
    name = sample.completions[0].completion_id
    flags = ("duplicate", f"refusal:{name}", f"refusal:{sample.completions[1].completion_id}")
    found = analyse([sample.model_copy(update={"flags": flags}), a_sample(2, flags=("mine",) * 2)])
    assert found.flagged == 2
    assert {flag.name: flag.samples for flag in found.flags} == {
        "duplicate": 1, "refusal": 1, "mine": 1,
    }  # fmt: skip
    by_name = {flag.name: flag for flag in found.flags}
    assert by_name["refusal"].examples[0].excerpt.startswith("Answer A")
    assert by_name["duplicate"].examples[0].excerpt == sample.instruction
    assert "word for word" in by_name["duplicate"].reason


def test_only_what_stands_out_is_worth_a_look() -> None:
    plain = [a_sample(n, ["one two three", "one two three"]) for n in range(60)]
    assert analyse(plain).outliers == ()
    odd = a_sample(99, ["long " * 900, "short"], instruction="Why?")
    found = analyse([*plain, odd])
    assert [shown.sample_id for shown in outliers(found, "long_answers")] == [odd.sample_id]
    assert outliers(found, "long_answers")[0].note == "900 words"
    assert [shown.note for shown in outliers(found, "short_instructions")] == ["1 word"]


def test_the_lowest_rated_and_the_most_disputed_are_shown() -> None:
    samples = [rated(n, 4, 4) for n in range(30)]
    samples.append(rated(50, 1, 5, flags=("duplicate", "mine")))
    found = analyse(samples)
    assert [shown.note for shown in outliers(found, "lowest_rated")] == ["rated 1"]
    assert [shown.note for shown in outliers(found, "ratings_differ")] == ["rated 1 and 5"]
    assert [shown.note for shown in outliers(found, "most_flagged")] == ["duplicate, mine"]
    assert not analyse(samples[:30]).outliers


def test_the_figures_are_json() -> None:
    text = json.dumps(analyse([rated(1, 4, None, flags=("mine",))]).as_json(), allow_nan=False)
    assert json.loads(text)["rounds"] == {"0": 1}
    assert json.loads(text)["flags"] == {"mine": 1}
    json.dumps(analyse([]).as_json(), allow_nan=False)


def test_twenty_thousand_samples_are_not_held() -> None:
    words_of = [f"word{number}" for number in range(997)]

    def many() -> Iterator[Sample]:
        for number in range(20_000):
            text = " ".join(words_of[(number * 7 + place) % 997] for place in range(number % 100))
            completion = Completion(
                completion_id="c",
                text=text * 2,
                model="m",
                parameters="{}",
                judge_rating=number % 5,
            )
            yield Sample.model_construct(
                sample_id=f"{number:016d}",
                instruction=text,
                completions=(completion,),
                topic=f"topic {number % 40}",
                perspective=f"view {number % 5}",
                flags=("duplicate",),
                run_id="run",
                fingerprint="f",
                created_at="",
            )

    tracemalloc.start()
    try:
        found = analyse(many())
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.samples == 20_000
    assert peak < 3_000_000  # the texts alone are more than twenty
