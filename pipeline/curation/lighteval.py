"""The exam as a task file of LightEval 0.13: runs on exported data, in the project or on the Hub.

The right option stands in each place equally often: a question gets one of the places that are
rarest so far, and keeps it as long as the questions are there, whatever is added later. Where it
stands is in the file itself, which is therefore read before it is written anew.
"""

from __future__ import annotations

import ast
import hashlib
import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from jinja2 import Environment, PackageLoader, StrictUndefined

from pipeline.core import layout
from pipeline.core.disk import replace_durably
from pipeline.core.errors import FileMissing, InvalidInput
from pipeline.core.projects import is_folder, load_seed
from pipeline.core.schema import stable_id
from pipeline.core.store import Store

Row = Mapping[str, Any]
WAYS: Final = ("letters", "cloze")
"""Letters of options that are shown, and texts of options that are not."""

_WORDS: Final = {
    "en": ("The following are multiple choice questions (with answers){about}.", "Question",
           "Answer", " about {domain}"),
    "es": ("Las siguientes son preguntas de opción múltiple (con respuestas){about}.", "Pregunta",
           "Respuesta", " sobre {domain}"),
    "pt": ("As seguintes são perguntas de escolha múltipla (com respostas){about}.", "Pergunta",
           "Resposta", " sobre {domain}"),
    "fr": ("Voici des questions à choix multiple (avec réponses){about}.", "Question",
           "Réponse", " sur le thème : {domain}"),
    "de": ("Die folgenden Fragen haben mehrere Antwortmöglichkeiten (mit Lösungen){about}.",
           "Frage", "Antwort", " zum Thema {domain}"),
}  # fmt: skip
"""Introduction, question, answer, and what names the domain. Other languages get English words."""
_READ: Final = ("sample_id", "question", "answer", "distractors")


@dataclass(frozen=True, slots=True)
class Written:
    """A task file that was written.

    Attributes:
        path: In the project, or where it was exported to.
        rows: Questions.
        version: Of the tasks.
        tasks: Their names.
    """

    path: str
    rows: int
    version: int
    tasks: tuple[str, ...]

    @property
    def best(self) -> str:
        """The task to begin with: letters, and fit for a model that was trained on this."""
        return next((name for name in self.tasks if name.endswith("letters_test")), self.tasks[0])


def task_file(
    name: str,
    where: str,
    rows: Sequence[Row],
    *,
    language: str = "en",
    domain: str = "",
    before: str = "",
) -> str:
    """A Python file with tasks for LightEval.

    Args:
        name: What the tasks are called; made fit for a command line.
        where: The dataset on the Hub from which rows are read where the file lies alone; empty if
            it is nowhere.
        rows: The export's: ``sample_id``, ``question``, ``answer``, ``distractors`` and, if there
            is one, ``split``.
        language: Of the words around a question.
        domain: What the exam is about.
        before: The file as it is so far, whose places stay.

    Raises:
        InvalidInput: There is no row.
    """
    if not rows:
        raise InvalidInput(
            "No exam question has been reviewed and kept yet.",
            "Review some in the Annotate Space, then export them.",
        )
    introduction, question, answer, about = _WORDS.get(
        language.partition("-")[0].lower(), _WORDS["en"]
    )
    domain = " ".join(domain.split())
    named = about.format(domain=domain) if domain else ""
    return (
        _environment()
        .get_template("lighteval_task.py.jinja2")
        .render(
            name=task_name(name),
            where=where,
            splits=_splits(rows),
            version=version_of(rows),
            introduction=introduction.format(about=named) + "\n\n",
            question=question,
            answer=answer,
            positions=positions(rows, positions_in(before)),
        )
        + "\n"
    )


def positions(rows: Iterable[Row], before: Mapping[str, int] | None = None) -> dict[str, int]:
    """Where the right option of each question stands, from 0.

    Each place is right equally often, to within one, among questions with as many options. A
    question keeps the place that it had ``before``.
    """
    sizes = {row["sample_id"]: len(row["distractors"]) + 1 for row in rows}
    kept = {
        name: place
        for name, place in (before or {}).items()
        if name in sizes and place < sizes[name]
    }
    used = Counter((sizes[name], place) for name, place in kept.items())
    for name in sorted(sizes.keys() - kept.keys()):
        size = sizes[name]
        places = sorted(range(size), key=lambda place: stable_id("place", name, place))
        place = min(places, key=lambda place: used[size, place])
        kept[name] = place
        used[size, place] += 1
    return dict(sorted(kept.items()))


