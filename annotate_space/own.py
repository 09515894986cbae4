"""What everybody's own page may call: their answers, and nobody else's."""

from __future__ import annotations

from typing import Annotated, Any, Final

from pydantic import Field, TypeAdapter, ValidationError

from annotate_space.cards import for_screen
from annotate_space.handlers import Caller, Opening, Payload, Reply, enter
from annotate_space.people import Person
from annotate_space.questions import Question
from annotate_space.service import AnnotateService
from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import FeedbackEvent, Key, Moment
from pipeline.core.schema import TASKS, Task, describe

MOST_DAYS: Final = 31
_MOMENTS: Final = TypeAdapter(
    Annotated[list[Moment], Field(min_length=2, max_length=MOST_DAYS + 1)]
)
KINDS: Final = ("flagged", "skipped", "comment")
_LAST_PAGE: Final = 1_000_000
_ANSWER: Final = ("status", "label", "preference", "rating", "text", "option", "reason", "comment")


def history(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """A page of the caller's answers, the newest first, with counts and pace.

    See ``study.history.history`` for what the payload holds besides ``who``.
    """
    asked = {
        "task": _task(payload.get("task")),
        "kind": _kind(payload.get("kind")),
        "page": _page(payload.get("page")),
        "days": _days(payload.get("days")),
    }
    service, person = enter(opening, payload, caller, "calls")
    newer = service.lately.of(person.annotator)
    told = service.study.ask("history", annotator=person.annotator, newer=newer, **asked)
    return told | {
        "domain": service.domain,
        "language": service.language,
        "place": service.place,
        "name": person.name,
        "rows": [_row(service, person, event) for event in told["rows"]],
    }


def answer(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """What stands now for the question of ``ticket``, if it was answered lately.

    ``row`` is None if nothing did; ``gone`` is the id of what took the answer back, if it is gone.
    """
    service, person = enter(opening, payload, caller, "calls")
    question = service.question(person, payload.get("ticket"))
    event = service.lately.get(_key(person, question))
    if event is None:
        return {"row": None, "gone": None}
    if event.status == "withdrawn":
        return {"row": None, "gone": event.event_id}
    return {"row": _row(service, person, event), "gone": None}


def _row(service: AnnotateService, person: Person, event: FeedbackEvent) -> dict[str, Any]:
    """One answer for the page: its card, what was said, and where it is.

    ``item`` is None if its card cannot be shown. ``replaces`` is what a change has to name; nothing
    is, if a newer answer has come since the event was read.
    """
    key = event.key()
    newest = service.board.newest_id(key)
    known = newest is not None and service.board.newest(key) == event.received_at
    card = service.card_again(person, _question(event))
    return {
        "item": None if card is None else for_screen(card),
        "event": {"event_id": newest if known else ""}
        | {name: value for name in _ANSWER if (value := getattr(event, name)) is not None},
        "task": event.task,
        "at": event.received_at,
        "spent": event.duration_ms or 0,
        "saved": bool(known and newest and service.saved(person, [newest])),
    }


def _question(event: FeedbackEvent) -> Question:
    """What was asked, as it was shown."""
    both = (event.left_id, event.right_id)
    shown = both if event.task == "pairwise" else (event.completion_id,)
    return Question(
        task=event.task,
        sample_id=event.sample_id,
        completion_ids=tuple(name for name in shown if name is not None),
        repeat=event.repeat is True,
        topic=event.topic or "",
        perspective=event.perspective or "",
    )


def _key(person: Person, question: Question) -> Key:
    subject = "|".join(sorted(question.completion_ids)) or None
    return Key(person.annotator, question.sample_id, question.task, subject, question.repeat)


def _task(given: object) -> Task | None:
    for task in TASKS:
        if task == given:
            return task
    if given is None:
        return None
    raise InvalidInput(f"There is no task {str(given)[:40]!r}.", "Reload the page.")


def _kind(given: object) -> str | None:
    if given is None or given in KINDS:
        return None if given is None else str(given)
    raise InvalidInput(f"There is no kind of answer {str(given)[:40]!r}.", "Reload the page.")


def _page(given: object) -> int:
    if isinstance(given, int) and not isinstance(given, bool) and 0 <= given <= _LAST_PAGE:
        return given
    raise InvalidInput(f"{str(given)[:40]!r} is no page.", "Reload the page.")


def _days(given: object) -> list[str]:
    try:
        days = _MOMENTS.validate_python(given)
    except ValidationError as error:
        raise InvalidInput(
            f"The days to count cannot be used: {describe(error)}.", "Reload the page."
        ) from error
    if days != sorted(set(days)):
        raise InvalidInput("The days to count are not in order.", "Reload the page.")
    return days
