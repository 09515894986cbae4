"""A run into a project: early shards, nothing twice, nothing lost."""

from __future__ import annotations

import json
import re
import signal
import sqlite3
import subprocess
import sys
import textwrap
import time
from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import store_hub
from pipeline.core.errors import (
    InvalidInput,
    ModelUnavailable,
    NotAllowed,
    ProjectNotFound,
    RateLimited,
    StoreUnavailable,
)
from pipeline.core.projects import make_project
from pipeline.core.rounds import CellCount, Round
from pipeline.core.runs import RunRecord, read_runs
from pipeline.core.samples import read_samples, read_shard
from pipeline.core.schema import GenerationSettings, ModelChoice, Project, Sample, Seed
from pipeline.core.store import Data
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.generation import running, shards
from pipeline.generation.access import ModelAccess
from pipeline.generation.run import generate
from pipeline.generation.running import Progress, new_run_id
from tests.factories import a_seed
from tests.generation.conftest import settings_for
from tests.hub_server import Fault as HubFault
from tests.hub_server import HubServer
from tests.llm_server import Fault, Latency, LlmServer, Received, reply

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
        files: Mapping[str, Data],
        *,
        message: str,
        expect: Mapping[str, str | None] | None = None,
        remove: Collection[str] = (),
    ) -> None:
        self.commits.append(list(files))
        if self.troubles and not self.applied:
            raise self.troubles.pop()
        super().commit(files, message=message, expect=expect, remove=remove)
        if self.troubles:
            raise self.troubles.pop()


@pytest.fixture
def store(folder: Path) -> Flaky:
    """A project in a folder."""
    store = Flaky(folder)
    make_project(store, a_seed(), Project())
    store.commits.clear()
    return store


def _shards(store: FolderStore) -> list[str]:
    return [file.path for file in store.files("samples")]


def _run(
    store: FolderStore,
    rows: int,
    settings: GenerationSettings = STAND_IN,
    seed: Seed | None = None,
    **options: Any,  # noqa: ANN401
) -> RunRecord:
    options.setdefault("work", store.work_folder)
    return generate(store, seed or a_seed(), settings, ACCESS, rows=rows, **options)


def test_samples_arrive_in_the_project(store: Flaky) -> None:
    record = _run(store, 24)
    samples = list(read_samples(store))
    assert len(samples) == 24
    assert (record.wanted, record.samples, record.missing) == (24, 24, 0)
    assert {s.run_id for s in samples} == {record.run_id}
    assert {s.fingerprint for s in samples} == {record.fingerprint}
    assert record.failures == ()
    assert (record.calls, record.cost) == (0, 0)
    cells = Counter((s.topic, s.perspective) for s in samples)
    assert set(cells.values()) == {6}
    assert _shards(store)
    assert all(path.startswith(f"samples/{record.run_id}/") for path in _shards(store))


def test_the_same_command_twice_does_nothing(store: Flaky) -> None:
    _run(store, 12)
    before = store.files()
    again = _run(store, 12)
    assert (again.state, again.wanted, again.samples, again.calls) == ("finished", 0, 0, 0)
    assert store.files() == before


def test_asking_for_more_adds_what_is_missing(store: Flaky) -> None:
    first = {s.sample_id for s in _samples(store, 10)}
    record = _run(store, 25)
    samples = list(read_samples(store))
    assert record.samples == 15
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
    record = _run(store, 4, settings_for(server.url, instructions_per_call=1))
    assert (record.samples, record.missing, record.incomplete) == (0, 4, 0)
    by_kind = {(f.stage, f.kind): f.count for f in record.failures}
    # Each row was tried twice.
    assert by_kind == {("completion", "rejected"): 8, ("completion", "empty"): 8}
    assert all(f.example.endswith(".") for f in record.failures)
    server.heal()
    server.fail(Fault(text="", when=lambda r: r.model == "b/two" and not r.wanted))
    record = _run(store, 4, settings_for(server.url))
    assert (record.samples, record.missing, record.incomplete) == (4, 0, 4)
    assert record.tokens_in > 0
    assert record.tokens_out > 0