def positions_in(source: str) -> dict[str, int]:
    """The places that a task file tells; none if it is no task file."""
    found = re.search(r"^POSITIONS = (\{.*\})$", source, re.MULTILINE)
    try:
        told = ast.literal_eval(found[1]) if found else {}
    except (ValueError, SyntaxError, RecursionError, MemoryError):
        return {}
    return {
        name: place
        for name, place in told.items()
        if isinstance(name, str) and type(place) is int and place >= 0
    }


def version_of(rows: Iterable[Row]) -> int:
    """A number that changes when, and only when, the questions do; their order does not count."""
    lines = sorted(
        json.dumps([row[name] if name != "distractors" else sorted(row[name]) for name in _READ])
        for row in rows
    )
    return int(hashlib.sha256("\n".join(lines).encode()).hexdigest()[:7], 16)


def task_name(name: str) -> str:
    """A name that LightEval's command line takes: no spaces, bars, commas or colons."""
    plain = layout.safe_name(name.rpartition("/")[2] or name)
    return re.sub(r"[^a-z0-9_]+", "_", plain.lower()).strip("_") or "exam"


def write_task(store: Store) -> Written:
    """Write the task file of a project's exported exam into the project.

    Raises:
        InvalidInput: No question was exported.
    """
    where = f"{layout.DATA}/exam"
    rows = _exported(store.checkout(where) / where, where)
    if not rows:
        raise InvalidInput(
            "No reviewed exam question has been exported yet.",
            f"Review some, then: python -m pipeline export {store.name} --format exam",
        )
    before = _in_project(store)
    on_hub = "" if is_folder(store.name) else store.name
    text = _of_project(store, on_hub, rows, before)
    if text != before:
        store.commit({layout.TASK_FILE: text.encode()}, message="Write the exam for LightEval")
    return _told(layout.TASK_FILE, store, rows)


def write_task_beside(store: Store, folder: Path) -> Written:
    """Write the task file of a project's exam that was exported to ``folder/exam``.

    It reads those questions only, never the Hub's, which were perhaps chosen otherwise. What it
    is to keep of places is in the folder's earlier task file, else in the project's.

    Raises:
        InvalidInput: There is no question, or the folder cannot be written.
    """
    rows = _exported(folder / "exam", str(folder / "exam"))
    path = folder / layout.TASK_FILE
    try:
        before = path.read_text(errors="replace") if path.exists() else _in_project(store)
        path.parent.mkdir(parents=True, exist_ok=True)
        replace_durably(path, _of_project(store, "", rows, before).encode())
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written: {error.strerror}.", "Choose another folder."
        ) from error
    return _told(str(path), store, rows)


def _in_project(store: Store) -> str:
    """The project's task file as it is."""
    try:
        return store.read(layout.TASK_FILE).data.decode("utf-8", errors="replace")
    except FileMissing:
        return ""


def _of_project(store: Store, where: str, rows: Sequence[Row], before: str) -> str:
    seed = load_seed(store).seed
    return task_file(
        store.name, where, rows, language=seed.language, domain=seed.domain, before=before
    )


def _told(path: str, store: Store, rows: Sequence[Row]) -> Written:
    name = task_name(store.name)
    tasks = [f"{name}:{way}_{split}" for way in WAYS for split in _splits(rows)]
    return Written(path, len(rows), version_of(rows), tuple(tasks))


def _splits(rows: Iterable[Row]) -> list[str]:
    """The splits that have rows, train first."""
    return sorted({row.get("split") or "train" for row in rows}, key=lambda s: (s != "train", s))


def _exported(folder: Path, where: str) -> list[dict[str, Any]]:
    """The rows of an exam that is in ``folder``, each with its split; ``where`` is for messages."""
    rows = []
    for path in sorted(folder.glob("*.parquet")):
        try:
            table = pq.read_table(path, columns=list(_READ), partitioning=None)
        except (pa.ArrowException, OSError) as error:
            raise InvalidInput(
                f"{where}/{path.name} cannot be read: {error}.", "Export the exam again."
            ) from error
        split = re.split(r"[-.]", path.name)[0]
        rows += [{**row, "split": split} for row in table.to_pylist()]
    return rows


@cache
def _environment() -> Environment:
    environment = Environment(  # noqa: S701 - Python, in which ``literal`` quotes
        loader=PackageLoader("pipeline.curation", "."), undefined=StrictUndefined
    )
    environment.filters["literal"] = repr
    return environment
