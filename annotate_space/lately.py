"""The last answers, whole: the process that studies the project reads them a little later."""

from __future__ import annotations

import threading
from collections import OrderedDict
from typing import Final

from pipeline.core.feedback import FeedbackEvent, Key, is_newer

MOST_OF_ONE: Final = 500
"""More than somebody answers while a project of a million answers is read again."""
MOST: Final = 10_000
MOST_LETTERS: Final = 20_000_000
"""Of all texts and comments together."""


class Lately:
    """The newest event of each key among those noted last, in bounded memory; thread safe."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._events: OrderedDict[Key, FeedbackEvent] = OrderedDict()
        self._keys: dict[str, OrderedDict[Key, None]] = {}
        self._letters = 0

    def note(self, event: FeedbackEvent) -> None:
        """Take in one event, of any age."""
        key = event.key()
        with self._guard:
            known = self._events.get(key)
            if known is not None:
                if not is_newer(event, known):
                    return
                self._forget(key)
            own = self._keys.setdefault(event.annotator, OrderedDict())
            own[key] = None
            self._events[key] = event
            self._letters += _letters(event)
            if len(own) > MOST_OF_ONE:
                self._forget(next(iter(own)))
            while len(self._events) > MOST or self._letters > MOST_LETTERS:
                self._forget(next(iter(self._events)))

    def of(self, annotator: str) -> list[FeedbackEvent]:
        """What is known of one person, also what took an answer back; the oldest first."""
        with self._guard:
            return [self._events[key] for key in self._keys.get(annotator, ())]

    def get(self, key: Key) -> FeedbackEvent | None:
        """The newest event for ``key``, if it is among the last ones."""
        with self._guard:
            return self._events.get(key)

    def _forget(self, key: Key) -> None:
        event = self._events.pop(key)
        self._letters -= _letters(event)
        own = self._keys[event.annotator]
        del own[key]
        if not own:
            del self._keys[event.annotator]


def _letters(event: FeedbackEvent) -> int:
    return len(event.text or "") + len(event.comment or "")
