"""What a lead sees and may change."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from annotate_space import board as annotate_board
from annotate_space import lead
from annotate_space.catalog import Catalog
from annotate_space.lead import Sources
from annotate_space.questions import CellTotals, Lease, PersonTotals, Question, Totals
from annotate_space.recent import Recent
from annotate_space.sync import Syncer
from pipeline.core import controls, invitations, layout
from pipeline.core.errors import Conflict, InvalidInput
from pipeline.core.feedback import timestamp
from pipeline.core.invitations import Invitations
from pipeline.core.projects import load_project, make_project
from pipeline.core.schema import AnnotationSettings, Project, Task
from pipeline.core.store_folder import FolderStore
from tests.factories import a_sample, a_seed, fill, thumb


class Board(annotate_board.Board):
    """A board with the figures it is given."""

    def __init__(
        self,
        tasks: dict[Task, Totals] | None = None,
        cells: Sequence[CellTotals] = (),
        people: Sequence[PersonTotals] = (),
        held: Sequence[Lease] = (),
    ) -> None:
        self._told = (dict(tasks or {}), list(cells), list(people), list(held))

    def totals(self) -> dict[Task, Totals]:
        return self._told[0]

    def by_cell(self) -> list[CellTotals]:
        return self._told[1]

    def by_person(self) -> list[PersonTotals]:
        return self._told[2]

    def leases(self) -> list[Lease]:
        return self._told[3]


class Quiet(Syncer):
    """A syncer of which is told what it is given."""

    waiting = 0
    commits_in_last_hour = 0

    def __init__(
        self,
        saved_at: str | None = None,
        trouble: str | None = None,
        counts: tuple[int, int] = (0, 0),
    ) -> None:
        self.saved_at, self.trouble = saved_at, trouble
        self.waiting, self.commits_in_last_hour = counts


def person(
    annotator: str,
    answered: dict[Task, int],
    skipped: int = 0,
    flagged: int = 0,
    last_at: str | None = None,
) -> PersonTotals:
    return PersonTotals(annotator, answered, skipped, flagged, None, last_at)


def lease(annotator: str, questions: int, until: float) -> Lease:
    return Lease(annotator, "tab", questions, until - 600, until)


@pytest.fixture
def store(folder: Path) -> FolderStore:
    made = FolderStore(folder)
    make_project(made, a_seed(), Project())
    return made


def sources(board: annotate_board.Board, **changes: Any) -> Sources:  # noqa: ANN401
    fixed = Sources(
        project="ana/farming",
        domain="Farming",
        place="the Hub",
        board=board,
        syncer=Quiet(),
        recent=Recent(),
        invitations=Invitations(),
    )
    return replace(fixed, **changes)


def test_an_empty_project_has_an_overview() -> None:
    told = lead.overview(sources(Board(tasks={"thumbs": Totals(0, 0, 0, 0, 0)})))
    assert told["overall"] == {"wanted": 0, "given": 0, "complete": 0, "questions": 0}
    assert told["pace"]["seconds_left"] is None
    assert told["cells"]["topics"] == []
    json.dumps(told)


def test_progress_is_told_overall_and_by_task_with_what_is_left_at_this_pace() -> None:
    recent = Recent()
    for number in range(20):
        at = timestamp(datetime.now(UTC) - timedelta(seconds=number))
        recent.note(thumb(a_sample(number), 0, True, received_at=at, duration_ms=4000))
    board = Board(
        tasks={"thumbs": Totals(60, 20, 22, 5, 30), "exam": Totals(60, 60, 60, 20, 20)},
        people=[person("ana", {"thumbs": 22})],
    )
    told = lead.overview(sources(board, recent=recent))
    assert told["overall"] == {"wanted": 120, "given": 80, "complete": 25, "questions": 50}
    assert [one["task"] for one in told["tasks"]] == ["thumbs", "exam"]
    assert told["pace"]["hour"] == 20
    assert told["pace"]["seconds_left"] == pytest.approx(40 / 2 * 60, rel=0.02)
    assert told["people"]["shown"][0]["seconds"] == 4.0


def test_cells_are_a_grid_and_of_too_many_those_with_most_to_do_are_shown() -> None:
    few = [
        CellTotals("Clay", "Vet", 10, 3),
        CellTotals("Clay", "Cook", 10, 10),
        CellTotals("Bees", "Cook", 5, 0),
    ]
    told = lead.overview(sources(Board(cells=few)))["cells"]
    assert told["topics"] == ["Clay", "Bees"]
    assert told["perspectives"] == ["Vet", "Cook"]
    assert told["rows"] == [[[3, 10], [10, 10]], [None, [0, 5]]]
    many = [CellTotals(f"t{t}", f"p{p}", 10, t % 11) for t in range(500) for p in range(100)]
    told = lead.overview(sources(Board(cells=many)))["cells"]
    assert len(told["topics"]) == 30
    assert told["topics_left_out"] == 470
    assert {cell[0] for row in told["rows"] for cell in row} == {0}
    wide = [CellTotals("t", f"p{p}", 10, 1) for p in range(4_000)]
    assert len(lead.overview(sources(Board(cells=wide)))["cells"]["rows"]) == 1


def test_people_are_told_newest_first_with_what_they_hold() -> None:
    until = datetime.now(UTC).timestamp() + 600
    board = Board(
        people=[
            person("ana", {"thumbs": 3, "pairwise": 2}, 1, 2, last_at="2026-01-01T00:00:00.000Z"),
            person("bo", {}, last_at="2026-01-02T00:00:00.000Z"),
        ],
        held=[lease("ana", 12, until), lease("ana", 5, until - 60), lease("new~0a", 12, until)],
    )
    new, bo, ana = lead.overview(sources(board))["people"]["shown"]
    assert (new["annotator"], new["total"], new["holds"]) == ("new~0a", 0, 12)
    assert (bo["annotator"], bo["holds"], bo["until"]) == ("bo", 0, None)
    assert (ana["total"], ana["skipped"], ana["flagged"], ana["holds"]) == (5, 1, 2, 17)
    assert datetime.fromisoformat(ana["until"]).timestamp() == pytest.approx(until, abs=1)


def test_a_crowd_is_told_in_part() -> None:
    crowd = [person(f"p{n}", {"thumbs": n}, last_at=f"2026-01-01T00:{n:05}") for n in range(700)]
    told = lead.overview(sources(Board(people=crowd)))["people"]
    assert len(told["shown"]) == 500
    assert told["shown"][0]["annotator"] == "p699"
    assert told["left_out"] == 200
    held = [lease(f"new{n}", 12, 1e9) for n in range(700)] + [lease("p1", 12, 1e9)]
    told = lead.overview(sources(Board(people=crowd, held=held)))["people"]
    assert len(told["shown"]) == 1_000
    assert told["left_out"] == 400


def test_what_goes_wrong_is_told() -> None:
    syncer = Quiet("2026-01-01T00:00:00.000Z", "The Hub asks to wait.", (7, 23))
    told = lead.overview(sources(Board(), syncer=syncer, troubles=[f"t{n}" for n in range(30)]))
    assert told["saving"]["trouble"] == "The Hub asks to wait."
    assert (told["saving"]["waiting"], told["saving"]["commits"]) == (7, 23)
    assert told["saving"]["most_commits"] == 128
    folder = lead.overview(sources(Board(), project="./farming"))
    assert folder["saving"]["most_commits"] is None, "nobody counts the commits to a folder"
    assert len(told["troubles"]) + told["more_troubles"] == 30


def test_an_invitation_is_made_listed_without_its_key_and_taken_back(store: FolderStore) -> None:
    payload = {"name": "Eva", "expires": "7d"}
    made = lead.invite(store, payload, pseudonyms=False, made_by="ana")
    assert invitations.load(store).check(made["token"], datetime.now(UTC)).name == "Eva"
    told = lead.overview(sources(Board(), invitations=invitations.load(store)))["invitations"]
    assert [one["name"] for one in told["good"]] == ["Eva"]
    assert made["token"] not in json.dumps(told)
    assert "digest" not in json.dumps(told)
    gone = lead.revoke(store, {"id": made["invitation"]["id"]})
    assert gone["invitation"]["state"] == "revoked"
    told = lead.overview(sources(Board(), invitations=invitations.load(store)))["invitations"]
    assert (told["good"], [one["state"] for one in told["ended"]]) == ([], ["revoked"])
    for wrong in (
        {},
        {"name": 5, "expires": "7d"},
        {"name": "Eva", "expires": "x"},
        {"name": "Eva"},
    ):
        with pytest.raises(InvalidInput):
            lead.invite(store, wrong, pseudonyms=False, made_by="")
    with pytest.raises(InvalidInput):
        lead.revoke(store, {})


def test_an_invitation_is_extended_by_thirty_days(store: FolderStore) -> None:
    made = lead.invite(store, {"name": "Eva", "expires": "7d"}, pseudonyms=False, made_by="ana")
    longer = lead.extend(store, {"id": made["invitation"]["id"]})["invitation"]
    assert longer["state"] == "good"
    later = datetime.now(UTC) + timedelta(days=36)
    assert invitations.load(store).check(made["token"], later).name == "Eva"
    for wrong in ({}, {"id": 5}, {"id": "0123456789"}):
        with pytest.raises(InvalidInput):
            lead.extend(store, wrong)


def test_settings_are_told_and_saved_and_nothing_else_changes(store: FolderStore) -> None:
    before = load_project(store)
    told = lead.configure(store, {})
    assert told["settings"]["overlap"] == 1
    assert told["settings"]["annotate"] == "open"
    fields = {
        "overlap": 3, "tasks": ["rate", "exam"], "mix": {"exam": 2}, "guidelines": "# Ä",
        "repeats": 0.1, "annotate": "named", "people": ["bo"], "pseudonyms": True,
    }  # fmt: skip
    saved = lead.configure(store, {"etag": told["etag"], "fields": fields})
    assert saved["saved"]
    assert fields.items() <= saved["settings"].items()
    assert lead.configure(store, {}) == {key: saved[key] for key in ("settings", "etag")}
    after = load_project(store)
    assert after.annotation.overlap == 3
    assert after.access.people == ["bo"]
    assert after.generation == before.generation


@pytest.mark.parametrize(
    ("fields", "where"),
    [
        ({"overlap": 0}, "overlap"),
        ({"overlap": None}, "overlap"),
        ({"overlap": "many"}, "overlap"),
        ({"repeats": 0.9, "controls": -1}, "repeats"),
        ({"tasks": []}, "tasks"),
        ({"tasks": ["dance"]}, "tasks"),
        ({"mix": {"exam": 2}}, "mix"),
        ({"mix": {"thumbs": 0}}, "mix"),
        ({"guidelines": "x" * 50_001}, "guidelines"),
        ({"annotate": "all"}, "annotate"),
        ({"people": ["no spaces here"]}, "people"),
        ({"leads": "ana"}, "leads"),
        ({"pseudonyms": "perhaps"}, "pseudonyms"),
    ],
)
def test_a_wrong_setting_is_named_and_nothing_is_written(
    store: FolderStore, fields: dict[str, object], where: str
) -> None:
    told = lead.configure(store, {})
    reply = lead.configure(store, {"etag": told["etag"], "fields": {**fields, "show_topic": False}})
    assert where in reply["invalid"]
    assert lead.configure(store, {}) == told


def test_a_change_on_top_of_another_is_a_conflict_that_shows_theirs(store: FolderStore) -> None:
    old = lead.configure(store, {})["etag"]
    lead.configure(store, {"etag": old, "fields": {"overlap": 2}})
    reply = lead.configure(store, {"etag": old, "fields": {"overlap": 5}})
    assert reply["conflict"]["settings"]["overlap"] == 2
    assert load_project(store).annotation.overlap == 2
    again = {"etag": reply["conflict"]["etag"], "fields": {"overlap": 5}}
    assert lead.configure(store, again)["saved"]
    assert load_project(store).annotation.overlap == 5


def test_a_change_between_looking_and_saving_is_a_conflict_too(
    store: FolderStore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    etag = lead.configure(store, {})["etag"]
    commit = store.commit

    def first_somebody_else(files: Any, **words: Any) -> None:  # noqa: ANN401
        monkeypatch.undo()
        lead.configure(FolderStore(folder), {"etag": etag, "fields": {"overlap": 2}})
        commit(files, **words)

    monkeypatch.setattr(store, "commit", first_somebody_else)
    reply = lead.configure(store, {"etag": etag, "fields": {"overlap": 9}})
    assert reply["conflict"]["settings"]["overlap"] == 2


@pytest.mark.parametrize("fields", [{"generation": {}}, {"schema_version": 1}, [], "x", None])
def test_only_settings_of_the_view_can_be_changed(store: FolderStore, fields: object) -> None:
    etag = lead.configure(store, {})["etag"]
    with pytest.raises(InvalidInput):
        lead.configure(store, {"etag": etag, "fields": fields})


def test_a_preview_of_guidelines_can_do_nothing_but_be_read(store: FolderStore) -> None:
    html = lead.configure(store, {"preview": "# Good\n\n<script>alert(1)</script>"})["html"]
    assert "<h1>Good</h1>" in html
    assert "<script" not in html


def test_a_question_becomes_a_control_whatever_side_it_was_seen_on(store: FolderStore) -> None:
    def put(question: Question, **answer: object) -> None:
        lead.control(store, question, answer, made_by="ana")

    put(Question("pairwise", "s", ("b", "a")), preference="left", note="Clearer")
    put(Question("thumbs", "s", ("a",)), label=False)
    put(Question("rate", "s", ("a",)), rating=4)
    put(Question("exam", "s"), option="Wait")
    kept = {one.task: one for one in controls.load(store).controls}
    assert kept["pairwise"].preferred == "b"
    assert (kept["pairwise"].note, kept["pairwise"].made_by) == ("Clearer", "ana")
    assert (kept["thumbs"].label, kept["rate"].rating, kept["exam"].option) == (False, 4, "Wait")
    put(Question("pairwise", "s", ("a", "b")), preference="tie")
    assert len(controls.load(store).controls) == 4
    reply = lead.control(store, Question("pairwise", "s", ("b", "a")), {"remove": True}, made_by="")
    assert reply == {"controls": 3}
    for question, answer in (
        (Question("edit", "s", ("a",)), {}),
        (Question("thumbs", "s", ("a",)), {}),
        (Question("rate", "s", ("a",)), {"rating": 9}),
    ):
        with pytest.raises(InvalidInput, match="control question"):
            lead.control(store, question, answer, made_by="")


def test_a_project_without_settings_can_get_some(folder: Path) -> None:
    store = FolderStore(folder)
    store.create()
    told = lead.configure(store, {})
    assert told["etag"] is None
    assert lead.configure(store, {"etag": None, "fields": {"overlap": 2}})["saved"]
    with pytest.raises(Conflict):
        store.commit({layout.PROJECT: b"{}"}, message="Late", expect={layout.PROJECT: None})


def test_the_figures_of_the_real_board(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, [a_sample(1), a_sample(2, topic="Cover crops", perspective="Beginner")])
    catalog = Catalog(store)
    catalog.refresh()
    board = annotate_board.Board(catalog)
    settings = AnnotationSettings(tasks=["thumbs"], overlap=2)
    board.configure(settings, a_seed().cells())
    board.record(thumb(a_sample(1), 0, True, "ana"))
    board.record(thumb(a_sample(1), 0, None, "bo"))
    held = board.next("eva", "tab", 3, task=None)
    told = lead.overview(sources(board))
    assert told["overall"] == {"wanted": 8, "given": 1, "complete": 0, "questions": 4}
    assert [one["task"] for one in told["tasks"]] == ["thumbs"]
    cells = told["cells"]
    row = cells["rows"][cells["topics"].index("Clay soils")]
    assert row[cells["perspectives"].index("Agronomist")] == [1, 4]
    people = {one["annotator"]: one for one in told["people"]["shown"]}
    assert (people["ana"]["total"], people["bo"]["skipped"]) == (1, 1)
    assert people["eva"]["holds"] == len(held) == 3
    json.dumps(told)
