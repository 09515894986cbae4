"""What the annotation screen asks of the server: who sees what, and what is kept."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import islice
from typing import Any, Final

from pydantic import ValidationError

from annotate_space.assignment import Pool, Question, questions
from annotate_space.journal import Journal
from annotate_space.sync import FOLDER_INTERVAL, Syncer
from pipeline.core import layout
from pipeline.core.errors import InvalidInput, SeedbedError
from pipeline.core.feedback import FeedbackEvent, Key, timestamp
from pipeline.core.projects import (
    load_feedback,
    load_project,
    load_seed,
    open_store,
    require_project,
    work_folder,
)
from pipeline.core.samples import read_shard
from pipeline.core.schema import STAND_INS, Sample, Task, describe
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.web.markup import to_html

_log = logging.getLogger(__name__)

MAX_EVENTS: Final = 200
"""Events taken in one call; a browser that was offline for longer sends several."""
MAX_COUNT: Final = 50
_LOOK_AGAIN: Final = 15.0
_OWN_FIELDS: Final = frozenset({"annotator", "received_at", "schema_version"})


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one annotator is with one task."""

    done: int
    total: int


@dataclass(frozen=True, slots=True)
class Receipt:
    """What became of events that a browser sent.

    Attributes:
        received: Ids that are in the journal or further; the server will not lose them.
        rejected: Why others were refused, by id; sending them again will not help.
    """

    received: tuple[str, ...]
    rejected: Mapping[str, str]


