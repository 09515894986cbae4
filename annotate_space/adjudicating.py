"""What the lead's queue of disagreements may call."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from annotate_space import cards
from annotate_space.cards import Card
from annotate_space.handlers import Caller, Opening, Payload, Reply
from annotate_space.lead_handlers import lead_service
from annotate_space.people import Person
from annotate_space.questions import Question
from annotate_space.service import AnnotateService
from annotate_space.verdicts import completion_ids
from pipeline.core.errors import InvalidInput, SeedbedError, StoreUnavailable
from pipeline.core.feedback import FeedbackEvent
from pipeline.core.schema import Task

PAGE: Final = 10
"""Questions told at once."""
_TASKS: Final[tuple[Task, ...]] = ("thumbs", "pairwise", "rate", "exam")
_FURTHEST: Final = 1_000_000
_LONGEST: Final = 300


def disputes(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """A page of the questions on which people differ, with everybody's votes.

    ``settled`` tells how many verdicts can be listed.
    """
    service, lead = _enter(opening, caller)
    topic = payload.get("topic")
    told = service.study.ask(
        "disputes",
        task=_task(payload),
        topic=topic[:_LONGEST] if isinstance(topic, str) else None,
        every=payload.get("every") is True,
        skip=_skip(payload),
        count=PAGE,
        changes=[asdict(change) for change in service.verdicts.changes()],
    )
    items = [_shown(service, lead, item) for item in told["items"]]
    settled_now = len(service.verdicts.standing())
    return told | {"items": items, "settled": settled_now, "language": service.language}


def settled(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """A page of the verdicts that stand, the newest first, in the same shape."""
    service, lead = _enter(opening, caller)
    standing = service.verdicts.standing(_task(payload))
    skip = _skip(payload)
    page = standing[skip : skip + PAGE]
    asked = [(one.task, one.sample_id, completion_ids(one)) for one in page]
    told = service.study.ask("votes", questions=asked)
    items = [
        _shown(service, lead, item) | {"verdict": _verdict(one)}
        for one, item in zip(page, told["items"], strict=True)
    ]
    return {"items": items, "total": len(standing), "language": service.language}


def settle(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Keep the lead's verdict on a question that was shown to them."""
    service, lead = _enter(opening, caller)
    event = payload.get("event")
    if not isinstance(event, Mapping) or not isinstance(event.get("event_id"), str):
        raise InvalidInput("The decision did not arrive whole.", "Decide again.")
    question = service.question(lead, event.get("ticket"))
    status = event.get("status", "submitted")
    discards = question.task == "exam" and status == "flagged"
    if question.task not in _TASKS or not (status == "submitted" or discards):
        raise InvalidInput("This settles nothing.", "Choose one of the answers.")
    service.limits.spend(lead.annotator, "events", 1, None)
    receipt = service.submit(lead, [event], verdict=True)
    for why in receipt.rejected.values():
        raise why
    if not receipt.received:
        raise StoreUnavailable("The sample cannot be read now.", "Try again in a moment.")
    return {"settled": len(service.verdicts.standing())}


def reopen(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Take back a verdict, also that of another lead."""
    service, lead = _enter(opening, caller)
    question = service.question(lead, payload.get("ticket"))
    event_id, whose = payload.get("event_id"), payload.get("annotator", lead.annotator)
    if not (isinstance(event_id, str) and isinstance(whose, str) and 0 < len(event_id) <= 200):
        raise InvalidInput("This page did not say which decision it means.", "Reload the page.")
    service.limits.spend(lead.annotator, "events", 1, None)
    service.reopen(lead, question, whose, event_id)
    return {"settled": len(service.verdicts.standing())}


def _enter(opening: Opening, caller: Caller) -> tuple[AnnotateService, Person]:
    service = lead_service(opening, caller)
    name = service.door.annotator(caller.user)
    return service, Person(name, name, "hub")


def _shown(service: AnnotateService, lead: Person, item: Mapping[str, Any]) -> Card:
    """A question as the lead sees it; ``unreadable`` if its sample cannot be shown.

    Leads see topic and source whatever the annotators see; who wrote an answer is not told to them
    either.
    """
    told = {name: item[name] for name in ("task", "votes", "more_votes", "remarks")}
    told["votes_settle"] = item.get("votes_settle", False)
    try:
        sample = service.catalog.sample(item["sample_id"])
        question = Question(
            item["task"],
            item["sample_id"],
            tuple(item["completion_ids"]),
            topic=sample.topic,
            perspective=sample.perspective,
        )
        settings = service.project.annotation.model_copy(
            update={"show_topic": True, "blind_exam": False}
        )
        card = cards.for_screen(cards.plain_card(question, sample, lead.annotator, settings))
    except (KeyError, SeedbedError):
        return told | {"unreadable": True, "ticket": f"{item['task']} {item['sample_id']}"}
    return card | told | {"unreadable": False, "ticket": service.ticket(lead, question)}


def _verdict(event: FeedbackEvent) -> dict[str, Any]:
    """What a lead decided; of a pair in the order of its completions' ids."""
    side = event.preference
    if side in ("left", "right") and (event.left_id or "") > (event.right_id or ""):
        side = "right" if side == "left" else "left"
    answers: dict[str, object] = {
        "thumbs": "good" if event.label else "bad",
        "pairwise": side,
        "rate": event.rating,
        "exam": "correction" if event.text is not None else "option",
    }
    return {
        "annotator": event.annotator,
        "at": event.received_at,
        "answer": "discard" if event.status == "flagged" else answers[event.task],
        "option": event.option,
        "comment": event.comment,
    }


def _task(payload: Payload) -> Task | None:
    name = payload.get("task")
    if name is None:
        return None
    for task in _TASKS:
        if task == name:
            return task
    raise InvalidInput(f"People do not disagree on {str(name)[:40]!r}.", "Reload the page.")


def _skip(payload: Payload) -> int:
    skip = payload.get("skip", 0)
    if not isinstance(skip, int) or isinstance(skip, bool) or not 0 <= skip <= _FURTHEST:
        raise InvalidInput(f"{str(skip)[:40]!r} is no place in the list.", "Reload the page.")
    return skip
