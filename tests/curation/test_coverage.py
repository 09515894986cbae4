"""Where a project stands: figures by cell, runs and rounds."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from pipeline.core import layout
from pipeline.core.feedback import timestamp
from pipeline.core.projects import load_seed, save_seed
from pipeline.core.runs import FailureCount, RunRecord, dollars, duration
from pipeline.core.samples import to_parquet
from pipeline.core.schema import Quota
from pipeline.core.store_folder import FolderStore
from pipeline.curation.coverage import Status, status
from pipeline.curation.history import read_history
from pipeline.curation.report import render
from pipeline.curation.rounds import open_round
from pipeline.terminal import show_status
from tests.curation.test_card import work
from tests.factories import a_run, a_sample, a_seed, fill, thumb

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)


def record(store: FolderStore, *runs: RunRecord) -> None:
    store.commit({layout.run_record(run.run_id): run.to_json() for run in runs}, message="Add")


def numbered(number: int, **changes: object) -> RunRecord:
    started = timestamp(NOW + timedelta(hours=number))
    return a_run(f"run-{number}", started_at=started, **changes)


def test_other_spellings_of_a_cell_are_the_same_cell(folder: Path) -> None:
    store = FolderStore(folder)
    sample = a_sample(1, topic="clay  SOILS")
    fill(store, [sample])
    skipped = thumb(sample, 0, None).to_line().encode()
    store.commit({"feedback/2026/01/01/a-000001.jsonl": skipped}, message="Add")
    state = status(store)
    assert state.coverage.at("Clay soils", "Agronomist") == 1
    assert state.judged.total() == 0


def test_status_counts_by_cell(folder: Path) -> None:
    store = FolderStore(folder)
    work(store)
    state = status(store)
    assert state.coverage.as_json() == {
        "Clay soils": {"Agronomist": 3, "Beginner": 0},
        "Cover crops": {"Agronomist": 0, "Beginner": 0},
    }
    assert state.judged.at("Clay soils", "Agronomist") == 2
    assert (state.samples, state.annotators, state.accepted, state.preferred) == (3, 1, 1, 1)
    assert not state.stand_in()


def test_status_of_an_empty_project(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [])
    state = status(store)
    assert state.samples == 0
    assert state.coverage.total() == 0


def test_status_reads_samples_once(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = FolderStore(folder)
    work(store)
    asked: list[str] = []
    checkout = FolderStore.checkout

    def noting(self: FolderStore, prefix: str) -> Path:
        asked.append(prefix)
        return checkout(self, prefix)

    monkeypatch.setattr(FolderStore, "checkout", noting)
    status(store)
    assert asked.count(layout.SAMPLES) == 1


@pytest.mark.parametrize(
    ("updated", "state"),
    [
        (timestamp(NOW - timedelta(minutes=4)), "running"),
        (timestamp(NOW - timedelta(minutes=6)), "interrupted"),
        (timestamp(NOW + timedelta(minutes=6)), "running"),
        ("2026-03-01T11:58:00", "running"),
        ("long ago", "interrupted"),
    ],
)
def test_a_run_that_has_long_been_silent_was_interrupted(
    folder: Path, updated: str, state: str
) -> None:
    store = FolderStore(folder)
    fill(store, [])
    record(store, a_run(state="running", updated_at=updated))
    assert [run.state for run in read_history(store, NOW).runs] == [state]


def test_costs_add_up_and_unknown_is_not_free(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [])
    assert read_history(store).price() == "nothing to pay"
    record(store, numbered(1, unpriced=["m/x"]))
    assert read_history(store).price() == "price unknown"
    record(store, numbered(2, cost=1.5), numbered(3, cost=0.25))
    assert read_history(store).price() == "at least $1.75, some prices unknown"
    assert [run.record.price() for run in read_history(store).recent()] == [
        "$0.25",
        "$1.50",
        "price unknown",
    ]
    assert [dollars(cost) for cost in (0, 0.0004, 1234.5)] == ["$0.00", "$0.0004", "$1,234.50"]


@pytest.mark.parametrize(
    ("seconds", "told"),
    [(0.4, "0 s"), (59.7, "1 min 0 s"), (7_380, "2 h 3 min"), (float("inf"), "an unknown time")],
)
def test_times_are_told_in_words(seconds: float, told: str) -> None:
    assert duration(seconds) == told


def test_status_tells_of_runs_rounds_and_flags(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store = FolderStore(folder)
    work(store)
    flagged = a_sample(7, flags=("duplicate",), run_id="run-6")
    store.commit({layout.sample_shard("more", 0): to_parquet([flagged])}, message="Add")
    record(store, *(numbered(n, wanted=9, samples=8, missing=1) for n in range(1, 6)))
    failure = FailureCount(
        stage="completion", kind="timeout", count=3, example="No answer\n\x1b[2Jin 120 s."
    )
    stopped = numbered(
        6, round=2, state="stopped", why="The budget was reached.", calls=12, cached=3,
        tokens_in=4_000, tokens_out=5, seconds=75, failures=[failure], unpriced=["m/x"],
    )  # fmt: skip
    silent = numbered(7, state="running", updated_at="2020-01-01T00:00:00Z", dropped={"refusal": 4})
    record(store, stopped, silent)
    (folder / "runs/broken.json").write_text("{")
    open_round(store, 2)
    state = status(store)
    show_status("x", state)
    said = capsys.readouterr().out
    for part in (
        "The last 5 runs:",
        "run-7, 2026-03-01 19:00 UTC: interrupted: the same command goes on",
        "4 x not kept: refusal",
        "run-6, round 2, 2026-03-01 18:00 UTC: stopped",
        "12 calls paid, 3 from cache; 4,000 tokens in, 5 out; price unknown",
        "in 1 min 15 s",
        "The budget was reached.",
        "3 x completion failed (timeout): No answer [2Jin 120 s.",
        "8 of 9 samples, 1 missing",
        "Cost of all 7 runs: price unknown; the price of m/x is not known",
        "1 x duplicate: The instruction is another one's word for word.",
        "builds on 2 good and 1 bad answers",
        "Unreadable record, skipped: broken.json is not JSON",
    ):
        assert part in said
    assert "run-2," not in said
    assert "\x1b" not in said
    told = json.loads(json.dumps(state.as_json()))
    assert [run["state"] for run in told["runs"][:2]] == ["interrupted", "stopped"]
    assert told["all_runs"]["count"] == 7
    assert told["analysis"]["rounds"] == {"0": 3, "2": 1}
    assert told["rounds"][0]["good"] == 2
    assert "settings" not in told["runs"][0]


def test_quotas_show_in_status_and_report(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    store = FolderStore(folder)
    work(store)
    state = status(store)
    assert not state.uneven
    assert "of those wanted" not in _said(state, capsys)
    quotas = [
        Quota(topic="CLAY soils", perspective="beginner", rows=0),
        Quota(topic="Clay soils", perspective="Agronomist", rows=30),
        Quota(topic="Gone", perspective="Beginner", rows=500),
    ]
    seed = a_seed().model_copy(update={"quotas": quotas})
    save_seed(store, seed, expect=load_seed(store).etag, message="quotas")
    state = status(store)
    assert state.as_json()["wanted_by_cell"] == {
        "Clay soils": {"Agronomist": 30, "Beginner": 0},
        "Cover crops": {"Agronomist": 9, "Beginner": 9},
    }
    assert state.wanted == 48
    assert "3/30 (2)" in _said(state, capsys)
    page = render("farming", state)
    assert "<span>of 30</span>" in page
    assert "<span>switched off</span>" in page


def _said(state: Status, capsys: pytest.CaptureFixture[str]) -> str:
    show_status("farming", state)
    return capsys.readouterr().out
