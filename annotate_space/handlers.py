"""What the card and scripts may call, free of Gradio's wiring: checked input, plain replies."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from annotate_space.cards import for_screen
from annotate_space.limits import TooFast
from annotate_space.people import AskName, HubUser, Person
from annotate_space.service import AnnotateService, Receipt
from pipeline.core.errors import (
    InvalidInput,
    InvitationNeeded,
    NotAllowed,
    NotSignedIn,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.schema import Task
from pipeline.core.settings import Settings
from pipeline.web.markup import to_html

MAX_IDS: Final = 1_000
_TAB: Final = re.compile(r"[\w-]{1,64}")
Reply = dict[str, Any]
Payload = Mapping[str, Any]


class Opening:
    """Opens the service at the first request, and again at the next one while that fails."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._guard = threading.Lock()
        self._service: AnnotateService | None = None
        self._closed = False

    def service(self) -> AnnotateService:
        """The one service of this process.

        Raises:
            SeedbedError: The project cannot be used now.
        """
        with self._guard:
            if self._closed:
                raise StoreUnavailable(
                    "The server is stopping.", "Your answers are kept in this browser."
                )
            if self._service is None:
                self._service = AnnotateService(self.settings)
            return self._service

    def close(self) -> None:
        """Commit what is pending, if the service was ever opened."""
        with self._guard:
            self._closed = True
            if self._service is not None:
                self._service.close()


def failure(error: SeedbedError) -> Reply:
    """What the card is told when something cannot be done, and of which kind it is."""
    reply: Reply = {"error": str(error), "kind": _kind(error)}
    if isinstance(error, TooFast):
        reply["retry_after"] = error.retry_after
    return reply


def _kind(error: SeedbedError) -> str:
    match error:
        case NotSignedIn():
            return "sign_in"
        case InvitationNeeded():
            return "invitation"
        case TooFast():
            return "slow_down"
        case NotAllowed():
            return "refused"
        case StoreUnavailable():
            return "away"
        case _:
            return "invalid"


def hello(opening: Opening, payload: Payload, user: HubUser | None) -> Reply:
    """What the card needs to start; ``ask_name`` when the person has not said who they are."""
    service = opening.service()
    lead = service.door.is_lead(user)
    try:
        person = service.admit(_who(payload), user)
    except AskName:
        return {"ask_name": True, "domain": service.domain, "lead": lead}
    except (NotSignedIn, NotAllowed, InvitationNeeded) as error:
        return failure(error) | {"domain": service.domain, "lead": lead}
    annotation = service.project.annotation
    return {
        "project": opening.settings.project,
        "domain": service.domain,
        "language": service.language,
        "annotator": person.annotator,
        "name": person.name,
        "kind": person.kind,
        "lead": lead,
        "tasks": annotation.tasks,
        "guidelines": to_html(annotation.guidelines),
        "guidelines_version": annotation.guidelines_version(),
        "place": service.place,
        "show_models": annotation.show_models,
        "progress": service.progress(person),
        **_standing(service),
    }


def enter(
    opening: Opening, payload: Payload, user: HubUser | None
) -> tuple[AnnotateService, Person]:
    """The service, and who it is that wants something of it.

    Raises:
        SeedbedError: They may not come in, or did not say who they are.
    """
    service = opening.service()
    who = _who(payload)
    try:
        # A guest's answers may arrive after they signed in: they are still the guest's.
        return service, service.admit(who, None if who else user)
    except AskName as error:
        raise InvalidInput("This browser did not say who you are.", "Reload the page.") from error


def next_(opening: Opening, payload: Payload, user: HubUser | None) -> Reply:
    """The next questions for the card."""
    service, person = enter(opening, payload, user)
    count = payload.get("count")
    again = payload.get("again") is True
    count = count if isinstance(count, int) else 1
    service.limits.spend(person.annotator, "questions", max(1, min(count, 50)))
    tab = payload.get("tab")
    if not isinstance(tab, str) or not _TAB.fullmatch(tab):
        raise InvalidInput("This page did not say which one it is.", "Reload the page.")
    items = service.next(
        person,
        tab,
        count,
        task=_task(service, payload.get("task")),
        holding=_ids(payload.get("holding")),
        again=again,
    )
    lead = service.door.is_lead(user)
    for item in items:
        if not lead:
            del item["control"]  # who is tested shall not know when
    return {
        "items": [for_screen(item) for item in items],
        "progress": service.progress(person),
        "skipped": service.board.skipped(person.annotator),
    }


