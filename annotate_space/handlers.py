"""What the card's server functions do, free of Gradio's wiring: checked input, plain replies."""

from __future__ import annotations

import re
import threading
from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final

from annotate_space.service import AnnotateService
from pipeline.core.errors import InvalidInput, NotSignedIn, StoreUnavailable
from pipeline.core.schema import Task
from pipeline.core.settings import Settings
from pipeline.web.markup import to_html

# A Hugging Face name cannot contain "~", so a guest cannot pass for a signed-in person.
_GUEST: Final = re.compile(r"[^~\x00-\x1f]{1,40}~[0-9a-f]{6}")
MAX_IDS: Final = 1_000


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


def hello(opening: Opening, payload: Mapping[str, Any], user: str | None) -> dict[str, Any]:
    """What the card needs to start; ``ask_name`` when the person has not said who they are."""
    service = opening.service()
    if user is None and not _is_guest(payload.get("who")) and not _must_sign_in(service):
        return {"ask_name": True, "domain": service.domain}
    annotator = _annotator(service, payload, user)
    annotation = service.project.annotation
    return {
        "project": opening.settings.project,
        "domain": service.domain,
        "annotator": annotator,
        "guest": user is None,
        "tasks": annotation.tasks,
        "guidelines": to_html(annotation.guidelines),
        "guidelines_version": annotation.guidelines_version(),
        "place": service.place(),
        "saved_at": service.saved_at(),
        "trouble": service.trouble(),
        "progress": {
            task: asdict(service.progress(annotator, task)[0]) for task in annotation.tasks
        },
    }


def more(opening: Opening, payload: Mapping[str, Any], user: str | None) -> dict[str, Any]:
    """The next questions of a task, and how far the person is.

    ``forgotten`` names those of their events on the way that ``progress`` does not count yet.
    """
    service = opening.service()
    annotator = _annotator(service, payload, user)
    task = _task(service, payload.get("task"))
    count = payload.get("count")
    exclude = frozenset(_ids(payload.get("exclude")))
    items = service.upcoming(annotator, task, count if isinstance(count, int) else 1, exclude)
    progress, forgotten = service.progress(annotator, task, _ids(payload.get("event_ids")))
    return {"items": items, "progress": asdict(progress), "forgotten": forgotten}


def submit(opening: Opening, payload: Mapping[str, Any], user: str | None) -> dict[str, Any]:
    """Keep events; tell which are received, which are in the dataset and which are refused."""
    service = opening.service()
    annotator = _annotator(service, payload, user)
    events = payload.get("events")
    if not isinstance(events, list) or not all(isinstance(event, dict) for event in events):
        raise InvalidInput("The answers did not arrive as a list.", "Reload the page.")
    receipt = service.submit(annotator, events)
    return {
        "received": receipt.received,
        "rejected": receipt.rejected,
        "saved": service.saved(receipt.received),
        "saved_at": service.saved_at(),
        "trouble": service.trouble(),
    }


def check(opening: Opening, payload: Mapping[str, Any], user: str | None) -> dict[str, Any]:
    """Tell which events are in the dataset, and which the server does not know."""
    service = opening.service()
    _annotator(service, payload, user)
    ids = _ids(payload.get("event_ids"))
    return {
        "saved": service.saved(ids),
        "forgotten": service.forgotten(ids),
        "saved_at": service.saved_at(),
        "trouble": service.trouble(),
    }


def _must_sign_in(service: AnnotateService) -> bool:
    return service.settings.on_space and service.project.access.annotate == "signed_in"


def _annotator(service: AnnotateService, payload: Mapping[str, Any], user: str | None) -> str:
    if user is not None:
        return user
    if _must_sign_in(service):
        raise NotSignedIn(
            "Only signed-in people give feedback here.", "Press “Sign in with Hugging Face”."
        )
    who = payload.get("who")
    if not _is_guest(who):
        raise InvalidInput("This browser did not say who you are.", "Reload the page.")
    return str(who)


def _is_guest(who: object) -> bool:
    return isinstance(who, str) and _GUEST.fullmatch(who) is not None


def _task(service: AnnotateService, name: object) -> Task:
    for task in service.project.annotation.tasks:
        if task == name:
            return task
    raise InvalidInput(f"This project has no task {str(name)[:40]!r}.", "Reload the page.")


def _ids(given: object) -> list[str]:
    if not isinstance(given, list) or len(given) > MAX_IDS:
        raise InvalidInput(f"Expected a list of at most {MAX_IDS} ids.", "Reload the page.")
    return [item for item in given if isinstance(item, str)]
