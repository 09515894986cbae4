"""Turns votes into what the next round of generation builds on."""

from __future__ import annotations

import re
from collections import Counter, defaultdict, deque
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Final

from pipeline.core import layout
from pipeline.core.changing import read_folder
from pipeline.core.errors import Conflict, FileMissing, InvalidInput
from pipeline.core.feedback import now
from pipeline.core.projects import load_project
from pipeline.core.rounds import CellCount, Judged, Round
from pipeline.core.samples import read_samples
from pipeline.core.schema import Sample, normalized, unique
from pipeline.core.store import ABSENT, Store
from pipeline.curation.consensus import Consensus, Rules, SampleVerdict, settle
from pipeline.curation.grid import Cells
from pipeline.curation.judgements import Judgements
from pipeline.curation.measures import excerpt

MOST: Final = 2_000
"""Good ones in a round, and bad ones."""
WHY_CHARACTERS: Final = 300

_FIRST: Final = 2
_LAST: Final = 9_999
_NAME: Final = re.compile(rf"{layout.ROUNDS}/(\d{{4}})\.json")
_MARGIN: Final = 1_000
"""Bytes of a round besides its three lists."""
_INDENT: Final = 100
"""Bytes that writing with line breaks adds to one entry, and more."""

CellKey = tuple[str, str]


@dataclass(frozen=True, slots=True, order=True)
class _Rank:
    """The order in which entries are taken: the least first.

    Attributes:
        behind: Minus the lead of the majority.
        disputed: The share of votes against it.
        ids: Decide between equals, so that the same votes make the same round.
    """

    behind: int
    disputed: float
    ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _Entry:
    rank: _Rank
    cell: CellKey
    judged: Judged


@dataclass(frozen=True, slots=True)
class _Written:
    annotator: str
    text: str
    why: str


@dataclass(slots=True)
class _Said:
    """What people wrote about a completion, and in its place."""

    edits: list[_Written] = field(default_factory=list)
    why: list[str] = field(default_factory=list)


@dataclass(slots=True)
class _Found:
    edits: list[_Entry] = field(default_factory=list)
    good: list[_Entry] = field(default_factory=list)
    bad: list[_Entry] = field(default_factory=list)
    accepted: Counter[CellKey] = field(default_factory=Counter)
    cells: Cells = field(default_factory=lambda: Cells(()))


def open_round(store: Store, number: int) -> Round:
    """The round as it was frozen when it began; it begins now if it has not.

    Raises:
        InvalidInput: The number does not follow the rounds there are, nothing has been judged, or
            the file cannot be read.
    """
    _check(number)
    frozen = _read(store, number)
    if frozen is not None:
        return frozen
    following = max(round_numbers(store), default=_FIRST - 1) + 1
    if number > following:
        raise InvalidInput(
            f"Round {number} cannot begin: the next round of {store.name} is {following}.",
            f"Begin round {following} first.",
        )
    made = make_round(store, number)
    path = layout.round_file(number)
    try:
        store.commit({path: made.to_json()}, message=f"Begin round {number}", expect={path: ABSENT})
    except Conflict:
        # Somebody else began it meanwhile: theirs is the one that is frozen.
        frozen = _read(store, number)
        if frozen is None:
            raise
        return frozen
    return made