def test_progress_ends_where_the_record_is(store: Flaky, server: LlmServer) -> None:
    server.latency = Latency(0.05)
    seen: list[Progress] = []
    record = _run(store, 40, settings_for(server.url), on_progress=seen.append)
    counts = [now.record.samples for now in seen]
    assert counts == sorted(counts)
    assert counts[-1] == record.samples == 40
    assert seen[-1].record.calls == record.calls == len(server.requests)
    assert {now.record.wanted for now in seen} == {40}
    assert max(now.in_flight for now in seen) == 8
    assert (seen[0].left, seen[-1].left) == (None, 0)


def test_the_first_samples_are_there_while_the_rest_is_made(
    store: Flaky, monkeypatch: pytest.MonkeyPatch, server: LlmServer
) -> None:
    server.latency = Latency(0.02)
    found: dict[int, int] = {}

    def look(progress: Progress) -> None:
        found[progress.record.samples] = len(_shards(store))

    monkeypatch.setattr(running, "_SHOWN_EVERY", 0.01)
    _run(store, 60, settings_for(server.url), on_progress=look)
    assert found[0] == 0
    assert max(shards for count, shards in found.items() if count < 60) == 1
    assert len(store.commits) == len(_shards(store)) == 2

    monkeypatch.setattr(shards, "EVERY", 0.1)
    store.commits.clear()
    _run(store, 160, settings_for(server.url))
    assert len(store.commits) > 3


def test_a_commit_holds_files_of_at_most_the_shard_size(store: Flaky) -> None:
    _run(store, 50, shard_size=7)
    sizes = [len(list(read_shard(store.checkout("samples") / path))) for path in _shards(store)]
    assert sum(sizes) == 50
    assert max(sizes) == 7
    assert len(store.commits) <= 3


def test_a_run_id_used_before_continues_after_its_shards(store: Flaky) -> None:
    for rows in (4, 8):
        _run(store, rows, run_id="mine")
    assert _shards(store) == ["samples/mine/00000.parquet", "samples/mine/00001.parquet"]


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
    _run(store, 40)
    assert len(list(read_samples(store))) == 40


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
        _run(store, 4, seed=Seed(domain="d", perspectives=["p"]))


def test_what_was_made_before_an_endpoint_died_is_saved(store: Flaky, server: LlmServer) -> None:
    server.fail(Fault(status=401, when=lambda _: len(server.requests) > 60))
    with pytest.raises(ModelUnavailable, match="refuses"):
        _run(store, 400, settings_for(server.url))
    (record,) = _records(store)
    assert (record.state, "refuses" in record.why) == ("failed", True)
    assert len(list(read_samples(store))) == record.samples > 5
    server.heal()
    rest = _run(store, 40, settings_for(server.url))
    assert rest.samples == 40 - record.samples
    assert rest.cached > 0


_RUN = textwrap.dedent(
    """
    import sys
    from pipeline.core.store_folder import FolderStore
    from pipeline.generation.access import ModelAccess
    from pipeline.generation.run import generate
    from tests.factories import a_seed
    from tests.generation.conftest import settings_for

    store = FolderStore(sys.argv[1])
    record = generate(store, a_seed(), settings_for(sys.argv[2]), ModelAccess(), rows=120,
                      work=store.work_folder)
    print(record.cached, flush=True)
    """
)


