"""What the lead's search may call."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from annotate_space import marking
from annotate_space.handlers import Caller, Opening, Payload, Reply
from annotate_space.lead_handlers import lead_service
from annotate_space.marking import Marked
from annotate_space.people import AskName, Person
from annotate_space.service import AnnotateService
from pipeline.core.errors import InvalidInput, InvitationNeeded, NotAllowed, NotSignedIn

LONGEST: Final = 400
"""Characters that can be searched for."""
_MOST_PAGES: Final = 1_000_000
_NAME: Final = re.compile(r"[0-9a-f]{32}")

_STATES: Final = ("unjudged", "good", "bad", "disputed", "flagged")
_SORTS: Final = ("best", "newest", "rating", "rating_low")
_RATINGS: Final = range(5)


def search(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """A page of the samples that are found."""
    service = lead_service(opening, caller)
    return service.study.ask(
        "search",
        text=_text(payload, "text"),
        meaning=payload.get("meaning") is True,
        state=_one_of(payload, "state", _STATES),
        topic=_choice(payload, "topic"),
        perspective=_choice(payload, "perspective"),
        model=_choice(payload, "model"),
        rating=_number(payload, "rating", _RATINGS),
        round=_number(payload, "round", range(10_000)),
        sort=_one_of(payload, "sort", _SORTS) or "best",
        annotator=_person(service, payload, caller).annotator,
        page=_number(payload, "page", range(1, _MOST_PAGES)) or 1,
    )


def sample(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """One sample in full, and who said what of it."""
    service = lead_service(opening, caller)
    sample_id = _choice(payload, "sample_id")
    if not sample_id:
        raise InvalidInput("The page did not say which sample it means.", "Reload the page.")
    return service.study.ask("sample", sample_id=sample_id, text=_text(payload, "text"))


def mark(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Give the same thumb to each answer of a selection."""
    service = lead_service(opening, caller)
    person, answers, name = _selection(service, payload, caller)
    label = payload.get("label")
    if not isinstance(label, bool):
        raise InvalidInput("The page did not say which thumb it means.", "Reload the page.")
    return marking.mark(service, person, answers, label, name)


def unmark(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Take back what ``mark`` did."""
    service = lead_service(opening, caller)
    return marking.unmark(service, *_selection(service, payload, caller))


def _selection(
    service: AnnotateService, payload: Payload, caller: Caller
) -> tuple[Person, list[Marked], str]:
    """Who marks what, and the name that the page gave to this marking."""
    given, name = payload.get("answers"), payload.get("mark")
    if not isinstance(name, str) or not _NAME.fullmatch(name):
        raise InvalidInput("This page did not say which marking it means.", "Reload the page.")
    if not isinstance(given, list) or not given:
        raise InvalidInput("No answer is selected.", "Select some first.")
    if len(given) > marking.MOST:
        raise InvalidInput(
            f"{len(given)} answers are selected; {marking.MOST} can be marked at once.",
            "Select fewer.",
        )
    answers = []
    for each in given:
        names = [each.get("sample_id"), each.get("completion_id")] if _is_object(each) else []
        if len(names) != 2 or not all(isinstance(one, str) and one for one in names):
            raise InvalidInput("The selection did not arrive as it was sent.", "Reload the page.")
        answers.append(Marked(*names))
    person = _person(service, payload, caller)
    service.limits.spend(person.annotator, "events", len(answers))
    return person, answers, name


def _person(service: AnnotateService, payload: Payload, caller: Caller) -> Person:
    """Who the lead is among the annotators: as on the cards, else as in what else they make."""
    who = payload.get("who")
    who = who if isinstance(who, Mapping) else {}
    try:
        return service.admit(who, None if who else caller.user)
    except (AskName, InvitationNeeded, NotAllowed, NotSignedIn):
        name = service.door.annotator(caller.user)
        return Person(name, name, "hub")


def _is_object(value: object) -> bool:
    return isinstance(value, dict)


def _text(payload: Payload, name: str) -> str:
    value = payload.get(name, "")
    if not isinstance(value, str) or len(value) > LONGEST:
        raise InvalidInput(f"At most {LONGEST} characters can be searched for.", "Use fewer words.")
    return value


def _choice(payload: Payload, name: str) -> str | None:
    value = payload.get(name)
    if value is None or value == "":
        return None
    if not isinstance(value, str) or len(value) > LONGEST:
        raise _odd(name, value)
    return value


def _one_of(payload: Payload, name: str, known: tuple[str, ...]) -> str | None:
    value = _choice(payload, name)
    if value is not None and value not in known:
        raise _odd(name, value)
    return value


def _number(payload: Payload, name: str, known: range) -> int | None:
    value: Any = payload.get(name)
    if value is None:
        return None
    if not isinstance(value, int) or isinstance(value, bool) or value not in known:
        raise _odd(name, value)
    return value


def _odd(name: str, value: object) -> InvalidInput:
    return InvalidInput(f"{name} cannot be {str(value)[:40]!r}.", "Reload the page.")
