"""The task file: whole Python from any text, places even and lasting, a version from the data.

LightEval itself runs such files in ``tests/evaluation/run``.
"""

from __future__ import annotations

import ast
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.core import layout
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import make_project
from pipeline.core.schema import Project
from pipeline.core.store_folder import FolderStore
from pipeline.curation.lighteval import (
    positions,
    positions_in,
    task_file,
    task_name,
    version_of,
    write_task,
    write_task_beside,
)
from tests.evaluation.exams import an_exam, rows, to_parquet
from tests.factories import a_seed

ROWS = rows("en", 10)


def constants(source: str) -> dict[str, Any]:
    """What the file sets to literals."""
    found = {}
    for node in ast.parse(source).body:
        if isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            try:
                found[node.targets[0].id] = ast.literal_eval(node.value)
            except ValueError:
                continue
    return found


def test_nothing_runs_at_import_but_definitions() -> None:
    tree = ast.parse(task_file("./projects/farming", "", ROWS))
    kinds = {type(node) for node in tree.body}
    assert kinds <= {ast.Expr, ast.Import, ast.ImportFrom, ast.Assign, ast.FunctionDef}
    names = {node.id for node in ast.walk(tree) if isinstance(node, ast.Name)}
    assert not names & {"argparse", "sys", "open", "requests"}
    told = constants(task_file("user/farming-exam", "user/farming-exam", ROWS))
    assert (told["NAME"], told["REPO"]) == ("farming_exam", "user/farming-exam")
    assert told["SPLITS"] == ["train"]


@pytest.mark.parametrize(
    "text", ['"""', "'''\n", "\\", "{{ x }}", "{% raw %}", "\udcff"[:0] + "\u2028", "\x00 = 1"]
)
def test_hostile_names_and_texts_stay_texts(text: str) -> None:
    hostile = [{**row, "split": "test", "sample_id": f"{text}{n}"} for n, row in enumerate(ROWS)]
    told = constants(task_file(f"a{text}/b{text}", text, hostile, domain=f"Farming {text} more"))
    assert told["REPO"] == text
    assert set(told["POSITIONS"]) == {row["sample_id"] for row in hostile}
    assert told["INTRODUCTION"].startswith("The following are")
    assert set(told["NAME"]) <= set("abcdefghijklmnopqrstuvwxyz0123456789_")


def test_words_are_in_the_exams_language() -> None:
    for language, question, answer in (
        ("en", "Question", "Answer"), ("pt-BR", "Pergunta", "Resposta"),
        ("es", "Pregunta", "Respuesta"), ("fr", "Question", "Réponse"), ("de", "Frage", "Antwort"),
        ("ja", "Question", "Answer"),
    ):  # fmt: skip
        told = constants(task_file("x", "", ROWS, language=language, domain="Solos"))
        assert (told["QUESTION"], told["ANSWER"]) == (question, answer)
        assert "Solos" in told["INTRODUCTION"]


def test_the_version_follows_the_questions_and_nothing_else() -> None:
    version = version_of(ROWS)
    assert version == version_of(ROWS[::-1])
    assert version == version_of([{**row, "votes": 9, "split": "test"} for row in ROWS])
    turned = [{**row, "distractors": row["distractors"][::-1]} for row in ROWS]
    assert version == version_of(turned)
    assert version != version_of(ROWS[:-1])
    for name in ("question", "answer"):
        assert version != version_of([{**ROWS[0], name: "other"}, *ROWS[1:]])
    assert 0 <= version < 2**28


@given(st.lists(st.integers(0, 200), unique=True, min_size=1), st.data())
def test_places_are_even_and_stay_as_an_exam_grows(ids: list[int], data: st.DataObject) -> None:
    exam = [{"sample_id": f"s{n}", "distractors": ["a", "b", "c"]} for n in ids]
    first = data.draw(st.integers(0, len(exam)))
    before = positions(exam[:first])
    after = positions(exam, before)
    for found in (before, after):
        counts = [Counter(found.values())[place] for place in range(4)]
        assert max(counts) - min(counts) <= 1
    assert before.items() <= after.items()
    assert positions(exam[::-1], before) == after


def test_a_file_keeps_its_places_and_those_of_others_are_not_read() -> None:
    small = task_file("x", "", ROWS[:5])
    grown = task_file("x", "", ROWS, before=small)
    assert positions_in(small).items() <= positions_in(grown).items()
    assert task_file("x", "", ROWS, before=grown) == grown
    for other in ("", "POSITIONS = {", "POSITIONS = {1: 2}", "POSITIONS = {'a': -1, 'b': 'c'}",
                  "POSITIONS = {**x}"):  # fmt: skip
        assert positions_in(other) == {}
    corrected = [{**row, "distractors": ["x"]} for row in ROWS]
    assert all(place < 2 for place in positions(corrected, positions_in(grown)).values())


