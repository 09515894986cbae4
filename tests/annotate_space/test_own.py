"""Everybody's own page, without a screen: what they did, and that it is theirs alone."""

from __future__ import annotations

import random
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from annotate_space import handlers, own
from annotate_space.handlers import Caller, Opening
from annotate_space.limits import RATES, TooFast
from annotate_space.people import HubUser
from annotate_space.study.history import LEAST_REPEATS, PAGE, history
from annotate_space.study.material import Material
from pipeline.core import invitations
from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import Feedback, FeedbackEvent, timestamp
from pipeline.core.schema import Project, Sample
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from tests.factories import a_sample, fill, pair, thumb

SAMPLES = [a_sample(number) for number in range(12)]
NOBODY = Caller()
NOW = datetime(2026, 3, 14, 12, tzinfo=UTC)
DAYS = [timestamp(NOW.replace(hour=0) + timedelta(days=day)) for day in range(-13, 2)]
ALL: dict[str, Any] = {"task": None, "kind": None, "page": 0, "days": DAYS}


def exam(sample: Sample, option: str, annotator: str = "ana", **changes: object) -> FeedbackEvent:
    fields = {
        "event_id": "e", "sample_id": sample.sample_id, "task": "exam", "annotator": annotator,
        "status": "submitted", "option": option, "received_at": timestamp(NOW),
    }  # fmt: skip
    return FeedbackEvent.model_validate({**fields, **changes})


def project_of(folder: Path, stored: Sequence[FeedbackEvent]) -> Material:
    """What the process that studies a project with these events reads it from."""
    store = FolderStore(folder)
    fill(store, SAMPLES)
    lines = "".join(event.to_line() + "\n" for event in stored)
    store.commit({"feedback/2026/01/01/x-000001.jsonl": lines.encode()}, message="Add")
    return Material(store, folder / "no-journal")


def told(material: Material, newer: Sequence[FeedbackEvent] = (), **asked: Any) -> dict[str, Any]:  # noqa: ANN401
    """What that process tells of Ana."""
    return history(material, {**ALL, "annotator": "ana", "newer": list(newer), **asked})


def bare(event: FeedbackEvent) -> dict[str, object]:
    """What a page can tell of an event."""
    gone = {"event_id", "shown_at", "answered_at", "guidelines_version"}
    fields = event.model_dump(exclude=gone)
    return fields | {"repeat": event.repeat or None, "comment": event.comment or None}


def test_what_is_told_is_what_counts_wherever_it_is_read_from(folder: Path) -> None:
    chance = random.Random(3)
    events = []
    for number in range(300):
        changes: dict[str, object] = {
            "event_id": f"e{number}",
            "received_at": timestamp(NOW - timedelta(minutes=chance.randrange(400))),
            "repeat": chance.random() < 0.2 or None,
            "duration_ms": chance.choice([None, 1000, 3000]),
            "comment": chance.choice([None, None, "Good ü"]),
        }
        sample, name = chance.choice(SAMPLES), chance.choice(["ana", "ana", "bo"])
        if chance.random() < 0.2:
            changes["status"] = chance.choice(["withdrawn", "skipped", "flagged"])
        kind = chance.choice(["thumbs", "pair", "exam"])
        if kind == "thumbs":
            label = chance.random() < 0.5
            events.append(thumb(sample, chance.randrange(2), label, name, **changes))
        elif kind == "pair":
            side, swap = chance.choice(["left", "right", "tie", "both_bad"]), chance.random() < 0.5
            events.append(pair(sample, side, name, swap=swap, **changes))
        else:
            option = chance.choice(["It crumbles", "It shines"])
            events.append(exam(sample, option, name, **changes))
    reference = Feedback()
    reference.add(events)
    expected = sorted(
        (event for event in reference.current() if event.annotator == "ana"),
        key=lambda event: event.received_at,
        reverse=True,
    )
    # The server knows what came since it was started, in the store or not.
    start, lately = timestamp(NOW - timedelta(minutes=200)), Feedback()
    lately.add(e for e in events if e.annotator == "ana" and e.received_at >= start)
    known = [n for key in {e.key() for e in events} if (n := lately.newest(key))]
    shuffled = chance.sample(events, len(events))
    stored = [e for e in shuffled if e not in known or chance.random() < 0.5 or e.annotator == "bo"]
    found: list[FeedbackEvent] = []
    material = project_of(folder, stored)
    for page in count():
        reply = told(material, known, page=page)
        found += reply["rows"]
        if (page + 1) * PAGE >= reply["found"]:
            break
    assert [event.received_at for event in found] == [event.received_at for event in expected]
    by_key = {event.key(): bare(event) for event in expected}
    for event in found:
        mine = by_key[event.key()]
        if mine["status"] != "submitted":  # what was said counts for nothing then, and is not kept
            mine |= {name: getattr(event, name) for name in ("label", "preference")}
        assert bare(event) == mine
    given = [e for e in expected if e.status != "skipped"]
    assert sum(one["in_all"] for one in reply["tasks"]) == len(given) == sum(reply["days"])
    assert sum(one["skipped"] for one in reply["tasks"]) == len(expected) - len(given)