def _start(folder: Path, server: LlmServer) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", _RUN, str(folder), server.url],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def _answered(server: LlmServer, at_least: int) -> None:
    deadline = time.monotonic() + 30
    while sum(call.answered for call in server.calls) < at_least:
        assert time.monotonic() < deadline
        time.sleep(0.005)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_no_answered_call_is_repeated_however_a_run_ends(
    store: Flaky, folder: Path, tmp_path: Path, number: signal.Signals
) -> None:
    with LlmServer(latency=Latency(0.05)) as server:
        running = _start(folder, server)
        _answered(server, 180)
        ended = time.monotonic()
        running.send_signal(number)
        _, errors = running.communicate(timeout=20)
        assert running.returncode != 0
        assert ("KeyboardInterrupt" in errors) == (number == signal.SIGINT)
        time.sleep(0.3)
        first_life = list(server.calls)
        # An answer that had only just arrived may not have been read when the process died.
        answered = {call.digest for call in first_life if call.sent and call.sent < ended - 0.5}
        before = {sample.sample_id for sample in read_samples(store)}
        again = _start(folder, server)
        told, errors = again.communicate(timeout=60)
        assert again.returncode == 0, errors
        assert int(told) > 0
        assert len(answered) > 100
        assert not answered & {call.digest for call in server.calls[len(first_life) :]}
        samples = list(read_samples(store))
        assert len(samples) == len({sample.sample_id for sample in samples}) == 120
        assert before <= {sample.sample_id for sample in samples}

        other = FolderStore(tmp_path / "whole")
        make_project(other, a_seed(), Project())
        _run(other, 120, settings_for(server.url))
        assert _contents(samples) == _contents(read_samples(other))


def _contents(samples: Iterable[Sample]) -> set[tuple[object, ...]]:
    return {
        (s.sample_id, s.instruction, s.lineage, tuple(c.text for c in s.completions))
        for s in samples
    }


def _records(store: FolderStore) -> list[RunRecord]:
    found = list(read_runs(store))
    assert all(isinstance(record, RunRecord) for record in found)
    return [record for record in found if isinstance(record, RunRecord)]


def test_the_record_tells_what_a_run_did_and_cost(store: Flaky, server: LlmServer) -> None:
    priced = [
        ModelChoice(model=name, base_url=server.url, price_in=1, price_out=2, max_tokens=50)
        for name in ("a/one", "b/two")
    ]
    settings = GenerationSettings(models=priced)
    record = _run(store, 12, settings)
    (stored,) = _records(store)
    assert (stored.state, stored.why, stored.samples, stored.wanted) == ("finished", "", 12, 12)
    assert stored.settings == settings.model_dump(mode="json")
    assert stored.cost == record.cost
    assert record.cost == pytest.approx((record.tokens_in + 2 * record.tokens_out) / 1e6)
    assert (stored.calls, stored.unpriced) == (len(server.requests), ())
    # The same records travel with the samples: the first commit has one already.
    assert all(any(path.startswith("runs/") for path in commit) for commit in store.commits)


def test_a_budget_stops_a_run_and_a_larger_one_goes_on(store: Flaky, server: LlmServer) -> None:
    priced = [
        ModelChoice(model=name, base_url=server.url, price_in=1, price_out=1, max_tokens=50)
        for name in ("a/one", "b/two")
    ]
    settings = GenerationSettings(models=priced)
    record = _run(store, 60, settings, budget=0.02)
    assert record.state == "stopped"
    assert "budget of $0.02" in record.why
    assert 0 < record.samples < 60
    assert record.cost is not None
    assert record.cost <= 0.02
    paid = {call.digest for call in server.calls}
    more = _run(store, 60, settings, budget=1)
    assert more.state == "finished"
    assert record.samples + more.samples == 60
    assert len(server.calls) == record.calls + more.calls
    assert len({call.digest for call in server.calls}) == len(server.calls) > len(paid)


def test_a_budget_needs_every_price_before_anything_is_done(
    store: Flaky, server: LlmServer
) -> None:
    with pytest.raises(InvalidInput, match="a/one, b/two is unknown"):
        _run(store, 4, settings_for(server.url), budget=1)
    assert (server.requests, _records(store)) == ([], [])


def test_two_runs_of_a_project_do_not_pay_for_the_same_rows(
    store: Flaky, folder: Path, server: LlmServer
) -> None:
    server.latency = Latency(0.2)
    running = _start(folder, server)
    _answered(server, 1)
    with pytest.raises(InvalidInput, match=r"being generated .* already"):
        _run(store, 4, settings_for(server.url))
    running.kill()
    running.communicate()
    assert _run(store, 4).samples == 4


