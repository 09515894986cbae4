"""A run into a project: early shards, nothing twice, nothing lost."""

from __future__ import annotations

import signal
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.core.errors import (
    InvalidInput,
    ModelUnavailable,
    NotAllowed,
    ProjectNotFound,
    RateLimited,
    StoreUnavailable,
)
from pipeline.core.projects import make_project
from pipeline.core.samples import read_samples, read_shard
from pipeline.core.schema import GenerationSettings, Project, Seed
from pipeline.core.store_folder import FolderStore
from pipeline.generation import shards
from pipeline.generation.access import ModelAccess
from pipeline.generation.run import RunSummary, generate, new_run_id
from tests.factories import a_seed
from tests.generation.conftest import settings_for
from tests.llm_server import Fault, Latency, LlmServer

ACCESS = ModelAccess()
STAND_IN = GenerationSettings()


class Flaky(FolderStore):
    """A folder whose commits fail as told, before or after they are applied."""

    def __init__(self, path: Path) -> None:
        super().__init__(path)
        self.troubles: list[Exception] = []
        self.applied = False
        self.commits: list[list[str]] = []

    def commit(
        self,
        files: Mapping[str, bytes],
        *,
        message: str,
        expect: Mapping[str, str | None] | None = None,
    ) -> None:
        self.commits.append(list(files))
        if self.troubles and not self.applied:
            raise self.troubles.pop()
        super().commit(files, message=message, expect=expect)
        if self.troubles:
            raise self.troubles.pop()


@pytest.fixture
def store(folder: Path) -> Flaky:
    """A project in a folder."""
    store = Flaky(folder)
    make_project(store, a_seed(), Project())
    store.commits.clear()
    return store


def _run(store: FolderStore, rows: int, settings: GenerationSettings = STAND_IN) -> RunSummary:
    return generate(store, a_seed(), settings, ACCESS, rows=rows)


def test_samples_arrive_in_the_project(store: Flaky) -> None:
    summary = _run(store, 24)
    samples = list(read_samples(store))
    assert len(samples) == 24
    assert (summary.wanted, summary.samples, summary.missing) == (24, 24, 0)
    assert {s.run_id for s in samples} == {summary.run_id}
    assert {s.fingerprint for s in samples} == {summary.fingerprint}
    assert summary.failures == ()
    assert summary.calls == 12 + 48 - 4
    cells = Counter((s.topic, s.perspective) for s in samples)
    assert set(cells.values()) == {6}
    for path in summary.shards:
        assert path.startswith(f"samples/{summary.run_id}/")
        assert store.read(path)


def test_the_same_command_twice_does_nothing(store: Flaky) -> None:
    _run(store, 12)
    before = store.files()
    again = _run(store, 12)
    assert (again.wanted, again.samples, again.calls, again.shards) == (0, 0, 0, ())
    assert store.files() == before


def test_asking_for_more_adds_what_is_missing(store: Flaky) -> None:
    first = {s.sample_id for s in _samples(store, 10)}
    summary = _run(store, 25)
    samples = list(read_samples(store))
    assert summary.samples == 15
    assert first < {s.sample_id for s in samples}
    assert len({s.instruction for s in samples}) == 25


def _samples(store: FolderStore, rows: int) -> list:  # type: ignore[type-arg]
    _run(store, rows)
    return list(read_samples(store))


def test_changed_settings_grow_rows_under_another_fingerprint(store: Flaky) -> None:
    _run(store, 4)
    more = _run(store, 4, STAND_IN.model_copy(update={"completions": 3}))
    samples = list(read_samples(store))
    assert more.samples == 4
    assert Counter(s.fingerprint for s in samples).most_common(1)[0][1] == 4
    assert len({s.sample_id for s in samples}) == 8


def test_the_summary_counts_what_failed_and_why(store: Flaky, server: LlmServer) -> None:
    server.fail(Fault(text="", when=lambda r: r.model == "b/two" and not r.wanted))
    server.fail(
        Fault(status=400, message="no", when=lambda r: "Question 1" in r.messages[-1]["content"])
    )
    summary = generate(
        store, a_seed(), settings_for(server.url, instructions_per_call=1), ACCESS, rows=4
    )
    assert (summary.samples, summary.missing, summary.incomplete) == (0, 4, 0)
    by_kind = {(f.stage, f.kind): f.count for f in summary.failures}
    assert by_kind == {("completion", "rejected"): 4, ("completion", "empty"): 4}
    assert all(f.example.endswith(".") for f in summary.failures)
    server.heal()
    server.fail(Fault(text="", when=lambda r: r.model == "b/two" and not r.wanted))
    summary = generate(store, a_seed(), settings_for(server.url), ACCESS, rows=4)
    assert (summary.samples, summary.missing, summary.incomplete) == (4, 0, 4)
    assert summary.tokens_in > 0
    assert summary.tokens_out > 0


def test_progress_ends_where_the_summary_is(store: Flaky) -> None:
    seen: list[RunSummary] = []
    summary = generate(store, a_seed(), STAND_IN, ACCESS, rows=9, on_progress=seen.append)
    assert [s.samples for s in seen] == list(range(1, 10))
    assert seen[-1].calls == summary.calls
    assert {s.wanted for s in seen} == {9}