def test_counts_pace_and_days(folder: Path) -> None:
    def given(number: int, at: datetime, **more: object) -> FeedbackEvent:
        more |= {"event_id": f"e{number}", "received_at": timestamp(at)}
        return thumb(SAMPLES[number], 0, True, "ana", **more)

    material = project_of(
        folder,
        [
            given(0, NOW, duration_ms=2000),
            given(1, NOW - timedelta(hours=1), duration_ms=4000),
            given(2, NOW - timedelta(days=1), duration_ms=9000, comment="Long"),
            given(3, NOW - timedelta(days=1), status="flagged", reason="unsafe", duration_ms=1),
            given(4, NOW - timedelta(days=13), status="skipped"),
            given(5, NOW - timedelta(days=40)),
            given(6, NOW, verdict=True),
            pair(SAMPLES[0], "left", received_at=timestamp(NOW)),
        ],
    )
    reply = told(material)
    thumbs, pairs = reply["tasks"]
    assert thumbs == {
        "task": "thumbs", "today": 2, "in_all": 5, "flagged": 1, "skipped": 1, "seconds": 4.0,
    }  # fmt: skip
    assert (pairs["task"], pairs["today"], pairs["seconds"]) == ("pairwise", 1, None)
    assert reply["days"] == [0] * 12 + [2, 3]
    filters: list[tuple[dict[str, Any], int]] = [
        ({"kind": "flagged"}, 1),
        ({"kind": "skipped"}, 1),
        ({"kind": "comment"}, 1),
        ({"task": "pairwise"}, 1),
        ({"task": "rate"}, 0),
        ({"task": "thumbs"}, 6),
        ({"page": 9}, 7),
    ]
    for asked, found in filters:
        reply = told(material, **asked)
        assert (reply["found"], len(reply["rows"])) == (found, found)


def test_repeats_are_compared_once_they_tell_nothing_of_a_single_one(folder: Path) -> None:
    first = [pair(sample, "left", event_id=f"a{n}") for n, sample in enumerate(SAMPLES)]
    again = [
        # Shown the other way round, so that the same side is another answer.
        pair(sample, "right" if n else "left", swap=True, event_id=f"b{n}", repeat=True)
        for n, sample in enumerate(SAMPLES[:LEAST_REPEATS])
    ]
    assert told(project_of(folder, [*first, *again[1:]]))["again"] is None
    same = {"asked": LEAST_REPEATS, "same": LEAST_REPEATS - 1}
    assert told(project_of(folder.with_name("all"), [*first, *again]))["again"] == same
    material = project_of(folder.with_name("newer"), [*first[1:], *again[:-1]])
    assert told(material, newer=[first[0], again[-1]])["again"] == same


# ---- over the server's process ------------------------------------------------------------------


@pytest.fixture
def opening(folder: Path) -> Iterator[Opening]:
    project = Project()
    project.annotation.tasks = ["thumbs", "pairwise", "edit", "exam"]
    project.annotation.show_models = project.annotation.blind_exam = True
    item = {"question": "Dry?", "answer": "It crumbles", "distractors": ("It shines", "No")}
    fill(FolderStore(folder), [*SAMPLES[:4], a_sample(20, kind="exam", **item)], project)
    made = Opening(Settings(project=str(folder)))
    yield made
    made.close()


def guest(name: str) -> dict[str, Any]:
    return {"who": {"guest": {"name": name, "key": name[0].lower().encode().hex()[:2] * 16}}}


def give(
    opening: Opening, who: dict[str, Any], task: str, event_id: str, **answer: object
) -> dict[str, Any]:
    """Answer the next card."""
    asked = {**who, "tab": "tab", "task": task, "count": 1, "holding": []}
    item: dict[str, Any]
    (item,) = handlers.next_(opening, asked, NOBODY)["items"]
    send(opening, who, event_id, item["ticket"], **answer)
    return item


def send(
    opening: Opening, who: dict[str, Any], event_id: str, ticket: str, **answer: object
) -> dict[str, Any]:
    event = {"event_id": event_id, "ticket": ticket, **answer}
    return handlers.submit(opening, {**who, "events": [event]}, NOBODY)


