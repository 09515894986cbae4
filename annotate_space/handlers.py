"""What the card and scripts may call, free of Gradio's wiring: checked input, plain replies."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any, Final, Literal

from annotate_space.cards import for_screen, rendered
from annotate_space.limits import TooFast
from annotate_space.messages import told
from annotate_space.people import AskName, HubUser, Person
from annotate_space.service import MAX_COUNT, MAX_EVENTS, AnnotateService, Receipt
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
from pipeline.web.lacking import lack_of

MAX_IDS: Final = 1_000
MAX_HELD: Final = 400
_PATIENCE: Final = 20.0
"""Seconds that a request waits for a project that is being read."""
Spent = Literal["events", "questions", "calls"]
_TAB: Final = re.compile(r"[\w-]{1,64}")
Reply = dict[str, Any]
Payload = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Caller:
    """Where a request comes from.

    Attributes:
        user: Who is signed in with Hugging Face, if anybody is.
        address: Of the machine, as far as it is told; guests behind one share a limit.
    """

    user: HubUser | None = None
    address: str | None = None


class Opening:
    """Opens the service in a thread of its own, again at the next request while that fails."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self._guard = threading.Lock()
        self._attempt: Future[AnnotateService] | None = None
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
            if self._attempt is None:
                self._attempt = Future()
                threading.Thread(
                    target=self._open, args=(self._attempt,), name="opening", daemon=True
                ).start()
            attempt = self._attempt
        try:
            return attempt.result(_PATIENCE)
        except TimeoutError as error:
            raise StoreUnavailable(
                "The project is still being read.", "The page tries again by itself."
            ) from error
        except SeedbedError:
            with self._guard:
                if self._attempt is attempt:
                    self._attempt = None
            raise

    def close(self) -> None:
        """Commit what is pending, if the service was ever opened."""
        with self._guard:
            self._closed = True
            attempt = self._attempt
        if attempt is not None and attempt.done() and attempt.exception() is None:
            attempt.result().close()

    def _open(self, attempt: Future[AnnotateService]) -> None:
        try:
            service = AnnotateService(self.settings)
        except BaseException as error:  # noqa: BLE001 - whoever waits for it is told
            attempt.set_exception(error)
        else:
            attempt.set_result(service)


def failure(error: SeedbedError, payload: Payload) -> Reply:
    """What the page is told when something cannot be done, and of which kind it is."""
    reply: Reply = {"error": told(error, payload.get("language")), "kind": _kind(error)}
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


def hello(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """What the card needs to start; ``ask_name`` when the person has not said who they are."""
    try:
        service = opening.service()
    except SeedbedError as error:
        lack = lack_of(opening.settings, error)
        if lack is None or opening.settings.space_settings is None:
            raise
        return failure(error, payload) | {
            "kind": "setup",
            "setup": {
                "lack": lack,
                "project": opening.settings.project,
                "settings": opening.settings.space_settings,
            },
        }
    lead = service.door.is_lead(caller.user)
    try:
        person = service.admit(_who(payload), caller.user)
    except AskName as error:
        reply: Reply = {"ask_name": True, "domain": service.domain, "lead": lead}
        if _who(payload).get("invite"):
            reply["problem"] = told(error, payload.get("language"))
        return reply
    except (NotSignedIn, NotAllowed, InvitationNeeded) as error:
        return failure(error, payload) | {"domain": service.domain, "lead": lead}
    _spend(service, person, caller, "calls")
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
        "guidelines": rendered(annotation.guidelines),
        "guidelines_version": service.guidelines_version,
        "place": service.place,
        "show_models": annotation.show_models,
        "progress": service.progress(person),
        **_standing(service),
    }


def enter(
    opening: Opening, payload: Payload, caller: Caller, what: Spent, amount: int = 1
) -> tuple[AnnotateService, Person]:
    """The service, and who it is that wants so much of it.

    Raises:
        SeedbedError: They may not come in, did not say who they are, or want too much at once.
    """
    service = opening.service()
    who = _who(payload)
    try:
        # A guest's answers may arrive after they signed in: they are still the guest's.
        person = service.admit(who, None if who else caller.user)
    except AskName as error:
        raise InvalidInput(error.problem, error.next_step) from error
    _spend(service, person, caller, what, amount)
    return service, person


