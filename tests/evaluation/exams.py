"""Projects with an exam as an export leaves it, for LightEval to run."""

from __future__ import annotations

import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core import layout
from pipeline.core.feedback import FeedbackEvent, now
from pipeline.core.projects import make_project
from pipeline.core.schema import Project, stable_id
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.curation.exports import export, into_project, options_for
from pipeline.curation.lighteval import Written, write_task, write_task_beside
from tests.factories import a_sample, a_seed, fill
from tests.hub_server import HubServer

PLACES = {
    "en": ("How deep is drain {n} laid?", "{n} centimetres"),
    "pt": ("A que profundidade está o dreno número {n}?", "{n} centímetros"),
}


def rows(language: str, count: int, start: int = 0) -> list[dict[str, Any]]:
    """Reviewed questions, as the export writes them."""
    question, option = PLACES[language]
    return [
        {
            "sample_id": stable_id("exam", language, number),
            "question": question.format(n=number),
            "answer": option.format(n=number),
            "distractors": [option.format(n=number + by) for by in (7, 13, 29)],
            "votes": 2,
        }
        for number in range(start, start + count)
    ]


def an_exam(folder: Path, language: str = "en", train: int = 9, test: int = 4) -> Written:
    """A project in ``folder`` with an exported exam and its task file."""
    store = FolderStore(folder)
    seed = a_seed().model_copy(update={"language": language})
    make_project(store, seed, Project())
    splits = {"train": rows(language, train), "test": rows(language, test, 100)}
    files = {
        f"data/exam/{split}-00000-of-00001.parquet": to_parquet(found)
        for split, found in splits.items()
        if found
    }
    store.commit(files, message="Export")
    return write_task(store)


def an_exam_beside(project: Path, out: Path) -> Written:
    """An exam as ``export --to`` leaves it in ``out``, and nothing else that it could read."""
    an_exam(project)
    shutil.move(project / "data" / "exam", out / "exam")
    return write_task_beside(FolderStore(project), out)


def an_exam_on_the_hub(store: HubStore, count: int = 13) -> Written:
    """A project on the Hub with ``count`` questions that were reviewed, exported there."""
    samples = [
        a_sample(
            number,
            [],
            kind="exam",
            question=row["question"],
            answer=row["answer"],
            distractors=tuple(row["distractors"]),
            document=f"drains-{number}.txt",
        )
        for number, row in enumerate(rows("en", count))
    ]
    fill(store, samples)
    kept = [
        FeedbackEvent(
            event_id=sample.sample_id,
            sample_id=sample.sample_id,
            task="exam",
            annotator="ana",
            status="submitted",
            option=sample.answer,
            received_at=now(),
        )
        for sample in samples
    ]
    path = layout.feedback_file(datetime.now(UTC), "reviews", 1)
    store.commit({path: "".join(f"{e.to_line()}\n" for e in kept).encode()}, message="Review")
    with tempfile.TemporaryDirectory() as folder:
        into_project(store, export(store, ["exam"], options_for(store), Path(folder)))
    return write_task(store)


def _counts(store: HubStore) -> dict[str, int]:
    """How many questions are in each split of the export."""
    paths = [path for path in store.paths(f"{layout.DATA}/exam") if path.endswith(".parquet")]
    return {
        path.rpartition("/")[2].partition("-")[0]: pq.read_metadata(
            io.BytesIO(store.read(path).data)
        ).num_rows
        for path in paths
    }


def to_parquet(found: list[dict[str, Any]]) -> bytes:
    """One file of the export."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found), buffer)
    return buffer.getvalue()


def main(place: Path, then: list[str]) -> int:
    """Make the exams in ``place``, and run a command while their Hub is there."""
    for name in PLACES:
        an_exam(place / f"exam-{name}", name)
    an_exam_beside(place / "projects" / "exam-beside", place / "exam-beside")
    with HubServer() as hub:
        token = hub.add_user("ana")
        store = HubStore("ana/exam-hub", token=token, hub=hub.url)
        an_exam_on_the_hub(store)
        task = place / "exam-hub" / layout.TASK_FILE
        task.parent.mkdir(parents=True)
        task.write_bytes(store.read(layout.TASK_FILE).data)
        (place / "exam-hub" / "counts.json").write_text(json.dumps(_counts(store)))
        env = {**os.environ, **hub.client_env(token)}
        return subprocess.run(then, env=env, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