class AnnotateService:
    """Serves one project's samples to annotators and keeps what they answer.

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
        self._store = open_store(settings)
        require_project(self._store)
        self.project = load_project(self._store)
        self.domain = load_seed(self._store).seed.domain or self._store.name
        self._guard = threading.RLock()
        self._reading = threading.Lock()
        self._samples: dict[str, Sample] = {}
        self._shards: set[str] = set()
        self._pools: dict[Task, Pool] = {task: Pool() for task in self.project.annotation.tasks}
        self._answered: dict[str, set[Key]] = {}
        self._unsaved: set[str] = set()
        self._last_moment = datetime.min.replace(tzinfo=UTC)
        self._looked = -_LOOK_AGAIN
        self._closed = False
        self._read_new_shards()
        self._feedback = load_feedback(self._store)
        for event in self._feedback.current():
            self._note(event)
        self._known = self._feedback.event_ids
        self._journal = Journal(work_folder(self._store, settings) / "journal")
        self._take_in([e for e in self._journal.take_over() if e.event_id not in self._known])
        local = isinstance(self._store, FolderStore)
        self._syncer = Syncer(
            self._store,
            self._journal,
            interval=FOLDER_INTERVAL if local else settings.commit_seconds,
            saved=self._on_saved,
        )
        self._syncer.start()

    def upcoming(
        self, annotator: str, task: Task, count: int, exclude: Set[str] = frozenset()
    ) -> list[dict[str, Any]]:
        """The next questions for ``annotator``, ready to show, without those in ``exclude``.

        Looks for new samples in the project when there are not enough.

        Raises:
            SeedbedError: There is none left and the project cannot be read now.
        """
        count = max(1, min(count, MAX_COUNT))
        found = self._choose(annotator, task, count, exclude)
        if len(found) < count and time.monotonic() - self._looked > _LOOK_AGAIN:
            try:
                self._read_new_shards()
            except SeedbedError as error:
                if not found:
                    raise
                _log.warning("New samples cannot be looked for: %s", error)
            found = self._choose(annotator, task, count, exclude)
        return [self._card(question, annotator) for question in found]

    def submit(self, annotator: str, events: Sequence[Mapping[str, Any]]) -> Receipt:
        """Keep events durably, each once, in the order given.

        Raises:
            InvalidInput: More than ``MAX_EVENTS``.
            StoreUnavailable: The disk refused; nothing was kept and all can be sent again.
        """
        if len(events) > MAX_EVENTS:
            raise InvalidInput(
                f"{len(events)} events came at once; at most {MAX_EVENTS} are taken.",
                "Send them in smaller groups.",
            )
        fresh: list[FeedbackEvent] = []
        received: list[str] = []
        rejected: dict[str, str] = {}
        with self._guard:
            for raw in events:
                event_id = str(raw.get("event_id", ""))[:200]
                if event_id in self._known or any(e.event_id == event_id for e in fresh):
                    received.append(event_id)
                    continue
                try:
                    event = self._checked(annotator, raw)
                except InvalidInput as error:
                    rejected[event_id] = str(error)
                else:
                    fresh.append(event)
                    received.append(event_id)
            if fresh:
                self._journal.append(fresh)
                self._take_in(fresh)
        return Receipt(tuple(received), rejected)

    def saved(self, event_ids: Sequence[str]) -> list[str]:
        """Those of ``event_ids`` that are in the dataset."""
        with self._guard:
            return [i for i in event_ids if i in self._known and i not in self._unsaved]

    def forgotten(self, event_ids: Sequence[str]) -> list[str]:
        """Those of ``event_ids`` that this server does not know and the browser must send again."""
        with self._guard:
            return [i for i in event_ids if i not in self._known]

    def progress(
        self, annotator: str, task: Task, event_ids: Sequence[str] = ()
    ) -> tuple[Progress, list[str]]:
        """How many questions ``annotator`` answered or skipped, and what that does not count.

        The second are those of ``event_ids`` that have not arrived, as of the same moment.
        """
        with self._guard:
            total = len(self._pools[task].questions)
            done = sum(key.task == task for key in self._answered.get(annotator, ()))
            return Progress(min(done, total), total), self.forgotten(event_ids)

    def saved_at(self) -> str | None:
        """When feedback was last added to the dataset, ISO 8601, or None."""
        return self._syncer.saved_at

    def trouble(self) -> str | None:
        """Why feedback is not getting into the dataset now, or None."""
        return self._syncer.trouble

    def place(self) -> str:
        """Where feedback ends up, in words for the screen."""
        return "this folder" if isinstance(self._store, FolderStore) else "the Hub"

    def close(self) -> None:
        """Commit what is left and release the journal.

        Raises:
            SeedbedError: The commit failed; the journal keeps the events for the next start.
        """
        if self._closed:
            return
        self._closed = True
        try:
            self._syncer.stop()
        finally:
            self._journal.close()

    def _take_in(self, events: Sequence[FeedbackEvent]) -> None:
        """Count events that are in the journal but not in the dataset yet."""
        self._feedback.add(events)
        for event in events:
            self._unsaved.add(event.event_id)
            self._note(event)

    def _on_saved(self, events: Sequence[FeedbackEvent], at: str) -> None:
        with self._guard:
            self._unsaved.difference_update(event.event_id for event in events)

    def _read_new_shards(self) -> None:
        """Take in samples that were added; one thread at a time, while others are served."""
        with self._reading:
            if time.monotonic() - self._looked < _LOOK_AGAIN:
                return  # another thread has just looked
            self._looked = time.monotonic()
            folder = self._store.checkout(layout.SAMPLES)
            for path in sorted((folder / layout.SAMPLES).rglob("*.parquet")):
                shard = path.relative_to(folder).as_posix()
                if shard not in self._shards:
                    samples = list(read_shard(path))
                    with self._guard:
                        self._add(samples)
                    self._shards.add(shard)

    def _add(self, samples: Sequence[Sample]) -> None:
        new = {s.sample_id: s for s in samples if s.sample_id not in self._samples}
        self._samples.update(new)
        for task, pool in self._pools.items():
            pool.add(question for sample in new.values() for question in questions(sample, task))

    def _choose(self, annotator: str, task: Task, count: int, exclude: Set[str]) -> list[Question]:
        with self._guard:
            answered = self._answered.get(annotator, set())
            upcoming = self._pools[task].upcoming(annotator, answered)
            wanted = (question for question in upcoming if _question_id(question) not in exclude)
            return list(islice(wanted, count))

    def _note(self, event: FeedbackEvent) -> None:
        answered = self._answered.setdefault(event.annotator, set())
        if self._feedback.get(event.key()) is None:
            answered.discard(event.key())
        else:
            answered.add(event.key())

    def _checked(self, annotator: str, raw: Mapping[str, Any]) -> FeedbackEvent:
        fields = {name: value for name, value in raw.items() if name not in _OWN_FIELDS}
        try:
            event = FeedbackEvent.model_validate(
                {**fields, "annotator": annotator, "received_at": self._next_moment()},
                strict=True,
            )
        except ValidationError as error:
            raise InvalidInput(f"This answer cannot be kept: {describe(error)}.", "") from error
        sample = self._samples.get(event.sample_id)
        if sample is None:
            raise InvalidInput(f"There is no sample {event.sample_id}.", "Reload the page.")
        if event.task not in self.project.annotation.tasks:
            raise InvalidInput(f"This project does not ask for {event.task}.", "Reload the page.")
        known = {completion.completion_id for completion in sample.completions}
        for name in (event.completion_id, event.left_id, event.right_id):
            if name is not None and name not in known:
                raise InvalidInput(
                    f"Sample {event.sample_id} has no answer {name}.", "Reload the page."
                )
        return self._after_known(event)

    def _after_known(self, event: FeedbackEvent) -> FeedbackEvent:
        """Place ``event`` after what it replaces, should another server's clock be ahead."""
        newest = self._feedback.newest(event.key())
        if newest is None or newest.received_at < event.received_at:
            return event
        moment = datetime.fromisoformat(newest.received_at) + timedelta(milliseconds=1)
        return event.model_copy(update={"received_at": timestamp(moment)})

    def _next_moment(self) -> str:
        """A time later than any given before: the order of events is the order of arrival."""
        self._last_moment = max(datetime.now(UTC), self._last_moment + timedelta(milliseconds=1))
        return timestamp(self._last_moment)

    def _card(self, question: Question, annotator: str) -> dict[str, Any]:
        sample = self._samples[question.sample_id]
        texts = {completion.completion_id: completion for completion in sample.completions}
        shown = [texts[name] for name in question.sides(annotator)]
        show_topic = self.project.annotation.show_topic
        return {
            "id": _question_id(question),
            "task": question.task,
            "sample_id": sample.sample_id,
            "topic": sample.topic if show_topic else "",
            "perspective": sample.perspective if show_topic else "",
            "instruction": _rendered(sample.instruction),
            "answers": [
                {"completion_id": item.completion_id, "html": _rendered(item.text)}
                for item in shown
            ],
            "stand_in": any(item.model in STAND_INS for item in shown),
        }


def _question_id(question: Question) -> str:
    return f"{question.task}:{question.sample_id}:{'|'.join(sorted(question.completion_ids))}"


_rendered = lru_cache(maxsize=4_096)(to_html)