def next_(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """The next questions for the card."""
    count = _count(payload.get("count"))
    service, person = enter(opening, payload, caller, "questions", count)
    tab = payload.get("tab")
    if not isinstance(tab, str) or not _TAB.fullmatch(tab):
        raise InvalidInput("This page did not say which one it is.", "Reload the page.")
    items = service.next(
        person,
        tab,
        count,
        task=_task(service, payload.get("task")),
        holding=_texts(payload.get("holding"), MAX_HELD),
        again=payload.get("again") is True,
    )
    if not service.door.is_lead(caller.user):
        for item in items:
            del item["control"]  # who is tested shall not know when
    return {
        "items": [for_screen(item) for item in items],
        "progress": service.progress(person),
        "skipped": service.board.skipped(person.annotator),
        "guidelines_version": service.guidelines_version,
    }


def submit(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Keep events; tell which are received, which are in the dataset and which are refused."""
    events = _events(payload.get("events"))
    service, person = enter(opening, payload, caller, "events", len(events))
    tab = payload.get("tab")
    if isinstance(tab, str) and _TAB.fullmatch(tab):
        service.board.renew(person.annotator, tab)
    return _became(service, person, service.submit(person, events), payload.get("language"))


def check(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """Tell which events are in the dataset, and which the server does not know."""
    ids = _texts(payload.get("event_ids"), MAX_IDS)
    service, person = enter(opening, payload, caller, "calls")
    return {
        "saved": service.saved(person, ids),
        "forgotten": service.forgotten(person, ids),
        **_standing(service),
    }


def passage(opening: Opening, payload: Payload, caller: Caller) -> Reply:
    """The passage that the sample of a question rests on."""
    service, person = enter(opening, payload, caller, "calls")
    ticket = payload.get("ticket")
    if not isinstance(ticket, str):
        raise InvalidInput("This page did not say which question it shows.", "Reload the page.")
    return {"text": service.passage(person, ticket)}


def next_samples(opening: Opening, who: Payload, caller: Caller, tab: str, count: object) -> Reply:
    """For scripts: the next questions with raw texts; those handed out before are free again."""
    wanted = _count(count)
    service, person = enter(opening, {"who": who}, caller, "questions", wanted)
    items = service.next(person, tab, wanted)
    for item in items:
        del item["control"]
    return {"items": items, "progress": service.progress(person)}


def submit_feedback(opening: Opening, who: Payload, caller: Caller, events: object) -> Reply:
    """For scripts: keep events and tell what became of each."""
    sent = _events(events)
    service, person = enter(opening, {"who": who}, caller, "events", len(sent))
    return _became(service, person, service.submit(person, sent))


def undo_feedback(opening: Opening, who: Payload, caller: Caller, event_ids: object) -> Reply:
    """For scripts: take back answers by the ids they were sent with."""
    ids = _texts(event_ids, MAX_EVENTS)
    service, person = enter(opening, {"who": who}, caller, "events", len(ids))
    return _became(service, person, service.withdraw(person, ids))


def progress(opening: Opening, who: Payload, caller: Caller) -> Reply:
    """For scripts: how far the person is, and where their answers are."""
    service, person = enter(opening, {"who": who}, caller, "calls")
    return {
        "annotator": person.annotator,
        "progress": service.progress(person),
        "skipped": service.board.skipped(person.annotator),
        **_standing(service),
    }


def _became(
    service: AnnotateService, person: Person, receipt: Receipt, language: object = "en"
) -> Reply:
    """What became of events that were sent, with refusals in a language."""
    return {
        "received": receipt.received,
        "rejected": {name: told(why, language) for name, why in receipt.rejected.items()},
        "outdated": receipt.outdated,
        "wrote": receipt.wrote,
        "saved": service.saved(person, receipt.received),
        "progress": service.progress(person),
        "guidelines_version": service.guidelines_version,
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


def _spend(
    service: AnnotateService, person: Person, caller: Caller, what: Spent, amount: int = 1
) -> None:
    address = caller.address if person.kind == "guest" else None
    service.limits.spend(person.annotator, what, amount, address)


def _count(given: object) -> int:
    if not isinstance(given, int) or isinstance(given, bool) or given < 1:
        raise InvalidInput(f"{str(given)[:40]!r} is no number of questions.", "Ask for 1 or more.")
    return min(given, MAX_COUNT)


def _events(given: object) -> list[dict[str, Any]]:
    if not isinstance(given, list) or not all(isinstance(event, dict) for event in given):
        raise InvalidInput("The answers did not arrive as a list of objects.", "Send them again.")
    return given


def _texts(given: object, most: int) -> list[str]:
    if not isinstance(given, list) or len(given) > most:
        raise InvalidInput(f"Expected a list of at most {most} ids.", "Send fewer.")
    return [item for item in given if isinstance(item, str)]
