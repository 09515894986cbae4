"""Questions whose answer is known."""

from __future__ import annotations

import threading
from pathlib import Path

import pytest

from pipeline.core import controls, layout
from pipeline.core.controls import Control, Controls, control
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import make_project
from pipeline.core.schema import Project
from pipeline.core.store_folder import FolderStore
from tests.factories import a_seed

THUMB = {"task": "thumbs", "sample_id": "s", "completion_ids": ["a"], "label": True}
PAIR = {"task": "pairwise", "sample_id": "s", "completion_ids": ["a", "b"], "preference": "right"}
RATE = {"task": "rate", "sample_id": "s", "completion_ids": ["a"], "rating": 4}
EXAM = {"task": "exam", "sample_id": "e", "option": "Roll a handful"}


@pytest.fixture
def store(folder: Path) -> FolderStore:
    made = FolderStore(folder)
    make_project(made, a_seed(), Project())
    return made


def test_controls_are_kept_and_the_same_question_is_replaced(store: FolderStore) -> None:
    assert controls.load(store) == Controls()
    for fields in (THUMB, PAIR, RATE, EXAM):
        controls.add(store, control(**fields, note="Clear", made_by="ana"))
    better = controls.add(store, control(**{**PAIR, "preference": "tie"}))
    assert better == controls.load(store)
    assert [one.task for one in better.controls] == ["thumbs", "rate", "exam", "pairwise"]
    assert [one.preferred for one in better.controls] == [None] * 4
    assert control(**PAIR).preferred == "b"
    left = controls.remove(store, control(**THUMB).subject)
    assert controls.remove(store, control(**THUMB).subject) == left
    assert [one.task for one in left.controls] == ["rate", "exam", "pairwise"]


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({**THUMB, "label": None}, "its label"),
        ({**THUMB, "rating": 3}, "its label"),
        ({**THUMB, "label": "yes"}, "label"),
        ({**THUMB, "completion_ids": []}, "1 completions"),
        ({**PAIR, "completion_ids": ["b", "a"]}, "order"),
        ({**PAIR, "completion_ids": ["a", "a"]}, "2 completions"),
        ({**PAIR, "preference": "first"}, "preference"),
        ({**RATE, "rating": 6}, "rating"),
        ({**EXAM, "completion_ids": ["a"]}, "0 completions"),
        ({**THUMB, "task": "edit"}, "task"),
        ({**THUMB, "answer": 1}, "answer"),
    ],
)
def test_a_control_that_says_no_answer_is_refused(fields: dict[str, object], said: str) -> None:
    with pytest.raises(InvalidInput, match=said):
        control(**fields)


def test_a_file_with_a_question_twice_or_a_fault_is_named(store: FolderStore) -> None:
    one = Control.model_validate(THUMB).model_dump_json()
    for data in (f'{{"controls": [{one}, {one}]}}', '{"controls": [{"task": "thumbs"}]}', "{"):
        store.commit({layout.CONTROLS: data.encode()}, message="Break")
        with pytest.raises(InvalidInput, match=r"controls\.json"):
            controls.load(store)


def test_two_who_add_at_the_same_time_lose_nothing(store: FolderStore, folder: Path) -> None:
    def one(number: int) -> None:
        controls.add(FolderStore(folder), control(**{**THUMB, "sample_id": f"s{number}"}))

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert {c.sample_id for c in controls.load(store).controls} == {"s0", "s1", "s2", "s3"}