def test_options_are_shown_as_the_file_says() -> None:
    source = task_file("x", "", ROWS)
    tree = ast.parse(source)
    wanted = ("options", "POSITIONS")
    body: list[ast.stmt] = [
        node
        for node in tree.body
        if (isinstance(node, ast.FunctionDef) and node.name in wanted)
        or (isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) in wanted)
        or (isinstance(node, ast.Import) and node.names[0].name == "hashlib")
    ]
    names: dict[str, Any] = {}
    exec(compile(ast.Module(body, []), "task", "exec"), names)
    for row in ROWS:
        shown, right = names["options"](row)
        assert shown[right] == row["answer"]
        assert sorted(shown) == sorted([row["answer"], *row["distractors"]])
        assert right == names["POSITIONS"][row["sample_id"]]
        again, place = names["options"]({**row, "sample_id": "unknown"})
        assert again[place] == row["answer"]


def test_it_is_written_into_the_project_and_again_only_when_it_changes(folder: Path) -> None:
    written = an_exam(folder, "pt", train=9, test=4)
    path = folder / layout.TASK_FILE
    assert (written.rows, written.path) == (13, "evaluation/lighteval_task.py")
    assert written.tasks == (
        "project:letters_train", "project:letters_test", "project:cloze_train",
        "project:cloze_test",
    )  # fmt: skip
    told = constants(path.read_text())
    assert (told["VERSION"], told["SPLITS"]) == (written.version, ["train", "test"])
    assert (told["REPO"], told["QUESTION"]) == ("", "Pergunta")
    stamp = path.stat().st_mtime_ns
    store = FolderStore(folder)
    assert write_task(store) == written
    assert path.stat().st_mtime_ns == stamp
    assert layout.TASK_FILE in store.paths("evaluation")


def test_an_exam_exported_to_a_folder_gets_a_file_that_reads_that_folder_only(
    folder: Path, tmp_path: Path
) -> None:
    an_exam(folder, "pt", train=9, test=4)
    store, out = FolderStore(folder), tmp_path / "out"
    (out / "exam").mkdir(parents=True)
    (out / "exam/test-00000-of-00001.parquet").write_bytes(to_parquet(rows("pt", 3)))
    written = write_task_beside(store, out)
    path = out / layout.TASK_FILE
    assert (written.path, written.rows) == (str(path), 3)
    assert written.tasks == ("project:letters_test", "project:cloze_test")
    told = constants(path.read_text())
    assert (told["VERSION"], told["SPLITS"]) == (written.version, ["test"])
    assert (told["REPO"], told["QUESTION"]) == ("", "Pergunta")
    in_project = constants((folder / layout.TASK_FILE).read_text())["POSITIONS"]
    assert told["POSITIONS"].items() <= in_project.items()
    (folder / layout.TASK_FILE).unlink()
    write_task_beside(store, out)
    assert constants(path.read_text())["POSITIONS"] == told["POSITIONS"]


@pytest.mark.parametrize("where", ["", "ana/farming"])
def test_it_reads_the_data_beside_it_and_says_what_is_missing(tmp_path: Path, where: str) -> None:
    source = task_file("x", where, ROWS)
    path = tmp_path / layout.TASK_FILE
    wanted = [node for node in ast.parse(source).body if "_source" in ast.unparse(node)]
    names: dict[str, Any] = {"Path": Path, "REPO": where, "__file__": str(path)}
    exec(compile(ast.Module(wanted[:1], []), "task", "exec"), names)
    if where:
        assert names["_source"]() == (where, "exam")
        assert "else from the Hub" in source
    else:
        with pytest.raises(FileNotFoundError, match="not beside"):
            names["_source"]()
    (tmp_path / "exam").mkdir()
    (tmp_path / "exam/train-00000-of-00001.parquet").write_bytes(to_parquet(ROWS))
    assert names["_source"]() == (str(tmp_path / "exam"), "default")


def test_without_reviewed_questions_it_says_what_to_do(folder: Path) -> None:
    store = FolderStore(folder)
    make_project(store, a_seed(), Project())
    with pytest.raises(InvalidInput, match=r"export .* --format exam"):
        write_task(store)
    with pytest.raises(InvalidInput, match="Review some"):
        task_file("x", "", [])


def test_names_fit_the_command_line() -> None:
    assert task_name("./projects/farming") == "farming"
    assert task_name("User/Farming-Exam.PT") == "farming_exam_pt"
    assert task_name("日本/農業") == "x"
