"""The benchmark runs and tells the truth, at a scale that says nothing about speed."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.benchmarks import chain, curation, faults, kill, memory, work
from tests.benchmarks.annotating import chaos, crowd
from tests.benchmarks.contenders import Options
from tests.benchmarks.previewing import crowd as previewers
from tests.benchmarks.previewing import first
from tests.benchmarks.server import Load
from tests.llm_server import Call

pytestmark = pytest.mark.benchmark


@pytest.fixture
def options(tmp_path: Path) -> Options:
    """Eight rows and little latency, but enough to be killed in."""
    return Options(tmp_path, rows=8, in_flight=4, load=Load(mean=0.1, cap=0.5))


def test_contenders_do_the_same_calls_with_the_same_latencies(options: Options) -> None:
    figures = chain.measure(options)
    contenders = [figures[n] for n in ("plain_sequential", "plain_gathered", "pipeline")]
    calls = options.rows * work.CALLS
    assert [one["outcomes"] for one in contenders] == [{"answered": calls}] * 3
    assert len({one["ideal_s"] for one in contenders}) == 1
    assert all(one["most_in_flight"] <= options.in_flight for one in contenders)
    assert figures["wall_to_plain"] > 0


def test_faults_lose_and_double_nothing(options: Options) -> None:
    figures = faults.measure(options, calm_wall=1.0)
    assert figures["problems"] == []
    assert figures["rows"] == options.rows
    samples = work.samples(options.folder / "faults")
    ratings = [c.judge_rating for sample in samples for c in sample.completions]
    assert None not in ratings


def test_a_killed_run_goes_silent_and_is_finished_by_the_next(options: Options) -> None:
    figures = kill.measure(options, silence=1.0)
    assert figures["processes_left"] == 0
    assert figures["calls_after_kill"] == 0
    assert figures["problems"] == []
    assert figures["same_rows_as_uninterrupted"]


def test_memory_is_noted_as_rows_grow(tmp_path: Path) -> None:
    figures = memory.measure(tmp_path / "project", 3_000)
    assert figures["rows"] == 3_000
    assert len(figures["resident_mb"]) >= memory.MARKS // 2
    assert figures["peak_mb"] > 0


def test_a_few_votes_are_folded_and_exported_in_both_ways(tmp_path: Path) -> None:
    figures = curation.measure(tmp_path, 2_000)
    assert figures["same_rows_of_preference"]
    assert figures["ours"]["rows"]["feedback"] == figures["plain"]["rows"]["feedback"] == 2_000
    assert figures["ours"]["peak_mb"] > 0


def test_only_answered_calls_count_as_paid_again() -> None:
    first = [
        Call("kept", "a", 0, outcome="answered", sent=1),
        Call("lost", "b", 0, outcome="answered", sent=1),
        Call("on its way", "c", 0, outcome="answered", sent=9.99),
        Call("in flight", "d", 0),
        Call("failed", "e", 0, outcome="HTTP 500", sent=1),
        Call("one of two that are the same", "f", 0, outcome="answered", sent=1),
    ]
    second = [Call("", digest, 11) for digest in "bcdef"]
    found = kill.paid_again(first, second, 10, {"f": 2})
    assert found == {"paid_again": 1, "paid_again_sent_at_the_kill": 1}


def test_a_small_crowd_loses_and_doubles_nothing(tmp_path: Path) -> None:
    figures = crowd.measure(tmp_path, people=4, minutes=0.1, every=0.5, commit_seconds=2)
    assert figures["votes"] >= 20
    for name in ("errors", "rejected", "lost", "doubled", "unknown_in_the_dataset"):
        assert figures[name] == 0, name
    assert figures["questions_with_more_votes_than_wanted"] == 0
    assert set(figures["milliseconds"]) == {"hello", "next", "submit", "check"}


@pytest.mark.browser
def test_a_little_chaos_loses_and_doubles_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    few = ("503", "kill in a commit", "kill, and the disk is emptied")
    monkeypatch.setattr(chaos, "ACTS", {name: chaos.ACTS[name] for name in few})
    figures = chaos.measure(tmp_path, people=3, minutes=0.2)
    assert figures["kills"] == 2
    assert figures["votes"] > 0
    assert figures["votes_in_a_browser"] > 0
    for name in ("lost", "rejected", "doubled", "unknown_in_the_dataset", "still_kept"):
        assert figures[name] == 0, name


def test_editing_is_timed_alone_and_beside_previews(tmp_path: Path) -> None:
    figures = previewers.measure(tmp_path, visitors=3, edits=4, latency=0.2)
    assert figures["errors"] == []
    assert figures["previews"] >= 3
    assert figures["previews_incomplete"] == 0
    assert figures["edit_alone_ms"]["calls"] == figures["edit_beside_previews_ms"]["calls"] == 4


@pytest.mark.browser
def test_the_first_card_is_timed_beside_a_bare_client(tmp_path: Path) -> None:
    figures = first.measure(tmp_path, runs=2, latency=0.2)
    assert figures["first_card_ms"]["calls"] == 2
    assert figures["bare_client_ms"]["p50"] >= 400
    assert figures["first_card_ms"]["p50"] >= figures["bare_client_ms"]["p50"] - 50