def submit(opening: Opening, payload: Payload, user: HubUser | None) -> Reply:
    """Keep events; tell which are received, which are in the dataset and which are refused."""
    service, person = enter(opening, payload, user)
    tab = payload.get("tab")
    if isinstance(tab, str):
        service.board.renew(person.annotator, tab[:64])
    return _submit(service, person, payload.get("events"))


def check(opening: Opening, payload: Payload, user: HubUser | None) -> Reply:
    """Tell which events are in the dataset, and which the server does not know."""
    service, person = enter(opening, payload, user)
    service.limits.spend(person.annotator, "calls")
    ids = _ids(payload.get("event_ids"))
    return {
        "saved": service.saved(ids),
        "forgotten": service.forgotten(ids),
        **_standing(service),
    }


def next_samples(
    opening: Opening, who: Payload, user: HubUser | None, tab: str, count: int
) -> Reply:
    """For scripts: the next questions with raw texts; those handed out before are free again."""
    service, person = enter(opening, {"who": who}, user)
    service.limits.spend(person.annotator, "questions", max(1, min(count, 50)))
    items = service.next(person, tab, count)
    for item in items:
        del item["control"]
    return {"items": items, "progress": service.progress(person)}


def submit_feedback(opening: Opening, who: Payload, user: HubUser | None, events: object) -> Reply:
    """For scripts: keep events and tell what became of each."""
    service, person = enter(opening, {"who": who}, user)
    return _submit(service, person, events)


def undo_feedback(opening: Opening, who: Payload, user: HubUser | None, event_ids: object) -> Reply:
    """For scripts: take back answers by the ids they were sent with."""
    service, person = enter(opening, {"who": who}, user)
    ids = _ids(event_ids)
    service.limits.spend(person.annotator, "events", len(ids))
    return _told(service, person, service.withdraw(person, ids))


def progress(opening: Opening, who: Payload, user: HubUser | None) -> Reply:
    """For scripts: how far the person is, and where their answers are."""
    service, person = enter(opening, {"who": who}, user)
    service.limits.spend(person.annotator, "calls")
    return {
        "annotator": person.annotator,
        "progress": service.progress(person),
        "skipped": service.board.skipped(person.annotator),
        **_standing(service),
    }


def _submit(service: AnnotateService, person: Person, events: object) -> Reply:
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise InvalidInput("The answers did not arrive as a list of objects.", "Send them again.")
    service.limits.spend(person.annotator, "events", len(events))
    return _told(service, person, service.submit(person, events))


def _told(service: AnnotateService, person: Person, receipt: Receipt) -> Reply:
    return {
        "received": receipt.received,
        "rejected": receipt.rejected,
        "wrote": receipt.wrote,
        "saved": service.saved(receipt.received),
        "progress": service.progress(person),
        **_standing(service),
    }


def _standing(service: AnnotateService) -> Reply:
    return {"saved_at": service.syncer.saved_at, "trouble": service.syncer.trouble}


def _who(payload: Payload) -> Payload:
    who = payload.get("who")
    return who if isinstance(who, Mapping) else {}


def _task(service: AnnotateService, name: object) -> Task | None:
    if name is None:
        return None
    for task in service.project.annotation.tasks:
        if task == name:
            return task
    raise InvalidInput(f"This project has no task {str(name)[:40]!r}.", "Reload the page.")


def _ids(given: object) -> Sequence[str]:
    if not isinstance(given, list) or len(given) > MAX_IDS:
        raise InvalidInput(f"Expected a list of at most {MAX_IDS} ids.", "Send fewer.")
    return [item for item in given if isinstance(item, str)]