def make_round(store: Store, number: int) -> Round:
    """What a round begun now would build on; nothing is written.

    The same votes give the same round, apart from its time. What experts wrote comes first, then
    what most agree on; cells take turns, so that one that was judged a lot does not fill the round.

    Raises:
        InvalidInput: Nothing has been judged, or the number cannot be a round's.
    """
    _check(number)
    project = load_project(store)
    consensus = settle(Judgements.read(store), Rules.of(project.curation))
    found = _find(read_samples(store), consensus)
    if not (found.edits or found.good or found.bad):
        raise InvalidInput(
            f"Round {number} has nothing to build on: no completion of {store.name} has been "
            "judged clearly or rewritten.",
            f"Judge some in the Annotate Space first: python -m pipeline serve {store.name}",
        )
    accepted = tuple(
        CellCount(topic=topic, perspective=perspective, accepted=count)
        for topic, perspective, count in _named(found)
    )
    room = Round.MOST_BYTES - _MARGIN - sum(map(_size, accepted))
    good = _taken([found.edits, found.good], room // 2)
    return Round(
        number=number,
        made_at=now(),
        good=good,
        bad=_taken([found.bad], room - sum(map(_size, good))),
        accepted=accepted,
    )


def round_numbers(store: Store) -> list[int]:
    """The rounds that have begun."""
    matches = (_NAME.fullmatch(path) for path in store.paths(layout.ROUNDS))
    return sorted(int(match.group(1)) for match in matches if match)


def read_rounds(store: Store) -> Iterator[Round | InvalidInput]:
    """All rounds that have begun, the first one first; an unreadable one is told and not fatal."""
    return read_folder(store, Round, layout.ROUNDS)


def _check(number: int) -> None:
    if not _FIRST <= number <= _LAST:
        raise InvalidInput(
            f"There is no round {number}: rounds are numbered from {_FIRST} to {_LAST}.",
            "The first samples have no votes to build on; grow them without a round.",
        )


def _read(store: Store, number: int) -> Round | None:
    path = layout.round_file(number)
    try:
        frozen = Round.from_json(store.read(path).data, path)
    except FileMissing:
        return None
    if frozen.number != number:
        raise InvalidInput(
            f"{path} holds round {frozen.number}.", "Restore the file that was there before."
        )
    return frozen


def _said(judgements: Judgements, sample_id: str) -> dict[str, _Said]:
    """By completion; people in the order of their names."""
    said: dict[str, _Said] = defaultdict(_Said)
    for row in judgements.rows(sample_id):
        place = int(judgements.value("completion", row))
        if not judgements.votes[row] or place < 0:
            continue
        about = said[judgements.completion(place)]
        task = judgements.value("task", row)
        comment = judgements.comment(row)
        if task == "edit" and (text := judgements.text(row)) and text.strip():
            why = (comment or "").strip()
            about.edits.append(_Written(judgements.value("annotator", row), text, why))
        elif task == "thumbs" and judgements.value("answer", row) == 0:
            reason = judgements.value("reason", row)
            about.why += [text for text in (reason, comment) if text]
    return said


def _find(samples: Iterable[Sample], consensus: Consensus) -> _Found:
    """Holds the texts of judged completions only."""
    found = _Found()
    for sample in samples:
        settled = consensus.of(sample.sample_id)
        said = _said(consensus.judgements, sample.sample_id)
        verdicts = settled.verdicts()
        cell = found.cells.key(sample.topic, sample.perspective)
        accepted = False
        for completion in sample.completions:
            verdict = verdicts.get(completion.completion_id)
            about = said.get(completion.completion_id, _Said())
            accepted |= bool(about.edits) or verdict is True
            rank = _rank(settled, completion.completion_id)
            for edit in about.edits:
                behind = replace(rank, ids=(*rank.ids, edit.annotator))
                found.edits.append(_entry(sample, cell, behind, edit.text, edit.why))
            if verdict is True:
                found.good.append(_entry(sample, cell, rank, completion.text))
            elif verdict is False and not about.edits:
                found.bad.append(_entry(sample, cell, rank, completion.text, _why(about.why)))
        found.accepted[cell] += accepted
    return found


def _entry(sample: Sample, cell: CellKey, rank: _Rank, text: str, why: str = "") -> _Entry:
    judged = Judged(
        instruction=sample.instruction,
        text=text,
        topic=sample.topic,
        perspective=sample.perspective,
        why=why,
    )
    return _Entry(rank, cell, judged)


def _why(texts: Sequence[str]) -> str:
    """Distinct reasons and comments, as many as fit."""
    return excerpt("; ".join(unique(texts)), WHY_CHARACTERS)


def _rank(settled: SampleVerdict, completion_id: str) -> _Rank:
    """Votes on the completion itself; without any, those of the pair that it won most clearly."""
    ids = (settled.sample_id, completion_id)
    for one in settled.completions:
        if one.completion_id == completion_id and one.up + one.down:
            votes = one.up + one.down
            return _Rank(-abs(one.up - one.down), min(one.up, one.down) / votes, ids)
    won = [
        _Rank(-(2 * chosen - pair.votes), 1 - chosen / pair.votes, ids)
        for pair in settled.pairs
        if pair.chosen_id == completion_id
        for chosen in [pair.first if pair.chosen_id < pair.rejected_id else pair.second]
    ]
    return min(won, default=_Rank(0, 0.0, ids))


def _named(found: _Found) -> Iterator[tuple[str, str, int]]:
    grid = found.cells.grid(found.accepted)
    for topic, row in zip(grid.topics, grid.counts, strict=True):
        for perspective, count in zip(grid.perspectives, row, strict=True):
            if count:
                yield topic, perspective, count


def _taken(tiers: Sequence[list[_Entry]], room: int) -> tuple[Judged, ...]:
    """At most ``MOST`` entries and ``room`` bytes, tier after tier, each text once."""
    taken: list[Judged] = []
    seen: set[tuple[str, str]] = set()
    for tier in tiers:
        for entry in _by_turns(tier):
            key = (normalized(entry.judged.instruction), normalized(entry.judged.text))
            size = _size(entry.judged)
            if key in seen or size > room:
                continue
            seen.add(key)
            taken.append(entry.judged)
            room -= size
            if len(taken) == MOST:
                return tuple(taken)
    return tuple(taken)


def _by_turns(entries: Iterable[_Entry]) -> Iterator[_Entry]:
    """The best of each cell, then the second best of each, and so on."""
    cells: dict[CellKey, deque[_Entry]] = {}
    for entry in sorted(entries, key=lambda entry: (entry.cell, entry.rank)):
        cells.setdefault(entry.cell, deque()).append(entry)
    while cells:
        # Within a turn the clearest goes first, as the last turn may not find room for all.
        for cell in sorted(cells, key=lambda cell: (cells[cell][0].rank, cell)):
            yield cells[cell].popleft()
            if not cells[cell]:
                del cells[cell]


def _size(entry: Judged | CellCount) -> int:
    return len(entry.model_dump_json().encode()) + _INDENT