def test_a_crash_in_a_step_keeps_what_was_made_and_says_so(
    store: Flaky, server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.generation.chain import Chain

    whole = Chain.answer
    answered = 0

    async def breaks(self: Chain, *arguments: Any) -> Any:  # noqa: ANN401
        nonlocal answered
        answered += 1
        if answered > 30:
            raise ZeroDivisionError("by zero")
        return await whole(self, *arguments)

    monkeypatch.setattr(Chain, "answer", breaks)
    with pytest.raises(ZeroDivisionError):
        _run(store, 60, settings_for(server.url))
    (record,) = _records(store)
    assert (record.state, record.why) == ("failed", "ZeroDivisionError: by zero")
    assert len(list(read_samples(store))) == record.samples > 0
    monkeypatch.undo()
    paid = len(server.requests)
    rest = _run(store, 60, settings_for(server.url))
    assert rest.samples + record.samples == 60
    assert len(server.requests) - paid == rest.calls
    assert rest.cached > 0


def test_a_store_that_stays_away_costs_nothing_twice(
    store: Flaky, server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shards, "_LAST_WAITS", (0.01,))
    store.troubles = [StoreUnavailable("Away.", "Later.")] * 99
    with pytest.raises(StoreUnavailable, match="not paid for again"):
        _run(store, 20, settings_for(server.url))
    assert list(read_samples(store)) == []
    paid = len(server.requests)
    store.troubles = []
    record = _run(store, 20, settings_for(server.url))
    assert (record.samples, record.calls, len(server.requests)) == (20, 0, paid)


@pytest.mark.parametrize(
    "fault",
    [
        HubFault("commit", status=503, times=None),
        HubFault("commit", drop=True, times=None),
        HubFault("commit", status=429, retry_after=3_600, times=None),
        HubFault("commit", drop=True, applied=True, times=1),
        HubFault("commit", status=500, applied=True, times=1),
    ],
    ids=lambda fault: f"{fault.status} {fault.drop} {fault.applied}",
)
def test_an_outage_of_the_hub_loses_and_doubles_nothing(
    hub: HubServer,
    server: LlmServer,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    fault: HubFault,
) -> None:
    monkeypatch.setattr(shards, "_LAST_WAITS", (0.01, 0.01))
    monkeypatch.setattr(store_hub, "_ATTEMPTS", 2)
    store = HubStore("ana/farming", token=hub.add_user("ana"), hub=hub.url)
    make_project(store, a_seed(), Project())
    settings, seed = settings_for(server.url), a_seed()
    hub.fail(fault)
    lasting = fault.times is None
    with pytest.raises(StoreUnavailable) if lasting else nullcontext():
        generate(store, seed, settings, ACCESS, rows=20, work=tmp_path / "work")
    paid = len(server.requests)
    hub.clear_faults()
    again = generate(store, seed, settings, ACCESS, rows=20, work=tmp_path / "work")
    assert (again.samples, again.calls) == (20 if lasting else 0, 0)
    assert len(server.requests) == paid
    samples = list(read_samples(store))
    assert len(samples) == len({sample.sample_id for sample in samples}) == 20


def test_a_cache_that_cannot_be_written_stops_the_run(
    store: Flaky, server: LlmServer, tmp_path: Path
) -> None:
    work = tmp_path / "work"
    work.mkdir()
    (work / "calls.sqlite").write_bytes(b"no database" * 1_000)
    with pytest.raises(StoreUnavailable, match="remove that file"):
        _run(store, 20, settings_for(server.url), work=work)
    assert server.requests == []
    (tmp_path / "file").write_text("")
    with pytest.raises(StoreUnavailable, match="SEEDBED_WORK_DIR"):
        _run(store, 20, settings_for(server.url), work=tmp_path / "file" / "below")


def test_an_index_that_cannot_be_written_stops_the_run_with_what_to_do(
    store: Flaky, server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    from pipeline.generation.quality import Inspector

    def full(*_: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(Inspector, "inspect", full)
    with pytest.raises(StoreUnavailable, match=r"disk is full.*Make room"):
        _run(store, 20, settings_for(server.url))
    monkeypatch.undo()
    paid = len(server.requests)
    record = _run(store, 20, settings_for(server.url))
    assert (record.samples, len(server.requests)) == (20, paid + record.calls)
    assert record.cached > 0


def test_what_was_dropped_before_does_not_keep_a_run_from_adding_more(
    store: Flaky, server: LlmServer
) -> None:
    def script(request: Received) -> str | None:
        number = re.findall(r"Question (\d+)", request.asked)
        tenth = not request.wanted and int(number[-1]) % 10 == 0
        return "No." if tenth else reply(request)

    server.script = script
    quality = {"drop": ["too_short"], "minhash_similarity": None}
    settings = settings_for(server.url, "a/one", completions=1, quality=quality)
    one_cell = a_seed().model_copy(update={"topics": ["Clay"], "perspectives": ["Beginner"]})
    for rows in (100, 101, 110):
        record = _run(store, rows, settings, one_cell)
        assert (record.missing, len(list(read_samples(store)))) == (0, rows)
    assert record.dropped["too_short"] > 8
    assert len({call.digest for call in server.calls}) == len(server.calls)


def test_commits_go_one_at_a_time_however_many_wait_for_them(
    store: Flaky, server: LlmServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "MOST_HELD", 20)
    monkeypatch.setattr(shards, "MOST_HELD", 20)
    whole = Flaky.commit
    under_way, most, count = 0, 0, 0

    def slow(self: Flaky, files: Mapping[str, Data], **options: Any) -> None:  # noqa: ANN401
        nonlocal under_way, most, count
        under_way, count = under_way + 1, count + 1
        most = max(most, under_way)
        time.sleep(0.1)
        try:
            if count % 3 == 1:
                raise StoreUnavailable("Away.", "Later.")
            whole(self, files, **options)
        finally:
            under_way -= 1

    monkeypatch.setattr(Flaky, "commit", slow)
    monkeypatch.setattr(shards, "_LAST_WAITS", (0.01,) * 9)
    record = _run(store, 400, settings_for(server.url, "a/one", completions=1, concurrency=64))
    assert record.samples == len(list(read_samples(store))) == 400
    assert most == 1


def test_odd_figures_of_a_server_harm_no_row(store: Flaky, server: LlmServer) -> None:
    choices = [{"message": {"content": "It depends on the weather."}, "finish_reason": "stop"}]
    usage = {"prompt_tokens": 10**20, "completion_tokens": 1}
    body = json.dumps({"choices": choices, "usage": usage}).encode()
    server.fail(Fault(body=body, when=lambda r: not r.wanted))
    late = "Tue, 15 Nov 1994 12:45:26 +99999999999999"
    server.fail(Fault(status=429, retry_after=late, first=1))
    record = _run(store, 4, settings_for(server.url, "a/one", completions=1))
    assert (record.samples, record.missing) == (4, 0)
    assert len(list(read_samples(store))) == 4


def test_secrets_are_in_no_file_of_a_run(store: Flaky, folder: Path, server: LlmServer) -> None:
    server.key = "sk-secret"
    access = ModelAccess("hf_secret", "sk-secret")
    record = generate(
        store, a_seed(), settings_for(server.url), access, rows=8, work=store.work_folder
    )
    assert record.samples == 8
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert any(path.name == "calls.sqlite" for path in files)
    assert not [path for path in files if b"secret" in path.read_bytes()]


def test_a_round_adds_its_own_rows_to_the_cells_that_lack_accepted_ones(store: Flaky) -> None:
    _run(store, 8)
    first, *others = a_seed().cells()
    full = [CellCount(topic=c.topic, perspective=c.perspective, accepted=3) for c in others]
    after = Round(number=2, made_at="2026-01-01T00:00:00.000Z", accepted=tuple(full))
    record = _run(store, 3, after=after)
    assert (record.samples, record.round, record.other) == (3, 2, 8)
    made = [s for s in read_samples(store) if s.run_id == record.run_id]
    assert {(s.topic, s.perspective) for s in made} == {(first.topic, first.perspective)}
    assert _run(store, 3, after=after).wanted == 0


def test_run_ids_sort_by_time_and_differ() -> None:
    ids = [new_run_id() for _ in range(50)]
    assert len(set(ids)) == 50
    stamps = [run_id.partition("-")[0] for run_id in ids]
    assert stamps == sorted(stamps)
