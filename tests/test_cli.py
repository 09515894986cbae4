"""The commands, as a person runs them: in a process of their own."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from pipeline.core.projects import load_project, load_seed, make_project, read_feedback
from pipeline.core.samples import read_samples
from pipeline.core.schema import Project
from pipeline.core.store_folder import FolderStore
from tests.factories import a_sample, a_seed, fill, pair, thumb
from tests.hub_server import HubServer
from tests.llm_server import Latency, LlmServer
from tests.spaces import ROOT, free_port


def run(
    *words: object, env: dict[str, str] | None = None, code: int = 0
) -> subprocess.CompletedProcess[str]:
    """Run one command and check how it ended."""
    done = subprocess.run(
        [sys.executable, "-m", "pipeline", *map(str, words)],
        cwd=ROOT,
        env={**os.environ, **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def test_demo_makes_a_project_that_can_be_voted_on(folder: Path) -> None:
    done = run("demo", folder, "--no-serve", env={"HF_HUB_OFFLINE": "1"})
    assert "48 samples added" in done.stdout
    store = FolderStore(folder)
    seed = load_seed(store).seed
    assert len(seed.topics) >= 5
    assert len(seed.perspectives) >= 4
    assert len(seed.examples) >= 4
    samples = list(read_samples(store))
    assert len(samples) >= 24
    for sample in samples:
        first, second = sample.completions
        assert first.text != second.text
        assert "stand-in" in first.model
    again = run("demo", folder, "--no-serve")
    assert "nothing to do" in again.stdout
    assert len(list(read_samples(store))) == len(samples)


def test_demo_opens_both_spaces_and_stops_cleanly(folder: Path) -> None:
    seed_port, annotate_port = free_port(), free_port()
    running = subprocess.Popen(
        [
            *(sys.executable, "-m", "pipeline", "demo", str(folder)),
            *("--seed-port", str(seed_port), "--annotate-port", str(annotate_port)),
        ],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        env={**os.environ, "PYTHONUNBUFFERED": "1"},
    )
    assert running.stdout is not None
    said = ""
    while "Ctrl-C" not in said:
        line = running.stdout.readline()
        assert line, said
        said += line
    assert f"http://127.0.0.1:{seed_port}" in said
    assert f"http://127.0.0.1:{annotate_port}" in said
    running.send_signal(signal.SIGINT)
    rest, _ = running.communicate(timeout=60)
    assert "Traceback" not in said + rest
    assert running.returncode == 1


def test_init_generate_status_and_export(folder: Path, tmp_path: Path) -> None:
    seed_file = tmp_path / "seed.json"
    seed_file.write_bytes(a_seed().to_json())
    assert "python -m pipeline generate" in run("init", folder, "--seed", seed_file).stdout
    run("generate", folder, "--rows", 6)
    assert "nothing to do" in run("generate", folder, "--rows", 6).stdout
    added = json.loads(run("generate", folder, "--rows", 8, "--json").stdout)
    assert (added["wanted"], added["samples"], added["missing"]) == (2, 2, 0)
    store = FolderStore(folder)
    sample, other = list(read_samples(store))[:2]
    lines = [thumb(sample, 0, True), thumb(sample, 1, False), pair(other, "right")]
    data = "".join(event.to_line() + "\n" for event in lines) + "rubbish\n"
    store.commit({"feedback/2026/01/01/x-000001.jsonl": data.encode()}, message="Add")
    state = json.loads(run("status", folder, "--json").stdout)
    assert state["samples"] == 8
    assert state["judgements"] == {"pairwise submitted": 1, "thumbs submitted": 2}
    assert len(state["unreadable"]) == 1
    shown = run("status", folder).stdout
    assert "Clay soils" in shown
    assert "feedback/2026/01/01/x-000001.jsonl:4" in shown
    done = run("export", folder, "--format", "kto,preference", "--to", tmp_path / "out", "--json")
    assert json.loads(done.stdout)["rows"] == {"preference": 1, "kto": 2}
    assert (tmp_path / "out/kto/train.parquet").exists()
    assert not (folder / "data").exists()
    run("export", folder)
    assert "config_name: kto" in (folder / "README.md").read_text()
    assert len(list(read_feedback(store))) == 4


def test_status_saves_a_report(folder: Path, tmp_path: Path) -> None:
    fill(FolderStore(folder), [a_sample(1)])
    page = tmp_path / "report.html"
    assert f"The report is in {page}" in run("status", folder, "--report", page).stdout
    assert "What should I know about field 1?" not in page.read_text()
    assert "Clay soils" in page.read_text()
    told = json.loads(run("status", folder, "--report", page, "--json").stdout)
    assert told["analysis"]["words"]["completions"]["count"] == 2


@pytest.mark.parametrize(
    ("name", "named"),
    [
        ("nowhere/report.html", "There is no folder"),
        ("seed_data.json", "ends in .html"),
        ("project.html", "is a folder"),
    ],
)
def test_a_report_that_cannot_be_saved_says_why(
    folder: Path, tmp_path: Path, name: str, named: str
) -> None:
    fill(FolderStore(folder), [])
    (tmp_path / "project.html").mkdir()
    assert named in run("status", folder, "--report", tmp_path / name, code=1).stderr


def test_a_hostile_topic_is_text_on_the_terminal_too(folder: Path) -> None:
    seed = a_seed().model_copy(update={"topics": ["[/red] [bold]x"], "perspectives": ["[link=y]z"]})
    make_project(FolderStore(folder), seed, Project())
    shown = run("status", folder).stdout
    assert "[/red] [bold]x" in shown
    assert "[link=y]z" in shown


def test_init_does_not_replace_a_seed(folder: Path, tmp_path: Path) -> None:
    fill(FolderStore(folder), [])
    other = tmp_path / "other.json"
    other.write_bytes(a_seed().model_copy(update={"domain": "Other"}).to_json())
    assert "not replaced" in run("init", folder, "--seed", other, code=1).stderr
    assert load_seed(FolderStore(folder)).seed == a_seed()
    run("init", folder)


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "not JSON"),
        ('{"topics": [1]}', "topics.0"),
        ('{"domain": "' + "x" * 10_000_000 + '"}', "10.0 MB"),
        (None, "cannot be read"),
    ],
)
def test_a_bad_seed_file_makes_no_project(
    folder: Path, tmp_path: Path, content: str | None, named: str
) -> None:
    seed = tmp_path / "seed.json"
    if content is not None:
        seed.write_text(content)
    assert named in run("init", folder, "--seed", seed, code=1).stderr
    assert not folder.exists()


def test_an_empty_seed_cannot_grow_and_says_why(folder: Path) -> None:
    run("init", folder)
    said = run("generate", folder, code=1).stderr
    assert "no topic yet" in said
    assert "Seed Space" in said


@pytest.mark.parametrize("command", ["generate", "status", "export", "serve"])
def test_a_missing_project_says_how_to_make_one(folder: Path, command: str) -> None:
    said = run(command, folder, code=1).stderr
    assert said.replace("\n", " ").strip() == (
        f"There is no project {folder}. Make it with: python -m pipeline init {folder}"
    )


def test_a_name_that_is_neither_hub_nor_folder(folder: Path) -> None:
    assert "names no project" in run("status", "farming", code=1).stderr


def test_an_unknown_format_and_a_url_without_a_model(folder: Path) -> None:
    fill(FolderStore(folder), [a_sample(1)])
    assert "no format 'dance'" in run("export", folder, "--format", "dance", code=1).stderr
    said = run("generate", folder, "--base-url", "http://127.0.0.1:9/v1", code=1).stderr
    assert "--model" in said
    said = run("generate", folder, "--model", "m", "--base-url", "nowhere", code=1).stderr
    assert "http://" in said


def test_generating_with_a_server_of_ones_own(folder: Path) -> None:
    fill(FolderStore(folder), [])
    with LlmServer() as server:
        run(
            "generate", folder, "--rows", 4, "--model", "m/one", "--model", "m/two",
            "--base-url", server.url,
        )  # fmt: skip
    samples = list(read_samples(FolderStore(folder)))
    assert len(samples) == 4
    assert {c.model for s in samples for c in s.completions} == {"m/one", "m/two"}


def test_an_endpoint_that_cannot_be_reached_is_one_message(folder: Path) -> None:
    fill(FolderStore(folder), [])
    said = run(
        "generate", folder, "--model", "m/x", "--base-url", f"http://127.0.0.1:{free_port()}/v1",
        code=1,
    ).stderr  # fmt: skip
    assert "127.0.0.1" in said
    assert list(read_samples(FolderStore(folder))) == []


def test_a_model_without_a_token_asks_to_sign_in(folder: Path) -> None:
    fill(FolderStore(folder), [])
    assert "HF_TOKEN" in run("generate", folder, "--model", "m/x", code=1).stderr


def test_the_whole_way_on_the_hub(hub: HubServer) -> None:
    token = hub.add_user("ana")
    env = hub.client_env(token)
    run("init", "ana/farming", "--seed", ROOT / "pipeline/demo/farming.json", env=env)
    run("generate", "ana/farming", "--rows", 3, env=env)
    assert json.loads(run("status", "ana/farming", "--json", env=env).stdout)["samples"] == 3
    run("export", "ana/farming", env=env)
    assert any(path.startswith("data/feedback/") for path in hub.files("ana/farming"))
    wrong = run("status", "ana/farming", env={**env, "HF_TOKEN": "hf_wrong"}, code=1)
    assert "does not accept this token" in wrong.stderr
    reader = hub.add_token("ana", "read")
    said = run("generate", "ana/farming", "--rows", 9, env={**env, "HF_TOKEN": reader}, code=1)
    assert "write" in said.stderr
    assert "hf_" not in said.stderr


def test_a_hub_that_is_away_is_one_message() -> None:
    env = {"HF_ENDPOINT": f"http://127.0.0.1:{free_port()}", "HF_TOKEN": "hf_x"}
    assert (
        "cannot be reached for ana/farming" in run("status", "ana/farming", env=env, code=1).stderr
    )


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_keeps_what_was_finished(folder: Path, number: int) -> None:
    fill(FolderStore(folder), [])
    project = load_project(FolderStore(folder))
    project.generation.concurrency = 1
    (folder / "project.json").write_bytes(project.to_json())
    with LlmServer(latency=Latency(0.05)) as server:
        running = subprocess.Popen(
            [
                *(sys.executable, "-m", "pipeline", "generate", str(folder), "--rows", "400"),
                *("--model", "m/x", "--base-url", server.url),
            ],
            cwd=ROOT,
            stderr=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        deadline = time.monotonic() + 60
        while len(server.requests) < 30 and time.monotonic() < deadline:
            time.sleep(0.05)
        running.send_signal(number)
        _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "Traceback" not in said
    assert "What was finished is kept" in said
    assert len(list(read_samples(FolderStore(folder)))) > 3


@pytest.mark.parametrize(
    "command", ["demo", "init", "generate", "status", "export", "serve", "deploy"]
)
def test_every_command_explains_itself(command: str) -> None:
    assert "--help" in run(command, "--help").stdout