def test_the_first_samples_are_there_while_the_rest_is_made(
    store: Flaky, monkeypatch: pytest.MonkeyPatch, server: LlmServer
) -> None:
    server.latency = Latency(0.01)
    found: dict[int, int] = {}

    def look(progress: RunSummary) -> None:
        found[progress.samples] = len(store.files("samples"))

    summary = generate(store, a_seed(), settings_for(server.url), ACCESS, rows=60, on_progress=look)
    assert found[10] == 0
    assert found[60] == 1
    assert len(store.commits) == 2
    assert len(summary.shards) == 2

    monkeypatch.setattr(shards, "EVERY", 0.1)
    store.commits.clear()
    generate(store, a_seed(), settings_for(server.url), ACCESS, rows=160)
    assert len(store.commits) > 3


def test_a_commit_holds_files_of_at_most_the_shard_size(store: Flaky) -> None:
    summary = generate(store, a_seed(), STAND_IN, ACCESS, rows=50, shard_size=7)
    sizes = [len(list(read_shard(store.checkout("samples") / path))) for path in summary.shards]
    assert sum(sizes) == 50
    assert max(sizes) == 7
    assert len(store.commits) <= 3


def test_a_run_id_used_before_continues_after_its_shards(store: Flaky) -> None:
    for rows in (4, 8):
        generate(store, a_seed(), STAND_IN, ACCESS, rows=rows, run_id="mine")
    assert [f.path for f in store.files("samples")] == [
        "samples/mine/00000.parquet",
        "samples/mine/00001.parquet",
    ]


def test_a_store_that_is_away_for_a_while_loses_nothing(
    store: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_LAST_WAITS", (0.01, 0.01))
    store.troubles = [RateLimited("Too many.", 0.01), StoreUnavailable("Away.", "Later.")]
    assert _run(store, 40).samples == 40
    assert len(list(read_samples(store))) == 40


def test_a_commit_whose_reply_is_lost_is_repeated_without_harm(
    store: Flaky, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_LAST_WAITS", (0.01,))
    store.troubles, store.applied = [StoreUnavailable("No reply.", "Later.")], True
    summary = _run(store, 40)
    assert len(list(read_samples(store))) == 40
    assert len(set(summary.shards)) == len(summary.shards)


def test_a_store_that_stays_away_says_so(store: Flaky, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shards, "_LAST_WAITS", (0.01,))
    store.troubles = [StoreUnavailable("Away.", "Later.")] * 99
    with pytest.raises(StoreUnavailable, match="last samples could not be saved"):
        _run(store, 4)


def test_losing_write_access_stops_the_run(store: Flaky, server: LlmServer) -> None:
    store.troubles = [NotAllowed("Not yours.", "Ask.")] * 99
    with pytest.raises(NotAllowed):
        _run(store, 2_000, settings_for(server.url))
    assert len(server.requests) < 2_000


def test_a_project_that_cannot_be_written_costs_no_call(
    store: Flaky, server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Flaky, "can_write", lambda _: False)
    with pytest.raises(NotAllowed, match="Nothing was generated"):
        _run(store, 4, settings_for(server.url))
    assert server.requests == []


def test_a_missing_project_and_a_seed_that_is_not_ready_are_refused(
    tmp_path: Path, store: Flaky
) -> None:
    with pytest.raises(ProjectNotFound):
        _run(FolderStore(tmp_path / "none"), 4)
    with pytest.raises(InvalidInput, match="no topic"):
        generate(store, Seed(domain="d", perspectives=["p"]), STAND_IN, ACCESS, rows=4)


def test_what_was_made_before_an_endpoint_died_is_saved(store: Flaky, server: LlmServer) -> None:
    server.fail(Fault(status=401, when=lambda _: len(server.requests) > 60))
    made: list[RunSummary] = []
    with pytest.raises(ModelUnavailable, match="refuses"):
        generate(
            store, a_seed(), settings_for(server.url), ACCESS, rows=400, on_progress=made.append
        )
    assert len(list(read_samples(store))) == made[-1].samples > 5
    server.heal()
    rest = _run(store, 40, settings_for(server.url))
    assert rest.samples == 40 - made[-1].samples


_RUN = textwrap.dedent(
    """
    import sys
    from pipeline.core.store_folder import FolderStore
    from pipeline.generation.access import ModelAccess
    from pipeline.generation.run import generate
    from tests.factories import a_seed
    from tests.generation.conftest import settings_for

    def show(progress):
        print(progress.samples, flush=True)

    generate(FolderStore(sys.argv[1]), a_seed(), settings_for(sys.argv[2]), ModelAccess(),
             rows=500, on_progress=show)
    """
)


def test_an_interrupted_run_saves_each_sample_it_has_shown(store: Flaky, folder: Path) -> None:
    with LlmServer(latency=Latency(0.05)) as server:
        run = subprocess.Popen(
            [sys.executable, "-c", _RUN, str(folder), server.url],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert run.stdout is not None
        for _ in range(25):
            run.stdout.readline()
        run.send_signal(signal.SIGINT)
        rest, errors = run.communicate(timeout=20)
        calls = len(server.requests)
        time.sleep(0.3)
        assert len(server.requests) == calls
    shown = 25 + len(rest.split())
    assert run.returncode != 0
    assert "KeyboardInterrupt" in errors
    assert len(list(read_samples(store))) == shown


def test_run_ids_sort_by_time_and_differ() -> None:
    ids = [new_run_id() for _ in range(50)]
    assert len(set(ids)) == 50
    stamps = [run_id.partition("-")[0] for run_id in ids]
    assert stamps == sorted(stamps)
