"""``exam`` as an engineer uses it: documents in, questions out, a task file at the end."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipeline.core import layout
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import load_project
from pipeline.core.samples import read_samples
from pipeline.core.schema import STAND_INS
from pipeline.core.store_folder import FolderStore
from tests.evaluation.exams import rows, to_parquet
from tests.generation.exams.material import a_document, a_project, kind_of, writer
from tests.llm_server import LlmServer
from tests.test_cli import run


@pytest.fixture
def server() -> Iterator[LlmServer]:
    """A server whose model writes fit questions."""
    running = LlmServer(script=writer).start()
    yield running
    running.stop(wait=False)


def questions(folder: Path) -> list[str]:
    return [s.question or "" for s in read_samples(FolderStore(folder)) if s.kind == "exam"]


def test_the_whole_way_without_a_model(folder: Path, tmp_path: Path) -> None:
    a_project(folder, 0)
    said = run("exam", folder, code=1).stderr
    assert "has no documents" in said
    assert "documents" in said.partition("--add")[0]
    guide = tmp_path / "guide.md"
    guide.write_text(a_document(1))
    run("documents", folder, "--add", guide)
    done = run("exam", folder, "--questions", 4)
    assert "4 questions added" in done.stdout
    assert "add exam to the tasks" in done.stdout
    made = list(read_samples(FolderStore(folder)))
    assert all(f"written by:{STAND_INS[0]}" in sample.lineage for sample in made)
    assert "nothing to do" in run("exam", folder, "--questions", 4).stdout
    said = run("exam", folder, "--questions", 400).stdout
    assert "add documents" in said
    assert len(questions(folder)) > 4
    run("export", folder)
    assert "exported yet" in run("exam", folder, "--task", code=1).stderr
    approved = [
        FeedbackEvent(
            event_id=sample.sample_id,
            sample_id=sample.sample_id,
            task="exam",
            annotator="ana",
            status="submitted",
            option=sample.answer,
            received_at="2026-01-01T00:00:00Z",
        ).to_line()
        for sample in made
    ]
    path = "feedback/2026/01/01/a-000000.jsonl"
    FolderStore(folder).commit({path: "\n".join(approved).encode()}, message="Reviews")
    assert json.loads(run("export", folder, "--json").stdout)["rows"]["exam"] == 4
    assert "letters" in (folder / layout.TASK_FILE).read_text()
    said = run("export", folder, "--format", "exam", "--to", tmp_path / "out").stdout
    task = tmp_path / "out" / layout.TASK_FILE
    assert f"--custom-tasks {task}" in " ".join(said.split())
    assert "letters" in task.read_text()


def test_a_model_writes_and_another_checks(folder: Path, server: LlmServer) -> None:
    a_project(folder)
    options = ["--model", "a/one", "--checker", "c/two", "--base-url", server.url]
    trial = json.loads(
        run("exam", folder, "--questions", 10, *options, "--dry-run", "--json").stdout
    )
    assert (trial["rows"], trial["sampled"], trial["cost"]) == (10, 4, None)
    assert questions(folder) == []
    record = json.loads(
        run("exam", folder, "--questions", 10, *options, "--closed-book", 2, "--json").stdout
    )
    assert (record["kind"], record["samples"], record["missing"]) == ("exam", 10, 0)
    assert record["settings"]["exam"]["checker"]["model"] == "c/two"
    asked = {kind_of(request): request.model for request in server.requests}
    assert asked == {"question": "a/one", "closed book": "c/two"}
    assert len(set(questions(folder))) == 10
    assert "10 of 10" in run("status", folder).stdout
    said = run("exam", folder, "--questions", 12, *options, "--dry-run").stdout
    for word in ("questions to add", "room in the documents", "calls", "tokens in", "time"):
        assert word in said
    # Samples are grown beside the questions, and neither counts for the other.
    grown = json.loads(run("generate", folder, "--rows", 4, "--json").stdout)
    assert (grown["samples"], grown["other"]) == (4, 0)


def test_settings_are_the_projects_and_its_models_prices_count(
    folder: Path, server: LlmServer
) -> None:
    store = a_project(folder)
    project = load_project(store).model_dump()
    model = {"model": "a/one", "base_url": server.url, "price_in": 1, "price_out": 2}
    project["exam"] = {"questions": 3, "model": model}
    store.commit({layout.PROJECT: json.dumps(project).encode()}, message="Settings")
    record = json.loads(run("exam", folder, "--budget", 1, "--json").stdout)
    assert (record["samples"], record["unpriced"]) == (3, [])
    assert record["cost"] > 0
    said = run("exam", folder, "--questions", 9, "--model", "new", "--budget", 1, code=1).stderr
    assert "price_in and price_out" in said
    assert "is no sum" in run("exam", folder, "--budget", "inf", code=1).stderr
    assert "--model" in run("exam", a_folder(folder), "--base-url", server.url, code=1).stderr


def a_folder(folder: Path) -> Path:
    a_project(folder / "other", 1)
    return folder / "other"


def test_the_task_file_of_what_was_exported(folder: Path) -> None:
    store = a_project(folder, 0, language="pt")
    store.commit({"data/exam/test-00000-of-00001.parquet": to_parquet(rows("pt", 5))}, message="E")
    said = run("exam", folder, "--task").stdout
    assert "for 5 questions" in said
    assert "project:letters_test|0" in said
    told = json.loads(run("exam", folder, "--task", "--json").stdout)
    assert told["tasks"] == ["project:letters_test", "project:cloze_test"]
    assert "Pergunta" in (folder / told["path"]).read_text()
