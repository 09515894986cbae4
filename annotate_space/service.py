"""One project's annotation: who gets what, what is kept, and how it stands."""

from __future__ import annotations

import logging
import threading
import uuid
from collections import OrderedDict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from datetime import UTC, datetime, timedelta
from functools import lru_cache, partial
from typing import Any, Final, TypeVar

from annotate_space import cards
from annotate_space.answers import can_be_answered, to_event
from annotate_space.board import Board, Question
from annotate_space.cards import Card
from annotate_space.catalog import Catalog
from annotate_space.journal import Journal
from annotate_space.lately import Lately
from annotate_space.limits import Limits
from annotate_space.people import AskName, Door, HubUser, Person, secret_of
from annotate_space.recent import Recent
from annotate_space.study.process import Study
from annotate_space.sync import Syncer
from annotate_space.tickets import Tickets
from annotate_space.verdicts import Verdicts
from annotate_space.votes import EventIds
from annotate_space.watch import Inbox, Watcher
from pipeline.core import controls, invitations, layout
from pipeline.core.controls import Controls
from pipeline.core.documents.kept import read_passage
from pipeline.core.errors import (
    InvalidInput,
    InvitationNeeded,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.feedback import BadLine, FeedbackEvent, Key, Parsed, now, timestamp
from pipeline.core.invitations import Invitations
from pipeline.core.projects import (
    load_project,
    load_seed,
    open_store,
    read_feedback,
    require_project,
    work_folder,
)
from pipeline.core.schema import AnnotationSettings, Project, Sample, Task
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore

_log = logging.getLogger(__name__)

Kept = TypeVar("Kept")

MAX_EVENTS: Final = 200
"""Events taken in one call; a browser that was offline for longer sends several."""
MAX_COUNT: Final = 50
_ATTEMPTS: Final = 8
"""How often questions are drawn if none of those drawn can be shown."""
_FOLDER_SECONDS, _HUB_LOOK_SECONDS, _FOLDER_LOOK_SECONDS = 1.0, 15.0, 4.0
_REMEMBERED: Final = 50_000
"""Events of which the server can tell when they were saved, and which can be taken back by id."""
_BAD_LINES: Final = 100
_PASSAGES: Final = 1_000
"""Passages of documents kept, of at most 1 500 characters each."""


@dataclass(slots=True)
class Receipt:
    """What became of events that were sent.

    Attributes:
        received: Ids that are in the journal or further; the server will not lose them.
        rejected: Why others were refused, by id; sending them again will not help.
        outdated: Ids among those refused because a newer answer than the ones they were to replace
            had come.
        wrote: By id, which models wrote the answers that were judged, in the order shown.
    """

    received: list[str] = field(default_factory=list)
    rejected: dict[str, InvalidInput] = field(default_factory=dict)
    outdated: list[str] = field(default_factory=list)
    wrote: dict[str, list[str]] = field(default_factory=dict)


class AnnotateService:
    """Serves one project's questions to annotators and keeps what they answer.

    Making one reads the project, its samples and its feedback, and starts to sync.

    Raises:
        SeedbedError: The project cannot be used now.
    """

    def __init__(self, settings: Settings) -> None:
        if not settings.project:
            raise InvalidInput(
                "This Space has no project yet.",
                "Set the variable SEEDBED_PROJECT to the dataset's name, such as ana/farming.",
            )
        self.settings = settings
        self.store = open_store(settings)
        require_project(self.store)
        secret = secret_of(settings, self.store)
        self.door = Door(settings, self.store, secret)
        self.limits = Limits()
        self.catalog = Catalog(self.store)
        self.board = Board(self.catalog)
        self.recent = Recent()
        self.verdicts = Verdicts()
        self.lately = Lately()
        self._bad_lines: list[BadLine] = []
        self._own = EventIds()
        self._troubles: dict[str, str] = {}
        self.project = Project()
        self.invitations = Invitations()
        self.controls = Controls()
        self._tickets = Tickets(secret)
        self._passage = lru_cache(maxsize=_PASSAGES)(partial(read_passage, self.store))
        self._guard = threading.RLock()
        self._configuring = threading.Lock()
        self._settled = threading.Condition()
        self._claims: set[str] = set()
        self._unsaved: set[str] = set()
        self._events: OrderedDict[str, FeedbackEvent] = OrderedDict()
        self._saved_at: OrderedDict[str, str] = OrderedDict()
        self._last_moment = datetime.min.replace(tzinfo=UTC)
        self._opened_at = now()
        self._closed = False
        self._configure()
        self._take_in_samples()
        folder = isinstance(self.store, FolderStore)
        self.place = "this folder" if folder else "the Hub"
        journal = work_folder(self.store, settings) / "journal"
        self.journal = Journal(journal)
        self.study = Study(settings, journal)
        try:
            inbox = Inbox(self.store, instance=self.journal.instance)
            self._arrived(inbox.read_new())
            self._take_in(self.journal.take_over())
        except SeedbedError:
            self.journal.abandon()
            raise
        self.syncer = Syncer(
            self.store,
            self.journal,
            interval=_FOLDER_SECONDS if folder else settings.commit_seconds,
            saved=self._on_saved,
        )
        self._watcher = Watcher(
            self.store,
            inbox,
            interval=_FOLDER_LOOK_SECONDS
            if folder
            else max(_HUB_LOOK_SECONDS, settings.commit_seconds),
            arrived=self._arrived,
            changed=self._changed,
        )
        self.syncer.start()
        self._watcher.start()

    def admit(self, who: Mapping[str, Any], user: HubUser | None) -> Person:
        """Who it is, see ``Door.admit``; an invitation that was made elsewhere is looked for."""
        try:
            return self.door.admit(who, user)
        except (AskName, InvitationNeeded):
            if not who.get("invite"):
                raise
        self._look()
        return self.door.admit(who, user)

    def next(
        self,
        person: Person,
        tab: str,
        count: int,
        *,
        task: Task | None = None,
        holding: Sequence[str] = (),
        again: bool = False,
    ) -> list[Card]:
        """The next questions for ``person`` with their tickets; texts are raw Markdown.

        Looks for new samples in the project when there are not enough.

        Args:
            person: Who asks.
            tab: Where they are shown; what one tab holds no other gets.
            count: How many, at most ``MAX_COUNT``.
            task: None mixes the project's tasks.
            holding: Tickets that the tab still has; what else it had is free again.
            again: Those that the person skipped.
        """
        count = max(1, min(count, MAX_COUNT))
        held = list(self._held(person, holding))
        looked = again
        for _ in range(_ATTEMPTS):
            found = self.board.next(
                person.annotator, tab, count, task=task, holding=held, again=again
            )
            made = [card for question in found if (card := self._card(question, person))]
            if made or (looked and not found):
                break
            if not found:
                self._look()
                looked = True
        return made

    def submit(
        self, person: Person, sent: Sequence[Mapping[str, Any]], *, verdict: bool = False
    ) -> Receipt:
        """Keep events durably, each once, in the order given.

        As a ``verdict``, which only a lead may give, each settles its question.

        One with ``replaces``, a list of ids, is refused unless the newest answer to its question is
        one of these.

        Raises:
            InvalidInput: More than ``MAX_EVENTS``.
            StoreUnavailable: The disk refused; nothing was kept and all can be sent again.
        """
        _limit(len(sent))
        receipt = Receipt()
        named = [(_event_id(raw), raw) for raw in sent]
        # The tickets as well: what an answer replaces must not change meanwhile.
        tickets = {f"ticket {raw.get('ticket')}" for raw in sent}
        with self._claimed({event_id for event_id, _ in named} | tickets):
            fresh: dict[str, FeedbackEvent] = {}
            latest: dict[Key, str] = {}
            for event_id, raw in named:
                if event_id not in fresh and not self.board.knows(event_id):
                    try:
                        question = self._tickets.open(person.annotator, raw.get("ticket"))
                        event = self._event({**raw, "event_id": event_id}, question, person)
                        self._require_newest(raw, event.key())
                    except Outdated as error:
                        receipt.outdated.append(event_id)
                        receipt.rejected[event_id] = error
                        continue
                    except InvalidInput as error:
                        receipt.rejected[event_id[:200]] = error
                        continue
                    except StoreUnavailable as error:
                        _log.warning("An answer has to be sent again: %s", error)
                        continue
                    if verdict:
                        event = event.model_copy(update={"verdict": True})
                    fresh[event_id] = event = self._after(event, latest)
                    latest[event.key()] = event.received_at
                    if event.status != "withdrawn" and (names := self._authors(question)):
                        receipt.wrote[event_id] = names
                elif event_id not in fresh and not self._is_own(person.annotator, event_id):
                    receipt.rejected[event_id] = InvalidInput(
                        "Another answer has this event_id.", "Send it under a new one."
                    )
                    continue
                receipt.received.append(event_id)
            self._keep(list(fresh.values()))
        return receipt

    def withdraw(self, person: Person, event_ids: Sequence[str]) -> Receipt:
        """Take back answers of ``person`` by the ids they were sent with.

        Raises:
            InvalidInput: More than ``MAX_EVENTS``.
        """
        _limit(len(event_ids))
        receipt = Receipt()
        fresh = []
        undo_ids = {event_id: self._tickets.undo_id(event_id) for event_id in event_ids}
        with self._claimed(set(undo_ids.values())):
            events = self._find(person.annotator, undo_ids)
            for event_id, undo_id in undo_ids.items():
                event = events.get(event_id)
                if event is None:
                    receipt.rejected[event_id[:200]] = InvalidInput(
                        "There is no such answer of yours.", "Reload the page."
                    )
                elif self.board.knows(undo_id):
                    receipt.received.append(event_id)
                elif self._newest(event.key()) != event.received_at:
                    receipt.rejected[event_id] = InvalidInput(
                        "A later answer of yours has replaced it.", "Reload the page."
                    )
                else:
                    gone = event.model_copy(
                        update={
                            "event_id": undo_id,
                            "status": "withdrawn",
                            "received_at": self._next_moment(),
                            "answered_at": None,
                        }
                    )
                    fresh.append(self._after(gone, {}))
                    receipt.received.append(event_id)
            self._keep(fresh)
        return receipt

    def reopen(self, lead: Person, question: Question, whose: str, event_id: str) -> None:
        """Take back a lead's verdict, which another lead may do as well; the reason names them.

        Raises:
            InvalidInput: ``whose`` has none on this question.
            StoreUnavailable: The disk refused; it can be sent again.
        """
        with self._claimed({event_id}):
            if self.board.knows(event_id):
                return
            by_other = whose != lead.annotator
            event = to_event(
                {
                    "event_id": event_id,
                    "status": "withdrawn",
                    "reason": f"reopened by {lead.annotator}"[:200] if by_other else None,
                },
                question,
                annotator=whose,
                received_at=self._next_moment(),
                exam_options=[],
            ).model_copy(update={"verdict": True})
            if not self.verdicts.stands(event.key()):
                raise InvalidInput(
                    "This decision was taken back already.", "The list shows what stands now."
                )
            self._keep([self._after(event, {})])

    def ticket(self, person: Person, question: Question) -> str:
        """What lets ``person`` answer ``question``; see ``Tickets.issue``."""
        return self._tickets.issue(person.annotator, question)

    def saved(self, person: Person, event_ids: Iterable[str]) -> dict[str, str]:
        """Answers of ``person`` that are in the dataset, and since when at the latest."""
        with self._guard:
            return {
                event_id: self._saved_at.get(event_id, self._opened_at)
                for event_id in event_ids
                if event_id not in self._unsaved and self._is_own(person.annotator, event_id)
            }

    def forgotten(self, person: Person, event_ids: Iterable[str]) -> list[str]:
        """Answers of ``person`` that this server does not know and that must be sent again."""
        return [each for each in event_ids if not self._is_own(person.annotator, each)]

    def progress(self, person: Person) -> dict[Task, dict[str, int]]:
        """How many questions ``person`` answered, and how many are left for them, by task."""
        return {
            task: asdict(progress)
            for task, progress in self.board.progress(person.annotator).items()
        }

    def troubles(self) -> list[str]:
        """What is wrong with the project's files or with reading them, for its lead."""
        found = [*self._troubles.values(), self._watcher.trouble, *self.catalog.trouble]
        unreadable = [*self._bad_lines, *self.journal.unreadable]
        return [text for text in found if text] + [str(line) for line in unreadable]

    def close(self) -> None:
        """Commit what is left and release the journal.

        Raises:
            SeedbedError: The commit failed; the journal keeps the events for the next start.
        """
        if self._closed:
            return
        self._closed = True
        self._watcher.stop()
        self.study.close()
        try:
            self.syncer.stop()
        finally:
            self.journal.close()

    def question(self, person: Person, ticket: object) -> Question:
        """What ``ticket`` was issued for; see ``Tickets.open``."""
        return self._tickets.open(person.annotator, ticket)

    def card_again(self, person: Person, question: Question) -> Card | None:
        """The card of a question that ``person`` answered, as it was handed to them.

        None if it cannot be shown any more, or not now.
        """
        try:
            sample = self._sample(question)
            if sample is not None:
                question = replace(question, topic=sample.topic, perspective=sample.perspective)
            card = cards.plain_card(question, sample, person.annotator, self.project.annotation)
        except (KeyError, ValueError, SeedbedError):
            return None
        if not can_be_answered(card):
            return None
        return card | {"ticket": self._tickets.issue(person.annotator, question)}

    def reload(self) -> None:
        """Put in force what was changed in the project's settings, as far as it can be used.

        Otherwise people go on under the settings as they were, and the lead's view tells why.
        """
        try:
            self._configure()
        except SeedbedError as error:
            self._troubles[layout.PROJECT] = str(error)
            _log.warning("Changed settings cannot be used: %s", error)
        else:
            self._troubles.pop(layout.PROJECT, None)

    def _look(self) -> None:
        """See whether others added anything; not being able to is no reason to stop anybody."""
        try:
            self._watcher.look()
        except SeedbedError as error:
            _log.warning("What others added cannot be looked for: %s", error)

    def passage(
        self, person: Person, ticket: str, settings: AnnotationSettings | None = None
    ) -> str:
        """The passage of a document that a question's sample rests on; empty if on none.

        Texts of documents never change, so the last ones are kept. ``settings`` tell what may be
        shown; if None, the project's.

        Raises:
            InvalidInput: The ticket is not this person's.
            StoreUnavailable: The document cannot be read now.
        """
        question = self._tickets.open(person.annotator, ticket)
        try:
            sample = self._sample(question)
        except KeyError as error:
            raise InvalidInput("This sample is no longer in the project.", "Go on.") from error
        place = cards.passage_of(question, sample, settings or self.project.annotation)
        return "" if place is None else self._passage(*place)

    def _held(self, person: Person, tickets: Sequence[str]) -> Iterator[str]:
        for ticket in tickets:
            try:
                yield self._tickets.open(person.annotator, ticket).question_id
            except InvalidInput:
                continue  # from before the secret changed

    def _card(self, question: Question, person: Person) -> Card | None:
        """The card of a question; None if it cannot be shown or its answer could not be kept."""
        try:
            sample = self._sample(question)
            card = cards.plain_card(question, sample, person.annotator, self.project.annotation)
        except (KeyError, SeedbedError) as error:
            _log.warning("%s cannot be shown: %s", question.question_id, error)
            self.board.unaskable(question)
            return None
        if not can_be_answered(card):
            self.board.unaskable(question)
            return None
        return card | {
            "ticket": self._tickets.issue(person.annotator, question),
            "control": question.control,
        }

    def _sample(self, question: Question) -> Sample | None:
        """The sample that is asked about; the place of an instruction has none."""
        return None if question.task == "instruction" else self.catalog.sample(question.sample_id)

    def _authors(self, question: Question) -> list[str]:
        if not self.project.annotation.show_models or not question.completion_ids:
            return []
        try:
            return cards.authors(question, self.catalog.sample(question.sample_id))
        except (KeyError, SeedbedError):
            return []  # the answer counts, though its sample cannot be read just now

    def _event(self, raw: Mapping[str, Any], question: Question, person: Person) -> FeedbackEvent:
        options: list[str] = []
        if question.task == "exam":
            try:
                sample = self.catalog.sample(question.sample_id)
            except KeyError as error:
                raise InvalidInput("This sample is no longer in the project.", "Go on.") from error
            except InvalidInput as error:
                raise StoreUnavailable(error.problem, error.next_step) from error
            options = cards.options(sample, person.annotator)
        return to_event(
            raw,
            question,
            annotator=person.annotator,
            received_at=self._next_moment(),
            exam_options=options,
        )

    def _require_newest(self, raw: Mapping[str, Any], key: Key) -> None:
        replaces = raw.get("replaces")
        if replaces is None:
            return
        if not isinstance(replaces, list) or len(replaces) > MAX_EVENTS:
            raise InvalidInput(f"replaces is a list of at most {MAX_EVENTS} ids.", "Leave it out.")
        if self.board.newest_id(key) not in replaces:
            raise Outdated("A newer answer of yours to this question counts.", "Look at it first.")

    @contextmanager
    def _claimed(self, names: set[str]) -> Iterator[None]:
        """Wait until nobody else is keeping one of these: a message may arrive twice at once."""
        with self._settled:
            self._settled.wait_for(lambda: self._claims.isdisjoint(names))
            self._claims |= names
        try:
            yield
        finally:
            with self._settled:
                self._claims -= names
                self._settled.notify_all()

    def _keep(self, events: list[FeedbackEvent]) -> None:
        if events:
            with self._guard:  # before the journal: a commit may be faster than this thread
                self._unsaved.update(event.event_id for event in events)
            try:
                self.journal.append(events)
            except SeedbedError:
                with self._guard:
                    self._unsaved.difference_update(event.event_id for event in events)
                raise
            self._remember(events)

    def _take_in(self, events: Sequence[FeedbackEvent]) -> None:
        """Count events that are in the journal but not in the dataset yet."""
        with self._guard:
            self._unsaved.update(event.event_id for event in events)
        self._remember(events)

    def _remember(self, events: Sequence[FeedbackEvent]) -> None:
        for event in events:
            self._count(event)
        # Enough to take an answer back; texts would fill the memory.
        slim = {"text": None, "comment": None, "option": None}
        kept = {event.event_id: event.model_copy(update=slim) for event in events}
        with self._guard:
            self._events.update(kept)
            while len(self._events) > _REMEMBERED:
                self._events.popitem(last=False)

    def _on_saved(self, events: Sequence[FeedbackEvent], at: str) -> None:
        with self._guard:
            for event in events:
                self._unsaved.discard(event.event_id)
                self._saved_at[event.event_id] = at
            while len(self._saved_at) > _REMEMBERED:
                self._saved_at.popitem(last=False)

    def _arrived(self, parsed: Iterable[Parsed]) -> None:
        """Count what is in the dataset, from whichever Space it came."""
        for item in parsed:
            if isinstance(item, FeedbackEvent):
                self._count(item)
            elif len(self._bad_lines) < _BAD_LINES:
                self._bad_lines.append(item)

    def _count(self, event: FeedbackEvent) -> None:
        if self.board.record(event):
            with self._guard:
                self._own.add(f"{event.annotator}\n{event.event_id}")
            if not event.verdict:
                self.recent.note(event)
                if event.received_at >= self._opened_at:  # what was there before is read at once
                    self.lately.note(event)
        if event.verdict:
            self.verdicts.record(event)

    def _is_own(self, annotator: str, event_id: str) -> bool:
        return f"{annotator}\n{event_id}" in self._own

    def _changed(self) -> None:
        self.reload()
        self._take_in_samples()

    def _configure(self) -> None:
        with self._configuring:  # what was read first shall not be put in force last
            # Whoever was invited is not let in while the list of invitations cannot be read.
            self.invitations = self._read(layout.INVITATIONS, invitations.load, Invitations())
            self.door.configure(self.project.access, self.invitations)
            self.controls = self._read(layout.CONTROLS, controls.load, self.controls)
            project, seed = load_project(self.store), load_seed(self.store).seed
            self.door.configure(project.access, self.invitations)
            self.board.configure(project.annotation, seed.cells(), self.controls.controls)
            self.project = project
            self.guidelines_version = project.annotation.guidelines_version()
            self.domain = seed.domain or self.store.name
            self.language = seed.language

    def _read(self, path: str, load: Callable[[Store], Kept], otherwise: Kept) -> Kept:
        """What a file holds, or ``otherwise`` if it is damaged, which is told."""
        try:
            found = load(self.store)
        except InvalidInput as error:
            self._troubles[path] = str(error)
            return otherwise
        self._troubles.pop(path, None)
        return found

    def _take_in_samples(self) -> None:
        if self.catalog.refresh():
            self.board.grew()

    def _find(self, annotator: str, event_ids: Collection[str]) -> dict[str, FeedbackEvent]:
        """Those answers of ``annotator``, from before the last start as well."""
        with self._guard:
            found = {i: self._events[i] for i in event_ids if i in self._events}
        found = {i: event for i, event in found.items() if event.annotator == annotator}
        missing = {i for i in event_ids if i not in found and self._is_own(annotator, i)}
        if missing:
            for item in read_feedback(self.store):
                if isinstance(item, FeedbackEvent) and item.event_id in missing:
                    found[item.event_id] = item
        return found

    def _after(self, event: FeedbackEvent, latest: Mapping[Key, str]) -> FeedbackEvent:
        """Place ``event`` after what it replaces, should another server's clock be ahead."""
        newest = max(self._newest(event.key()) or "", latest.get(event.key(), ""))
        if newest < event.received_at:
            return event
        try:
            moment = datetime.fromisoformat(newest) + timedelta(milliseconds=1)
            return event.model_copy(update={"received_at": timestamp(moment)})
        except OverflowError:
            return event  # nothing comes after the end of time

    def _newest(self, key: Key) -> str | None:
        return self.verdicts.newest(key) if key.verdict else self.board.newest(key)

    def _next_moment(self) -> str:
        """A time later than any given before: the order of events is the order of arrival."""
        with self._guard:
            after = self._last_moment + timedelta(milliseconds=1)
            self._last_moment = max(datetime.now(UTC), after)
            return timestamp(self._last_moment)


class Outdated(InvalidInput):
    """An answer was to replace one that is no longer the newest."""


def _event_id(raw: Mapping[str, Any]) -> str:
    return str(raw.get("event_id") or uuid.uuid4().hex)


def _limit(count: int) -> None:
    if count > MAX_EVENTS:
        raise InvalidInput(
            f"{count} events came at once; at most {MAX_EVENTS} are taken.",
            "Send them in smaller groups.",
        )
