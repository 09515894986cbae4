"""The commands, as a person runs them: in a process of their own."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import pytest

from pipeline import __version__
from pipeline.core import invitations
from pipeline.core.projects import load_project, load_seed, make_project, read_feedback
from pipeline.core.samples import read_samples
from pipeline.core.schema import ModelChoice, Project
from pipeline.core.store_folder import FolderStore
from pipeline.local import Port, _choose_ports
from tests import forks
from tests.documents import COVER_CROPS, a_pdf
from tests.factories import a_sample, a_seed, fill, pair, thumb
from tests.hub_server import Fault, HubServer
from tests.llm_server import Latency, LlmServer, elsewhere
from tests.spaces import ROOT, free_port


def run(
    *words: object, env: dict[str, str] | None = None, code: int = 0, cwd: Path = ROOT
) -> subprocess.CompletedProcess[str]:
    """Run one command and check how it ended."""
    given = tuple(map(str, words))
    done = _fork(given, env or {}, cwd) if forks.possible(env or {}) else _launch(given, env, cwd)
    assert done.returncode == code, done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    return done


def _launch(
    words: tuple[str, ...], env: dict[str, str] | None, cwd: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "pipeline", *words],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **(env or {})},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )


def _fork(
    words: tuple[str, ...], env: dict[str, str], cwd: Path
) -> subprocess.CompletedProcess[str]:
    out, err = forks.place(), forks.place()
    process = forks.start("pipeline", words, env, cwd, out, err)
    process.join(120)
    assert process.exitcode is not None, f"{words} does not end: {err.read_text()}"
    said = out.read_text(), err.read_text()
    out.unlink()
    err.unlink()
    return subprocess.CompletedProcess(words, process.exitcode, *said)


def a_line(text: str) -> str:
    """The one line that a failed command says on standard error."""
    assert text.strip()
    assert text.strip().count("\n") == 0, text
    return text.strip()


def nobody_at(url: str) -> dict[str, str]:
    """Environment of somebody who is not signed in, with a Hub at ``url``."""
    return {"HF_ENDPOINT": url, "HF_TOKEN": ""}


def away() -> str:
    """Address of a Hub that does not answer: whoever asks it fails for that reason."""
    return f"http://127.0.0.1:{free_port()}"


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
    words = ("--format", "kto,preference", "--to", tmp_path / "out", "--test-share", 0)
    done = json.loads(run("export", folder, *words, "--json").stdout)
    assert done["rows"] == {"preference": 1, "kto": 4}
    assert done["splits"]["kto"] == {"train": 4, "test": 0}
    assert (done["kto"]["good"], done["kto"]["bad"], done["kto"]["desirable_weight"]) == (2, 2, 1)
    assert {one["way"]: one["missing"] for one in done["published"]} == {"ORPO": 6999, "DPO": 2999}
    assert (tmp_path / "out/kto/train-00000-of-00001.parquet").exists()
    assert not (folder / "data").exists()
    said = run("export", folder, *words, "--form", "text", "--min-votes", 2).stdout
    assert "kto: 0 rows; left out: 4 for too few votes" in said
    assert not (tmp_path / "out/kto/train-00000-of-00001.parquet").exists()
    said = run("export", folder, "--test-share", 0).stdout
    assert "DPO: 1 of the 3000 rows that were published as enough; 2999 are missing." in said
    assert "kto has 2 good and 2 not good completions in train" in said
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


def test_init_tells_a_new_project_from_one_that_was_there(folder: Path) -> None:
    assert "is ready" in run("init", folder).stdout
    before = {path: path.read_bytes() for path in folder.glob("*.*") if path.is_file()}
    again = run("init", folder).stdout
    assert "exists already" in again
    assert "is ready" not in again
    assert {path: path.read_bytes() for path in folder.glob("*.*") if path.is_file()} == before


def test_init_fills_an_empty_seed_from_a_file(folder: Path, tmp_path: Path) -> None:
    seed_file = tmp_path / "seed.json"
    seed_file.write_bytes(a_seed().to_json())
    run("init", folder)
    assert "is ready" in run("init", folder, "--seed", seed_file).stdout
    assert load_seed(FolderStore(folder)).seed == a_seed()
    assert "exists already" in run("init", folder, "--seed", seed_file).stdout


@pytest.mark.parametrize(
    ("content", "named"),
    [
        ("", "is empty"),
        ("{broken", "no JSON"),
        ('{"name": "x", "version": 2}', "names no part of a seed; it names name, version"),
        ("name,age\nAna,7\n", "names no part of a seed in its first row (name, age)"),
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


def missing_or_hidden(said: str, name: str) -> bool:
    """Whether both reasons are told for which the Hub shows no project, and a way out of each."""
    told = ("no project", name, "or it is private", "hf auth login", f"init {name}")
    return all(words in a_line(said) for words in told)


@pytest.mark.parametrize("command", ["generate", "status", "export", "serve"])
def test_a_project_that_is_not_on_the_hub_may_be_hidden(hub: HubServer, command: str) -> None:
    env = hub.client_env(hub.add_user("ana"))
    assert missing_or_hidden(run(command, "ana/nothing", env=env, code=1).stderr, "ana/nothing")


def test_a_project_that_is_hidden_is_told_as_one_that_is_missing(hub: HubServer) -> None:
    run("init", "bob/farming", env=hub.client_env(hub.add_user("bob")))
    for token in (hub.add_user("ana"), None):
        said = run("status", "bob/farming", env=hub.client_env(token), code=1).stderr
        assert missing_or_hidden(said, "bob/farming")


@pytest.mark.parametrize("status", [401, 403, 404])
def test_a_hub_that_refuses_to_show_a_project_is_no_lack_of_write_access(
    hub: HubServer, status: int
) -> None:
    hub.add_user("ana")
    hub.fail(Fault("info", status=status, times=None))
    said = run("status", "ana/farming", env=hub.client_env(), code=1).stderr
    assert missing_or_hidden(said, "ana/farming")


@pytest.mark.parametrize(
    ("command", "name"),
    [
        ("status", "farming"),
        *((command, "projects/farming") for command in ("status", "init", "serve", "deploy")),
    ],
)
def test_a_folder_without_its_dot_is_recognised_before_the_hub_is_asked(
    tmp_path: Path, command: str, name: str
) -> None:
    fill(FolderStore(tmp_path / name), [])
    env = nobody_at(away()) | {"HF_TOKEN": "hf_x"}
    said = a_line(run(command, name, cwd=tmp_path, env=env, code=1).stderr)
    assert f"Did you mean ./{name}?" in said


def test_a_folder_without_a_project_does_not_stand_for_one(tmp_path: Path) -> None:
    (tmp_path / "ana" / "farming").mkdir(parents=True)
    said = run("status", "ana/farming", cwd=tmp_path, env=nobody_at(away()), code=1).stderr
    assert "cannot be reached for ana/farming" in said


def test_a_name_that_is_neither_hub_nor_folder(folder: Path) -> None:
    assert "names no project" in run("status", "farming", code=1).stderr


def test_an_unknown_format_and_a_url_without_a_model(folder: Path) -> None:
    fill(FolderStore(folder), [a_sample(1)])
    assert "no format 'dance'" in run("export", folder, "--format", "dance", code=1).stderr
    assert "no form 'jsonl'" in run("export", folder, "--form", "jsonl", code=1).stderr
    assert "no consensus 'chance'" in run("export", folder, "--consensus", "chance", code=1).stderr
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


def test_the_key_goes_to_no_address_that_only_the_project_names(folder: Path) -> None:
    fill(FolderStore(folder), [])
    with LlmServer() as server:
        project = load_project(FolderStore(folder))
        project.generation.models = [ModelChoice(model="m/x", base_url=elsewhere(server))]
        (folder / "project.json").write_bytes(project.to_json())
        host = elsewhere(server).split("/")[2]
        key = {"SEEDBED_API_KEY": "sk-mine"}
        said = a_line(run("generate", folder, "--rows", 1, env=key, code=1).stderr)
        assert f"set SEEDBED_API_HOST={host} to send your key there" in said
        assert "sk-mine" not in said
        assert server.requests == []
        run("generate", folder, "--rows", 1, env=key | {"SEEDBED_API_HOST": f"other, {host}"})
        assert {r.headers.get("authorization") for r in server.requests} == {"Bearer sk-mine"}
        server.requests.clear()
        run("generate", folder, "--rows", 2)
        assert {r.headers.get("authorization") for r in server.requests} == {None}


def test_an_address_on_the_command_line_may_have_the_key(folder: Path) -> None:
    fill(FolderStore(folder), [])
    with LlmServer(key="sk-mine") as server:
        url, key = elsewhere(server), {"SEEDBED_API_KEY": "sk-mine"}
        run("generate", folder, "--rows", 1, "--model", "m/x", "--base-url", url, env=key)
        assert server.requests


def test_the_whole_way_on_the_hub(hub: HubServer) -> None:
    token = hub.add_user("ana")
    env = hub.client_env(token)
    run("init", "ana/farming", "--seed", ROOT / "pipeline/demo/farming.json", env=env)
    run("generate", "ana/farming", "--rows", 3, env=env)
    assert json.loads(run("status", "ana/farming", "--json", env=env).stdout)["samples"] == 3
    run("export", "ana/farming", env=env)
    assert "data/export.json" in hub.files("ana/farming")
    wrong = run("status", "ana/farming", env={**env, "HF_TOKEN": "hf_wrong"}, code=1)
    assert "does not accept this token" in wrong.stderr
    reader = hub.add_token("ana", "read")
    said = run("generate", "ana/farming", "--rows", 9, env={**env, "HF_TOKEN": reader}, code=1)
    assert "write" in said.stderr
    assert "hf_" not in said.stderr


def test_the_hubs_client_adds_nothing_to_what_a_command_says(
    hub: HubServer, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("HF_HUB_DISABLE_PROGRESS_BARS")
    env = hub.client_env(hub.add_user("ana"))
    del env["HF_HUB_DISABLE_PROGRESS_BARS"]
    env["TQDM_POSITION"] = "-1"  # bars though this is no terminal
    fill(FolderStore(folder), [a_sample(1)])
    assert run("deploy", "ana/farming", "--from", folder, env=env).stderr == ""
    assert run("deploy", "ana/farming", env=env).stderr == ""
    assert run("export", "ana/farming", env=env).stderr == ""
    assert run("generate", "ana/farming", "--rows", 2, env=env).stderr == ""
    hub.fail(Fault("commit", status=403, times=None))
    assert "may not write" in run("generate", "ana/farming", "--rows", 3, env=env, code=1).stderr


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


@pytest.mark.parametrize("broken", ["seed_data.json", "project.json"])
def test_serve_refuses_a_broken_file_before_it_starts_anything(folder: Path, broken: str) -> None:
    fill(FolderStore(folder), [])
    (folder / broken).write_text("{")
    done = run("serve", folder, code=1)
    assert f"{broken} is not JSON" in a_line(done.stderr)
    assert done.stdout == ""


def test_a_busy_port_that_was_asked_for_is_an_error(folder: Path) -> None:
    fill(FolderStore(folder), [])
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for option in ("--seed-port", "--annotate-port"):
            said = a_line(run("serve", folder, option, port, code=1).stderr)
            assert f"Port {port} cannot be used" in said
            assert option in said
    port = free_port()
    said = run("serve", folder, "--seed-port", port, "--annotate-port", port, code=1).stderr
    assert f"Port {port} cannot be used for annotate_space" in a_line(said)


def test_a_busy_port_that_nobody_asked_for_is_replaced_and_told(folder: Path) -> None:
    fill(FolderStore(folder), [])
    with socket.socket() as taken:
        taken.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        with suppress(OSError):  # somebody else has it, which is as good
            taken.bind(("127.0.0.1", 7860))
            taken.listen()
        annotate = free_port()
        running = subprocess.Popen(
            [
                *(sys.executable, "-m", "pipeline", "serve", str(folder)),
                *("--annotate-port", str(annotate)),
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
        running.send_signal(signal.SIGINT)
        running.communicate(timeout=60)
    told = re.search(r"Port 7860 is in use, so the Seed Space is on (\d+)\.", said)
    assert told
    assert f"http://127.0.0.1:{told[1]}" in said
    assert f"http://127.0.0.1:{annotate}" in said
    assert said.count("is in use") == 1


def test_a_port_that_was_asked_for_is_left_to_its_space() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        busy = taken.getsockname()[1]
        spaces = _choose_ports(
            {"seed_space": Port(busy), "annotate_space": Port(busy + 1, fixed=True)}
        )
    assert [(space.package, space.wanted) for space in spaces] == [
        ("seed_space", busy),
        ("annotate_space", busy + 1),
    ]
    assert spaces[0].port > busy + 1
    assert spaces[1].port == busy + 1


def test_a_disk_that_takes_no_more_is_one_line_and_init_can_be_repeated(folder: Path) -> None:
    full = (
        "import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (64, 64));"
        "from pipeline.cli import main; main()"
    )
    done = subprocess.run(
        [sys.executable, "-B", "-c", full, "init", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    said = a_line(done.stderr)
    assert f"The disk refused to write to {folder}: File too large" in said
    assert "Free some space" in said
    assert "is ready" in run("init", folder).stdout


@pytest.mark.parametrize("command", ["init", "demo", "export"])
def test_a_place_that_cannot_be_written_is_one_line(
    folder: Path, tmp_path: Path, command: str
) -> None:
    fill(FolderStore(folder), [a_sample(1)])
    (tmp_path / "file").write_text("in the way")
    inside = tmp_path / "file" / "project"
    words = (folder, "--to", inside) if command == "export" else (inside,)
    said = a_line(run(command, *words, code=1).stderr)
    assert "cannot be written: Not a directory" in said


@pytest.mark.parametrize(
    ("command", "path"),
    [
        ("generate", "seed_data.json"),
        ("generate", "samples/run/00001.parquet"),
        ("status", "feedback/2026"),
        ("export", "feedback/x.jsonl"),
    ],
)
def test_what_cannot_be_read_is_one_line_and_never_taken_for_nothing(
    folder: Path, command: str, path: str
) -> None:
    fill(FolderStore(folder), [a_sample(1)])
    target = folder / path
    target.unlink(missing_ok=True)
    target.parent.mkdir(parents=True, exist_ok=True)
    target.symlink_to(target)  # a file that nobody can open, not even root
    said = a_line(run(command, folder, code=1).stderr)
    assert "cannot be read: Too many levels of symbolic links" in said


def test_a_damaged_export_is_named_when_the_card_counts_its_rows(folder: Path) -> None:
    fill(FolderStore(folder), [a_sample(1)])
    (folder / "data/sft").mkdir(parents=True)
    (folder / "data/sft/train.parquet").write_bytes(b"rubbish")
    said = a_line(run("init", folder, code=1).stderr)
    assert "data/sft/train.parquet cannot be read as parquet" in said


def test_the_version_is_told() -> None:
    assert run("--version").stdout == f"seedbed {__version__}\n"


@pytest.mark.parametrize(
    "command", ["demo", "init", "generate", "status", "export", "serve", "deploy"]
)
def test_every_command_explains_itself(command: str) -> None:
    assert "--help" in run(command, "--help").stdout


def test_an_invitation_to_a_folder_is_made_listed_and_taken_back(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [])
    said = run("invite", folder, "--name", "Ana María", "--expires", "2w").stdout
    link = said.splitlines()[0]
    address, token = link.split("/?invite=")
    assert address == "http://127.0.0.1:7861"
    found = invitations.load(store).check(token, datetime.now(UTC))
    assert found.name == "Ana María"
    assert f"--revoke {found.id}" in said
    assert found.expires_at[:10] in said
    told = json.loads(
        run("invite", folder, "--name", "Bo", "--url", "https://x.org/a/", "--json").stdout
    )
    assert told["link"].startswith("https://x.org/a/?invite=")
    assert "digest" not in told
    assert told["id"] in run("invite", folder, "--revoke", told["id"]).stdout
    shown = run("invite", folder, "--list").stdout
    assert "Ana María" in shown
    assert "taken back" in shown
    listed = json.loads(run("invite", folder, "--list", "--json").stdout)["invitations"]
    assert [one["revoked_at"] is None for one in listed] == [True, False]
    assert token not in shown + json.dumps(listed)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ((), "--name"),
        (("--name", "a~b"), "cannot be the name"),
        (("--name", "Ana", "--expires", "soon"), "such as 7d"),
        (("--name", "Ana", "--expires", "3w", "--url", "ftp://x"), "no address"),
        (("--name", "Ana", "--expires", "60w"), "at most a year"),
        (("--revoke", "nobody"), "no invitation"),
    ],
)
def test_an_invitation_that_cannot_be_made_says_why(
    folder: Path, words: tuple[str, ...], said: str
) -> None:
    fill(FolderStore(folder), [])
    assert said in a_line(run("invite", folder, *words, code=1).stderr)
    assert not (folder / "invitations.json").exists()


def test_an_invitation_to_a_hub_project_opens_its_space(hub: HubServer) -> None:
    token = hub.add_user("ana")
    env = hub.client_env(token)
    run("init", "ana/Farming_2", env=env)
    said = run("invite", "ana/Farming_2", "--name", "Bo", env=env).stdout
    link = said.splitlines()[0]
    assert link.startswith("https://ana-farming-2-annotate.hf.space/?invite=")
    assert "public" in said
    assert link.split("=")[1].encode() not in b"".join(hub.files("ana/Farming_2").values())
    reader = {**env, "HF_TOKEN": hub.add_token("ana", "read")}
    assert "write" in run("invite", "ana/Farming_2", "--name", "Bo", env=reader, code=1).stderr


def test_documents_are_added_listed_and_removed(folder: Path, tmp_path: Path) -> None:
    store = FolderStore(folder)
    make_project(store, a_seed(), Project())
    assert "no documents yet" in run("documents", folder).stdout
    guide, page, scan = (tmp_path / name for name in ("guide.pdf", "page.html", "scan.pdf"))
    guide.write_bytes(a_pdf(COVER_CROPS, title="Cover crops"))
    page.write_text("<h1>Clay soils</h1><p>Plough clay soils when a handful crumbles.</p>")
    scan.write_bytes(a_pdf([""]))
    said = run("documents", folder, "--add", guide, "--add", scan, "--add", page, code=1)
    assert "Added guide.pdf: 2 pages" in said.stdout
    assert "Added page.html" in said.stdout
    assert "no text in scan.pdf" in a_line(said.stderr)
    assert "is there already" in run("documents", folder, "--add", guide).stdout
    assert "Cover crops" in run("documents", folder, "--list").stdout
    run("documents", folder, "--remove", "page.html")
    assert "removed" in run("documents", folder).stdout
    told = json.loads(run("documents", folder, "--json").stdout)["documents"]
    assert [(one["name"], one["removed_at"] is None) for one in told] == [
        ("guide.pdf", True),
        ("page.html", False),
    ]
    assert "used again" in run("documents", folder, "--restore", "page.html").stdout
    added = json.loads(run("documents", folder, "--add", page, "--json").stdout)
    assert (added["added"][0]["outcome"], added["refused"]) == ("there", [])
    run("generate", folder, "--rows", "8")
    samples = list(read_samples(store))
    assert any(sample.document == "guide.pdf" for sample in samples)
    shown = run("status", folder).stdout
    resting = sum(sample.document is not None for sample in samples)
    assert f"2 documents, {resting} samples rest on a passage" in shown
    assert json.loads(run("status", folder, "--json").stdout)["documents"] == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--add", "nowhere.pdf"), "nowhere.pdf cannot be read"),
        (("--remove", "other.pdf"), "no document 'other.pdf'"),
        (("--remove", "a", "--restore", "a"), "cannot be used together"),
    ],
)
def test_documents_that_cannot_be_changed_say_why(
    folder: Path, words: tuple[str, ...], said: str
) -> None:
    make_project(FolderStore(folder), a_seed(), Project())
    assert said in a_line(run("documents", folder, *words, code=1).stderr)
    assert not (folder / "documents.json").exists()
