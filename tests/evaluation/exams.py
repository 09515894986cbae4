"""Projects with an exam as an export leaves it, for LightEval to run."""

from __future__ import annotations

import io
import shutil
import sys
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from pipeline.core.projects import make_project
from pipeline.core.schema import Project, stable_id
from pipeline.core.store_folder import FolderStore
from pipeline.curation.lighteval import Written, write_task, write_task_beside
from tests.factories import a_seed

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


def to_parquet(found: list[dict[str, Any]]) -> bytes:
    """One file of the export."""
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(found), buffer)
    return buffer.getvalue()


if __name__ == "__main__":
    place = Path(sys.argv[1])
    for name in PLACES:
        an_exam(place / f"exam-{name}", name)
    an_exam_beside(place / "projects" / "exam-beside", place / "exam-beside")