def test_each_answer_comes_with_its_card_and_can_be_replaced(opening: Opening) -> None:
    ana, bo = guest("Ana"), guest("Bo")
    thumbs = give(opening, ana, "thumbs", "e1", label=True, comment="Fine", duration_ms=2000)
    give(opening, ana, "edit", "e2", text="Better")
    exams = give(opening, ana, "exam", "e3", option="It shines")
    give(opening, bo, "thumbs", "f1", label=False)
    page = own.history(opening, {**ana, **ALL}, NOBODY)
    assert (page["found"], page["domain"], page["name"]) == (3, "Farming", "Ana")
    exam_row, edit_row, row = page["rows"]
    assert row["item"] == {name: thumbs[name] for name in thumbs if name != "control"}
    assert row["event"] == {
        "event_id": "e1", "status": "submitted", "label": True, "comment": "Fine",
    }  # fmt: skip
    assert row["spent"] == 2000
    assert edit_row["event"]["text"] == "Better"
    assert exam_row["item"]["marked"] is None
    assert exam_row["item"]["options"] == exams["options"]
    for secret in ("maker/model", "control", "repeat", *(sample.sample_id for sample in SAMPLES)):
        assert secret not in str(page)
    # The question is told by its ticket, and only its owner's is good.
    for handler, payload in (
        (own.answer, {**bo, "ticket": thumbs["ticket"]}),
        (own.answer, {**ana, "ticket": None}),
    ):
        with pytest.raises(InvalidInput, match="does not belong"):
            handler(opening, payload, NOBODY)
    reply = send(opening, ana, "e4", row["item"]["ticket"], label=False, replaces=["e1"])
    assert reply["received"] == ["e4"]
    # What was seen is no longer the newest: the newer one stays, and is told.
    reply = send(opening, ana, "e5", row["item"]["ticket"], label=True, replaces=["e1"])
    assert (reply["received"], reply["outdated"]) == ([], ["e5"])
    assert "newer answer" in reply["rejected"]["e5"]
    now = own.answer(opening, {**ana, "ticket": row["item"]["ticket"]}, NOBODY)["row"]
    assert (now["event"]["event_id"], now["event"]["label"]) == ("e4", False)
    page = own.history(opening, {**ana, **ALL}, NOBODY)
    assert [one["event"]["event_id"] for one in page["rows"]] == ["e4", "e3", "e2"]
    send(opening, ana, "e6", row["item"]["ticket"], status="withdrawn", replaces=["x", "e4"])
    gone = own.answer(opening, {**ana, "ticket": row["item"]["ticket"]}, NOBODY)
    assert gone == {"row": None, "gone": "e6"}
    page = own.history(opening, {**ana, **ALL}, NOBODY)
    assert [one["event"]["event_id"] for one in page["rows"]] == ["e3", "e2"]
    reply = send(opening, ana, "e7", row["item"]["ticket"], label=True, replaces="e6")
    assert "replaces is a list" in reply["rejected"]["e7"]


@pytest.mark.parametrize(
    ("payload", "why"),
    [
        ({"page": -1}, "no page"),
        ({"page": True}, "no page"),
        ({"task": "dance"}, "no task"),
        ({"kind": "all"}, "no kind"),
        ({"days": []}, "days to count"),
        ({"days": ["2026-01-02T00:00:00Z", "2026-01-01T00:00:00Z"]}, "not in order"),
        ({"days": ["2026-01-01", "2026-01-02"]}, "days to count"),
        ({"days": DAYS * 3}, "days to count"),
    ],
)
def test_what_cannot_be_asked(payload: dict[str, Any], why: str) -> None:
    with pytest.raises(InvalidInput, match=why):
        own.history(Opening(Settings()), {**guest("Ana"), **ALL, **payload}, NOBODY)


def test_only_whoever_may_come_in_is_told_anything(folder: Path) -> None:
    project = Project()
    project.access.annotate = "invitation"
    store = FolderStore(folder)
    fill(store, SAMPLES[:2], project)
    made = invitations.make(store, "Eva", timedelta(days=1), pseudonyms=True, made_by="ana")
    opening = Opening(Settings(project=str(folder)))
    eva = {"who": {"invite": made.token}}
    give(opening, eva, "thumbs", "e1", label=True)
    assert own.history(opening, {**eva, **ALL}, NOBODY)["found"] == 1
    with pytest.raises(Exception, match="invitation"):
        own.history(opening, {**guest("Ana"), **ALL}, NOBODY)
    opening.close()


def test_whoever_signed_in_is_told_of_their_own_and_not_faster_than_others(folder: Path) -> None:
    fill(FolderStore(folder), SAMPLES[:2])
    opening = Opening(Settings(project=str(folder), on_space=True))
    bob, eve = Caller(HubUser("bob")), Caller(HubUser("eve"))
    asked = {"who": {}, "tab": "tab", "task": "thumbs", "count": 1, "holding": []}
    (item,) = handlers.next_(opening, asked, bob)["items"]
    event = {"event_id": "e", "ticket": item["ticket"], "label": True}
    handlers.submit(opening, {"who": {}, "events": [event]}, bob)
    ticket = {"who": {}, "ticket": item["ticket"]}
    assert own.answer(opening, ticket, bob)["row"]["event"]["event_id"] == "e"
    with pytest.raises(InvalidInput, match="does not belong"):
        own.answer(opening, ticket, eve)
    with pytest.raises(InvalidInput, match="did not say who"):
        own.answer(opening, ticket, NOBODY)
    with pytest.raises(TooFast):
        for _ in range(RATES["calls"].burst + 20):
            own.answer(opening, ticket, bob)
    opening.close()
