"""Samples found by their words, their meaning, and what was said of them."""

from __future__ import annotations

import json
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Final, Literal

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pydantic import ValidationError

from annotate_space.cards import rendered
from annotate_space.study.index import (
    UNRATED,
    Floats,
    Numbers,
    Place,
    Reader,
    Rows,
    answers_of,
    no_rows,
    question_of,
)
from annotate_space.study.indexing import Indexing
from annotate_space.study.material import Material, Reading
from annotate_space.study.query import Query
from annotate_space.study.vectors import nearest
from annotate_space.study.votes import votes_on
from pipeline.core.errors import InvalidInput, SeedbedError
from pipeline.core.samples import read_group
from pipeline.core.schema import Sample

_log = logging.getLogger(__name__)

ON_A_PAGE: Final = 20
MOST_NEAR: Final = 200
"""Samples that are found by their meaning, the nearest."""
_MOST_CHOICES: Final = 1_000
_QUESTION, _ANSWER, _OPTION = 320, 240, 120
"""Characters of an excerpt."""
_GROUPS_KEPT: Final = 24
_ORDERS_KEPT: Final = 8

Flags = npt.NDArray[np.bool_]
State = Literal["unjudged", "good", "bad", "disputed", "flagged"]
Sort = Literal["best", "newest", "rating", "rating_low"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """What is searched for; None is anything.

    Attributes:
        text: What was typed.
        meaning: Whether its meaning counts and not its words.
        rating: A group of ``index.RATINGS``, or ``UNRATED``, that an answer is in.
        annotator: Who asks; their own thumbs are told.
        page: From 1 on.
    """

    text: str = ""
    meaning: bool = False
    state: State | None = None
    topic: str | None = None
    perspective: str | None = None
    model: str | None = None
    rating: int | None = None
    round: int | None = None
    sort: Sort = "best"
    annotator: str = ""
    page: int = 1


def search(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """A page of what is found; ``payload`` has the fields of ``Wanted``."""
    return _searcher(material).page(Wanted(**payload))


def sample(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """All of the sample ``sample_id``, and who said what of it; ``text`` is what was typed.

    Raises:
        InvalidInput: It cannot be found.
    """
    return _searcher(material).whole(payload["sample_id"], Query.of(payload["text"]))


@lru_cache(maxsize=1)
def _searcher(material: Material) -> Searcher:
    return Searcher(material)


class Searcher:
    """Searches one project; any thread may ask."""

    def __init__(self, material: Material) -> None:
        self._material = material
        self._indexing = Indexing(material.store, material.folder)
        self._rows = no_rows()
        self._guard = threading.Lock()
        self._groups: OrderedDict[tuple[str, int], pa.Table] = OrderedDict()
        self._found: OrderedDict[object, tuple[Numbers, Floats]] = OrderedDict()
        self._standing: tuple[object, dict[State, Flags]] = (None, {})

    def page(self, wanted: Wanted) -> dict[str, Any]:
        """The samples on a page, how many there are in all, and what else can be chosen."""
        reading = self._material.reading()
        model = reading.project.generation.quality.embedding_model
        progress = self._indexing.look(model if wanted.meaning else None)
        folder = self._indexing.shards()
        if folder is None:
            return _nothing(progress.trouble) | {"meaning": self._meaning(model)}
        with self._indexing.index.reading() as reader:
            rows = self._all(reader)
            numbers = self._in_order(reader, rows, reading, wanted)
            pages = max(1, -(-len(numbers) // ON_A_PAGE))
            page = min(wanted.page, pages)
            shown = numbers[(page - 1) * ON_A_PAGE : page * ON_A_PAGE]
            places = reader.places(shown.tolist())
        query = Query() if wanted.meaning else Query.of(wanted.text)
        texts = [self._sample(folder, place) for place in places]
        made = [
            self._result(one, reading, query, wanted.annotator) for one in texts if one is not None
        ]
        done = progress.meant if wanted.meaning and self._ready(model) else progress.done
        return {
            "count": len(numbers),
            "page": page,
            "pages": pages,
            "results": made,
            "working": progress.working,
            "indexed": done,
            "of": max(done, progress.of),
            "trouble": progress.trouble,
            "choices": self._choices(rows),
            "meaning": self._meaning(model),
        }

    def whole(self, sample_id: str, query: Query) -> dict[str, Any]:
        """A sample with its texts as safe HTML, and everybody's judgements of it."""
        reading = self._material.reading()
        self._indexing.look(None)
        found = None
        if folder := self._indexing.shards():
            with self._indexing.index.reading() as reader:
                place = reader.place(sample_id)
            found = self._sample(folder, place) if place else None
        if found is None:
            raise InvalidInput("This sample cannot be read now.", "Search again in a moment.")
        texts = [question_of(found), *answers_of(found)]
        return {
            "sample_id": found.sample_id,
            "question": rendered(texts[0]),
            "answers": [rendered(text) for text in texts[1:]],
            "models": [one.model for one in found.completions],
            "reasons": [one.judge_rationale or "" for one in found.completions],
            "document": found.document or "",
            "found": query.found_in(texts),
            **votes_on(reading.judgements, found),
        }

    def _ready(self, model: str | None) -> bool:
        return model is not None and self._indexing.meaning.ready(model)

    def _meaning(self, model: str | None) -> dict[str, str]:
        """Whether it can be searched by meaning, and if not, why."""
        if model is None:
            return {"state": "unset", "name": ""}
        if find_spec("model2vec") is None:
            return {"state": "missing", "name": model}
        return {
            "state": "failed" if self._indexing.meaning.failed(model) else "ready",
            "name": model,
        }

    def _all(self, reader: Reader) -> Rows:
        with self._guard:
            self._rows = rows = reader.rows(self._rows)
            return rows

    def _in_order(self, reader: Reader, rows: Rows, reading: Reading, wanted: Wanted) -> Numbers:
        """The numbers of what is found, the first first."""
        fits = self._fitting(rows, reading, wanted)
        text = wanted.text.strip()
        if wanted.meaning and text:
            model = reading.project.generation.quality.embedding_model
            if not self._ready(model):
                return np.zeros(0, np.int32)
            vector = self._indexing.meaning.vectors([text])[0]
            near = self._indexing.vectors().cosines(vector)
            numbers = nearest(near, _numbers(fits), MOST_NEAR)
            return numbers if wanted.sort == "best" else _sorted(numbers, rows, wanted.sort)
        query = Query.of(text)
        if not query.wanted and not query.unwanted:
            sort = "newest" if wanted.sort == "best" else wanted.sort
            return _sorted(_numbers(fits), rows, sort)
        numbers, ranks = self._matching(reader, rows, query, ranked=wanted.sort == "best")
        chosen = (numbers <= len(rows)) & fits[np.minimum(numbers, len(rows)) - 1]
        numbers, ranks = numbers[chosen], ranks[chosen]
        if wanted.sort == "best":
            order: Numbers = numbers[np.lexsort((numbers, ranks))]
            return order
        return _sorted(numbers, rows, wanted.sort)

    def _matching(
        self, reader: Reader, rows: Rows, query: Query, *, ranked: bool
    ) -> tuple[Numbers, Floats]:
        """What has the words; kept, as the next page is often asked for."""
        key = (rows.born, len(rows), query, ranked)
        with self._guard:
            known = self._found.get(key)
        if known is None:
            known = reader.find(query, ranked=ranked)
            with self._guard:
                self._found[key] = known
                while len(self._found) > _ORDERS_KEPT:
                    self._found.popitem(last=False)
        return known

    def _fitting(self, rows: Rows, reading: Reading, wanted: Wanted) -> Flags:
        """Which samples the filters let through."""
        fits = np.ones(len(rows), np.bool_)
        for name, kind in (("topic", wanted.topic), ("perspective", wanted.perspective)):
            if kind is not None:
                fits &= getattr(rows, name) == _place_of(kind, rows.names[name])
        if wanted.model is not None:
            models = [wanted.model in json.loads(name) for name in rows.names["authors"]]
            fits &= np.array([*models, False], np.bool_)[rows.authors]
        if wanted.rating is not None:
            fits &= (rows.ratings >> wanted.rating & 1).astype(np.bool_)
        if wanted.round is not None:
            rounds = [self._round(name) == wanted.round for name in rows.names["run"]]
            fits &= np.array([*rounds, False], np.bool_)[rows.run]
        if wanted.state is not None:
            fits &= self._standings(rows, reading)[wanted.state]
        return fits

    def _standings(self, rows: Rows, reading: Reading) -> dict[State, Flags]:
        """Which samples are in each state."""
        key = (rows.born, len(rows), reading.number)
        with self._guard:
            if self._standing[0] == key:
                return self._standing[1]
        places = pc.index_in(reading.judgements.samples, value_set=rows.ids)
        at = pc.fill_null(places, -1).to_numpy(zero_copy_only=False)
        there, standing = at >= 0, reading.consensus.standing

        def spread(marks: Flags) -> Flags:
            whole = np.zeros(len(rows), np.bool_)
            whole[at[there]] = marks[there]
            return whole

        states: dict[State, Flags] = {
            "unjudged": ~spread(standing.judged),
            "good": spread(standing.good),
            "bad": spread(standing.bad),
            "disputed": spread(standing.disputed),
            "flagged": spread(standing.flagged),
        }
        with self._guard:
            self._standing = (key, states)
        return states

    def _round(self, run_id: str) -> int:
        return self._indexing.rounds.get(run_id, 1)

    def _choices(self, rows: Rows) -> dict[str, list[Any]]:
        """What can be chosen in each filter."""
        models = {model for names in rows.names["authors"] for model in json.loads(names)}
        return {
            "topic": sorted(rows.names["topic"])[:_MOST_CHOICES],
            "perspective": sorted(rows.names["perspective"])[:_MOST_CHOICES],
            "model": sorted(models)[:_MOST_CHOICES],
            "round": sorted({self._round(name) for name in rows.names["run"]}),
            "rating": [
                group
                for group in range(UNRATED + 1)
                if (rows.ratings >> group & 1).any()
            ],
        }  # fmt: skip

    def _result(
        self, found: Sample, reading: Reading, query: Query, annotator: str
    ) -> dict[str, Any]:
        """What the list shows of a sample."""
        verdict = reading.consensus.of(found.sample_id)
        said = {one.completion_id: one for one in verdict.completions}
        mine = _thumbs_of(reading, found.sample_id, annotator)
        answers = [
            {
                "completion_id": one.completion_id,
                "text": query.excerpt(one.text, _ANSWER),
                "rating": one.judge_rating,
                "up": said[one.completion_id].up if one.completion_id in said else 0,
                "down": said[one.completion_id].down if one.completion_id in said else 0,
                "good": said[one.completion_id].good if one.completion_id in said else None,
                "mine": mine.get(one.completion_id),
            }
            for one in found.completions
        ]
        options = [found.answer or "", *(found.distractors or ())] if found.kind == "exam" else []
        return {
            "sample_id": found.sample_id,
            "topic": found.topic,
            "perspective": found.perspective,
            "round": self._round(found.run_id),
            "made_at": found.created_at,
            "question": query.excerpt(question_of(found), _QUESTION),
            "answers": answers,
            "options": [query.excerpt(text, _OPTION) for text in options],
            "exam": verdict.exam.status if verdict.exam else None,
            "judged": verdict.judged(),
            "disputed": verdict.disputed,
            "flags": verdict.flags,
        }

    def _sample(self, folder: Path, place: Place) -> Sample | None:
        key = (place.shard, place.group)
        with self._guard:
            rows = self._groups.get(key)
        try:
            if rows is None:
                rows = read_group(folder / place.shard, place.group)
                with self._guard:
                    self._groups[key] = rows
                    while len(self._groups) > _GROUPS_KEPT:
                        self._groups.popitem(last=False)
            found = Sample.model_validate(rows.slice(place.row, 1).to_pylist()[0])
        except (SeedbedError, ValidationError, pa.ArrowException, ValueError, IndexError) as error:
            _log.warning("%s cannot be shown: %s", place.sample_id, error)
            found = None
        if found is None or found.sample_id != place.sample_id:
            with self._guard:
                self._groups.pop(key, None)
            self._indexing.look_again()
            return None
        return found


def _nothing(trouble: str) -> dict[str, Any]:
    """Where there is no index yet."""
    return {
        "count": 0,
        "page": 1,
        "pages": 1,
        "results": [],
        "working": not trouble,
        "indexed": 0,
        "of": 0,
        "trouble": trouble,
        "choices": {name: [] for name in ("topic", "perspective", "model", "round", "rating")},
    }


_KEYS: Final[Mapping[Sort, Callable[[Rows], npt.NDArray[Any]]]] = {
    "newest": lambda rows: -rows.created,
    "rating": lambda rows: -rows.best,
    "rating_low": lambda rows: rows.best,
}


def _sorted(numbers: Numbers, rows: Rows, sort: Sort) -> Numbers:
    """By what is asked for, what has none of it last; else as they came."""
    return numbers[np.lexsort((numbers, _KEYS[sort](rows)[numbers - 1]))]


def _numbers(fits: Flags) -> Numbers:
    """Of the samples that are marked."""
    return np.flatnonzero(fits).astype(np.int32) + np.int32(1)


def _place_of(name: str, names: Sequence[str]) -> int:
    return names.index(name) if name in names else -1


def _thumbs_of(reading: Reading, sample_id: str, annotator: str) -> dict[str, bool]:
    """What somebody themselves said of a sample's completions."""
    judgements = reading.judgements
    return {
        judgements.completion(judgements.value("completion", row)): bool(
            judgements.value("answer", row)
        )
        for row in judgements.rows(sample_id)
        if judgements.value("annotator", row) == annotator
        and judgements.value("task", row) == "thumbs"
        and judgements.votes[row]
    }
