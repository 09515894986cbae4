"""``generate`` as an engineer uses it: a trial first, a judge, a budget, rounds, and a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.cli import _words
from pipeline.core import layout
from pipeline.core.projects import make_project
from pipeline.core.samples import read_samples
from pipeline.core.schema import GenerationSettings, ModelChoice, Project
from pipeline.core.store_folder import FolderStore
from tests.factories import a_seed, thumb
from tests.hub_server import HubServer
from tests.llm_server import Latency, LlmServer
from tests.spaces import ROOT
from tests.test_cli import run


@pytest.fixture
def server() -> Iterator[LlmServer]:
    """A chat server that answers at once."""
    running = LlmServer().start()
    yield running
    running.stop(wait=False)


@pytest.fixture
def project(folder: Path, server: LlmServer) -> Path:
    """A project whose models have prices."""
    models = [
        ModelChoice(model=name, base_url=server.url, price_in=1, price_out=2, max_tokens=60)
        for name in ("a/one", "b/two")
    ]
    settings = Project(generation=GenerationSettings(models=models, concurrency=4))
    make_project(FolderStore(folder), a_seed(), settings)
    return folder


def test_a_trial_quotes_a_run_and_stores_no_sample(project: Path, server: LlmServer) -> None:
    said = run("generate", project, "--rows", 100, "--dry-run").stdout
    for word in ("samples to add", "calls", "tokens in", "cost", "$", "time"):
        assert word in said
    paid = len(server.requests)
    assert 0 < paid <= 20
    told = json.loads(run("generate", project, "--rows", 100, "--dry-run", "--json").stdout)
    assert (told["rows"], told["spent"]) == (100, 0)
    assert told["cost"]["low"] < told["cost"]["high"]
    assert len(server.requests) == paid
    assert list(read_samples(FolderStore(project))) == []


def test_a_budget_stops_cleanly_and_status_tells(project: Path) -> None:
    done = run("generate", project, "--rows", 60, "--budget", 0.02)
    assert "Stopped: The next call could exceed the budget of $0.02" in done.stdout
    made = len(list(read_samples(FolderStore(project))))
    assert 0 < made < 60
    told = run("status", project).stdout
    assert "stopped" in told
    assert f"{made} of 60 samples" in told
    record = json.loads(run("generate", project, "--rows", 60, "--json").stdout)
    assert record["samples"] == 60 - made
    assert record["state"] == "finished"
    assert run("generate", project, "--rows", 60, "--budget", -1, code=1).stderr


def test_a_budget_without_prices_says_where_to_put_them(project: Path) -> None:
    said = run("generate", project, "--model", "new/one", "--budget", 1, code=1).stderr
    assert "price_in and price_out in project.json" in said
    assert "Runs, the newest first" not in run("status", project).stdout


def test_a_judge_rates_and_one_that_judges_itself_is_noted(
    project: Path, server: LlmServer
) -> None:
    done = run("generate", project, "--rows", 4, "--judge", "judge/one", "--base-url", server.url)
    assert "judges its own" not in done.stdout
    samples = list(read_samples(FolderStore(project)))
    assert all(c.judge_rating for sample in samples for c in sample.completions)
    assert "A judge rated 8 completions" in run("status", project).stdout
    said = run("generate", project, "--rows", 4, "--judge", "a/one").stdout
    assert "Note: a/one judges its own completions" in said
    assert "4 samples that were made from other words, models or prompts" in said


def test_rounds_build_on_votes_and_are_frozen(project: Path) -> None:
    store = FolderStore(project)
    run("generate", project, "--rows", 4)
    said = run("generate", project, "--rows", 4, "--round", 2, code=1).stderr
    assert "Traceback" not in said
    assert said.strip()
    judged = list(read_samples(store))
    lines = [thumb(sample, 0, True).model_dump_json() for sample in judged[:2]]
    path = "feedback/2026/01/02/test-000000.jsonl"
    store.commit({path: ("\n".join(lines) + "\n").encode()}, message="Votes")
    run("generate", project, "--rows", 6, "--round", 2)
    frozen = store.read(layout.round_file(2)).data
    more = [thumb(sample, 0, False).model_dump_json() for sample in judged[2:]]
    later = path.replace("000000", "000001")
    store.commit({later: ("\n".join(more) + "\n").encode()}, message="Votes")
    assert "nothing to do" in run("generate", project, "--rows", 6, "--round", 2).stdout
    assert store.read(layout.round_file(2)).data == frozen
    made = [s for s in read_samples(store) if "round:2" in s.lineage]
    assert len(made) == 6
    assert "Round 2" in run("status", project).stdout
    assert "round" in run("generate", project, "--round", 5, code=1).stderr


def test_a_trial_of_a_round_freezes_nothing(project: Path) -> None:
    store = FolderStore(project)
    run("generate", project, "--rows", 2)
    votes = [thumb(sample, 0, True).model_dump_json() for sample in read_samples(store)]
    path = "feedback/2026/01/02/test-000000.jsonl"
    store.commit({path: ("\n".join(votes) + "\n").encode()}, message="Votes")
    assert "samples to add" in run("generate", project, "--round", 2, "--dry-run").stdout
    assert store.files("rounds") == []


def test_a_killed_run_goes_on_by_the_same_command(project: Path, server: LlmServer) -> None:
    server.latency = Latency(0.05)
    command = [sys.executable, "-m", "pipeline", "generate", str(project), "--rows", "60"]
    running = subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    deadline = time.monotonic() + 60
    while sum(call.answered for call in server.calls) < 90:
        assert time.monotonic() < deadline
        time.sleep(0.01)
    ended = time.monotonic()
    os.kill(running.pid, signal.SIGKILL)
    running.wait()
    time.sleep(0.3)
    first = list(server.calls)
    answered = {call.digest for call in first if call.sent and call.sent < ended - 0.5}
    run("generate", project, "--rows", 60)
    assert not answered & {call.digest for call in server.calls[len(first) :]}
    samples = list(read_samples(FolderStore(project)))
    assert len({sample.sample_id for sample in samples}) == len(samples) == 60


def test_a_run_into_a_hub_dataset_keeps_its_answers_on_this_machine(
    tmp_path: Path, server: LlmServer
) -> None:
    with HubServer() as hub:
        env = hub.client_env(hub.add_user("ana"))
        env |= {"SEEDBED_WORK_DIR": str(tmp_path / "work"), "HF_HOME": str(tmp_path / "hf")}
        seed_file = tmp_path / "seed.json"
        seed_file.write_bytes(a_seed().to_json())
        run("init", "ana/farming", "--seed", seed_file, env=env)
        words = ("generate", "ana/farming", "--model", "m/x", "--base-url", server.url)
        record = json.loads(run(*words, "--rows", 6, "--json", env=env).stdout)
        assert (record["samples"], record["state"]) == (6, "finished")
        assert "6 of 6 samples" in run("status", "ana/farming", env=env).stdout
        assert "nothing to do" in run(*words, "--rows", 6, env=env).stdout
    assert list((tmp_path / "work").rglob("calls.sqlite"))


def test_many_calls_at_once_are_no_trouble_where_few_files_may_be_open(
    project: Path, server: LlmServer
) -> None:
    server.latency = Latency(1.0)
    words = ["-m", "pipeline", "generate", str(project), "--rows", "300", "--concurrency", "400"]
    command = " ".join(["ulimit -Sn 100;", sys.executable, *words])
    done = subprocess.run(
        ["bash", "-c", command], cwd=ROOT, capture_output=True, text=True, check=False, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "300 samples added" in done.stdout
    assert server.most_in_flight > 100


@pytest.mark.parametrize(
    ("words", "read"),
    [
        (["generate", "./p", "--ray"], ["generate", "./p", "--ray", "local"]),
        (["generate", "--ray", "./p"], ["generate", "--ray", "local", "./p"]),
        (["--ray", "--rows", "4"], ["--ray", "local", "--rows", "4"]),
        (["--ray", "auto", "./p"], ["--ray", "auto", "./p"]),
        (["--ray", "head:6379"], ["--ray", "head:6379"]),
        (["--ray", "ray://head:10001"], ["--ray", "ray://head:10001"]),
        (["status", "./p"], ["status", "./p"]),
    ],
)
def test_ray_alone_means_this_machine(words: list[str], read: list[str]) -> None:
    assert _words(words) == read
