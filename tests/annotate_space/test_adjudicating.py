"""The lead's queue of disagreements: what it shows, and what a verdict does."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from annotate_space import adjudicating, handlers
from annotate_space.handlers import Caller, Opening
from annotate_space.people import HubUser, Person
from annotate_space.questions import Question
from annotate_space.study import disputes as study
from annotate_space.study.material import Material
from annotate_space.ui import Handler
from pipeline.core.errors import InvalidInput, NotAllowed
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.projects import load_feedback, load_project, read_feedback
from pipeline.core.schema import Sample
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from tests.factories import a_sample, fill, pair, thumb

LEAD = Caller()
ONE, TWO = a_sample(1), a_sample(2, topic="Cover crops")
EXAM = Sample.model_validate(
    a_sample(3, ()).model_dump()
    | {
        "kind": "exam",
        "question": "When is clay dry enough?",
        "answer": "When it crumbles",
        "distractors": ["Never", "In May", "At noon"],
    }
)
CORRECTED = {"question": "When?", "answer": "When dry", "distractors": ["Never", "In May", "Noon"]}


def exam_events() -> list[FeedbackEvent]:
    sample = EXAM.model_copy(update={"completions": ONE.completions})

    def said(who: str, **answer: object) -> FeedbackEvent:
        fields: dict[str, object] = {"task": "exam", "completion_id": None, **answer}
        return thumb(sample, 0, None, who, **fields)

    return [
        said("ana", status="submitted", option="When it crumbles"),
        said("bo", status="flagged", reason="discard", comment="Too easy"),
        said("eva", status="submitted", option="When dry", text=json.dumps(CORRECTED)),
    ]


EVENTS = [
    thumb(ONE, 0, True, "ana", duration_ms=4_000),
    thumb(ONE, 0, False, "bo", comment="<b>Wrong</b> crop"),
    thumb(ONE, 0, None, "eva", comment="I cannot tell", received_at="2099-01-01T00:00:00Z"),
    thumb(ONE, 1, None, "eva", status="flagged", reason="Unsafe"),
    pair(TWO, "left", "ana"), pair(TWO, "left", "bo", swap=True), pair(TWO, "tie", "eva"),
    *(thumb(TWO, 0, label, f"p{n}") for n, label in enumerate((True, True, False))),
    *exam_events(),
]  # fmt: skip


def make(folder: Path) -> FolderStore:
    store = FolderStore(folder)
    fill(store, [ONE, TWO, EXAM])
    data = "".join(event.to_line() + "\n" for event in EVENTS).encode()
    store.commit({"feedback/2026/01/01/x-000001.jsonl": data}, message="Votes")
    return store


@pytest.fixture
def material(folder: Path, tmp_path: Path) -> Material:
    return Material(make(folder), tmp_path / "journal")


@pytest.fixture
def opening(folder: Path) -> Iterator[Opening]:
    make(folder)
    made = Opening(Settings(project=str(folder)))
    yield made
    made.close()


def page(material: Material, **changes: object) -> dict[str, Any]:
    payload: dict[str, Any] = {
        "task": None, "topic": None, "every": False, "skip": 0, "count": 10, "changes": [],
    }  # fmt: skip
    return study.disputes(material, {**payload, **changes})


def named(told: dict[str, Any]) -> list[tuple[str, str]]:
    return [(item["task"], item["sample_id"]) for item in told["items"]]


def test_the_queue_can_be_narrowed_and_turned_over(material: Material) -> None:
    every = [
        ("exam", EXAM.sample_id),
        ("pairwise", TWO.sample_id),
        ("thumbs", ONE.sample_id),
        ("thumbs", TWO.sample_id),
    ]
    told = page(material)
    assert named(told) == every[:3]
    assert told["total"] == 3
    assert told["tasks"] == {"thumbs": 1, "pairwise": 1, "exam": 1}
    assert told["topics"] == {"Clay soils": 2, "Cover crops": 1}
    with_settled = page(material, every=True)
    assert named(with_settled) == every
    assert [item["votes_settle"] for item in with_settled["items"]] == [False] * 3 + [True]
    assert named(page(material, task="thumbs")) == [every[2]]
    assert page(material, task="thumbs")["topics"] == {"Clay soils": 1}
    assert named(page(material, topic="Cover crops")) == [every[1]]
    assert named(page(material, topic="Elsewhere")) == []
    assert named(page(material, skip=1, count=1)) == [every[1]]


def test_every_vote_is_told_with_comments_first(material: Material) -> None:
    (item,) = page(material, task="thumbs")["items"]
    assert [(v["annotator"], v["answer"], v["comment"]) for v in item["votes"]] == [
        ("eva", None, "I cannot tell"),
        ("bo", "bad", "<b>Wrong</b> crop"),
        ("ana", "good", None),
    ]
    assert item["votes"][-1]["seconds"] == 4.0
    assert [(one["task"], one["reason"]) for one in item["remarks"]] == [("thumbs", "Unsafe")]
    (item,) = page(material, task="pairwise")["items"]
    first = sorted(one.completion_id for one in TWO.completions)[0]
    shown_left = TWO.completions[0].completion_id == first
    sides = {v["annotator"]: v["answer"] for v in item["votes"]}
    assert sides == {
        "ana": "left" if shown_left else "right",
        "bo": "right" if shown_left else "left",
        "eva": "tie",
    }
    (item,) = page(material, task="exam")["items"]
    answers = {v["annotator"]: v["answer"] for v in item["votes"]}
    assert answers == {"ana": "option", "bo": "discard", "eva": "correction"}
    assert CORRECTED in [v["correction"] for v in item["votes"]]


def test_what_leads_did_since_the_reading_counts(material: Material) -> None:
    thumbs = {
        "task": "thumbs",
        "sample_id": ONE.sample_id,
        "completion_ids": (ONE.completions[0].completion_id,),
    }
    settled = thumbs | {"settled": True, "differ": False}
    assert page(material, changes=[settled])["tasks"] == {"pairwise": 1, "exam": 1}
    assert page(material, changes=[settled], every=True)["total"] == 3
    differ = thumbs | {"settled": False, "differ": True}
    assert page(material, changes=[differ])["total"] == 3
    unknown = settled | {"sample_id": "none"}
    assert page(material, changes=[unknown])["total"] == 3


def shown(opening: Opening, **payload: object) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = adjudicating.disputes(opening, payload, LEAD)["items"]
    return items


def verdicts(folder: Path) -> list[FeedbackEvent]:
    events = [e for e in read_feedback(FolderStore(folder)) if isinstance(e, FeedbackEvent)]
    return [event for event in events if event.verdict]


def test_a_verdict_goes_all_the_way_and_back(opening: Opening, folder: Path) -> None:
    exam, two, one = shown(opening)
    texts = [answer["html"].strip() for answer in one["answers"]]
    assert texts == [f"<p>{ONE.completions[0].text.strip()}</p>"]
    assert (one["topic"], "In May" in str(exam["options"])) == ("Clay soils", True)
    assert exam["options"][exam["marked"]]["text"] == EXAM.answer
    assert "maker/" not in json.dumps([one, two, exam])
    before = opening.service().board.totals()
    for item, answer in (
        (one, {"label": False, "comment": "It names another crop."}),
        (two, {"preference": "both_bad"}),
        (exam, {"option": "When dry", "text": json.dumps(CORRECTED)}),
    ):
        event = {"event_id": item["task"], "ticket": item["ticket"], **answer}
        adjudicating.settle(opening, {"event": event}, LEAD)
        adjudicating.settle(opening, {"event": event}, LEAD)  # sent again, kept once
    assert opening.service().board.totals() == before  # nobody's turn was taken
    told = adjudicating.disputes(opening, {}, LEAD)
    assert (told["items"], told["total"], told["settled"]) == ([], 0, 3)
    listed = adjudicating.settled(opening, {}, LEAD)["items"]
    assert [item["verdict"]["answer"] for item in listed] == ["correction", "both_bad", "bad"]
    assert listed[2]["verdict"]["comment"] == "It names another crop."
    assert len(listed[2]["votes"]) >= 3
    assert adjudicating.settled(opening, {"task": "thumbs"}, LEAD)["total"] == 1
    back = {"event_id": "back", "ticket": one["ticket"]}
    for _ in range(2):
        adjudicating.reopen(opening, back, LEAD)
    assert [item["ticket"] for item in shown(opening)] == [one["ticket"]]
    with pytest.raises(InvalidInput, match="taken back already"):
        adjudicating.reopen(opening, back | {"event_id": "again"}, LEAD)
    opening.close()
    assert [(e.annotator, e.task, e.status) for e in verdicts(folder)] == [
        ("owner", "thumbs", "submitted"),
        ("owner", "pairwise", "submitted"),
        ("owner", "exam", "submitted"),
        ("owner", "thumbs", "withdrawn"),
    ]
    current = [e for e in load_feedback(FolderStore(folder)).current() if e.verdict]
    assert sorted(e.task for e in current) == ["exam", "pairwise"]


@pytest.mark.parametrize(
    ("answer", "why"),
    [
        ({"label": True, "verdict": True}, "no field 'verdict'"),
        ({"label": None}, "needs label"),
        ({"status": "skipped"}, "settles nothing"),
        ({"status": "flagged", "reason": "Unsafe"}, "settles nothing"),
        ({"label": True, "ticket": "x"}, "not belong to a question"),
        ({"label": True, "event_id": None}, "did not arrive whole"),
    ],
)
def test_what_is_no_decision_is_refused(opening: Opening, answer: dict[str, Any], why: str) -> None:
    service = opening.service()
    lead = Person("owner", "owner", "hub")
    question = Question("thumbs", ONE.sample_id, (ONE.completions[0].completion_id,))
    event = {"event_id": "e", "ticket": service.ticket(lead, question), **answer}
    with pytest.raises(InvalidInput, match=why):
        adjudicating.settle(opening, {"event": event}, LEAD)
    assert service.verdicts.standing() == []


def test_only_the_server_makes_a_verdict(opening: Opening, folder: Path) -> None:
    guest = {"who": {"guest": {"name": "Ana", "key": "0" * 32}}, "tab": "tab", "holding": []}
    (item,) = handlers.next_(opening, {**guest, "count": 1, "task": "thumbs"}, LEAD)["items"]
    event = {"event_id": "e", "ticket": item["ticket"], "label": True}
    sent = handlers.submit(opening, {**guest, "events": [event | {"verdict": True}]}, LEAD)
    assert "no field 'verdict'" in sent["rejected"]["e"]
    assert handlers.submit(opening, {**guest, "events": [event]}, LEAD)["received"] == ["e"]
    assert opening.service().verdicts.standing() == []


def test_leads_settle_under_their_own_names_and_reopen_each_others(folder: Path) -> None:
    store = make(folder)
    project = load_project(store)
    project.access.leads = ["lea", "lou"]
    store.commit({"project.json": project.to_json()}, message="Leads")
    opening = Opening(Settings(project=str(folder), on_space=True))
    lea, lou, bob = (Caller(HubUser(name)) for name in ("lea", "lou", "bob"))
    service = opening.service()
    question = Question("thumbs", ONE.sample_id, (ONE.completions[0].completion_id,))
    tickets = {
        name: service.ticket(Person(name, name, "hub"), question) for name in ("lea", "lou", "bob")
    }
    mine = {"event_id": "1", "ticket": tickets["lea"], "label": True}
    refused: list[tuple[Handler, dict[str, Any]]] = [
        (adjudicating.settle, {"event": mine}),
        (adjudicating.disputes, {}),
        (adjudicating.settled, {}),
        (adjudicating.reopen, {"event_id": "2", "ticket": tickets["bob"]}),
    ]
    for handler, payload in refused:
        for caller in (bob, Caller()):
            with pytest.raises(NotAllowed):
                handler(opening, payload, caller)
    with pytest.raises(InvalidInput, match="not belong"):
        adjudicating.settle(opening, {"event": mine}, lou)
    adjudicating.settle(opening, {"event": mine}, lea)
    theirs = {"event_id": "3", "ticket": tickets["lou"], "annotator": "lea"}
    adjudicating.reopen(opening, theirs, lou)
    assert service.verdicts.standing() == []
    opening.close()
    first, second = verdicts(folder)
    assert (first.annotator, first.label, first.reason) == ("lea", True, None)
    assert (second.annotator, second.status, second.reason) == (
        "lea", "withdrawn", "reopened by lou",
    )  # fmt: skip
