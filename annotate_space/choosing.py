"""Choosing what one person is asked next: what needs it most, with an element of chance."""

from __future__ import annotations

import random
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice
from typing import Final

import numpy as np
import numpy.typing as npt

from annotate_space.folding import Answers, task_of
from annotate_space.leases import Leases
from annotate_space.pools import Pool
from annotate_space.questions import Question
from annotate_space.shards import Flags, Numbers
from annotate_space.votes import NOWHERE, Person, Standing, code
from pipeline.core.controls import Control
from pipeline.core.feedback import Key
from pipeline.core.schema import TASKS, Task

FEW: Final = 20_000
"""Open questions that are all weighed; of more, some are."""
_ENOUGH: Final = 2_000
"""Open questions weighed at a time where there are more."""
_HOT: Final = 200
"""Questions under way that are weighed besides."""
_COLD: Final = 2
"""Questions of one batch whose texts may have to be read first."""
_FETCHED: Final = 0.3
"""What such a question needs less than others."""
FIRST_BLOCKS: Final = 8
"""Blocks read before the first question is handed out."""
_MANY_BLOCKS: Final = 64
_SOON, _RARELY = 0.5, 0.1
"""Share of requests that read another block before there are many, and after."""
_TOP: Final = 256
_TRIES: Final = 50
_LOOKED_AT: Final = 4
"""Blocks of which the one that needs most is read."""
_LONGEST_GAP, _SHORTEST_GAP = 20, 5
"""Answers between a question and its repeat."""
_NOT_REPEATED: Final = frozenset({"edit", "instruction"})
"""Tasks that nobody does twice: what is written differs without a change of mind."""


@dataclass(frozen=True, slots=True)
class Held:
    """A question that was chosen, with its code."""

    question: Question
    code: int


@dataclass(slots=True)
class Draw:
    """One choosing of up to ``count`` questions.

    Attributes:
        holding: Question ids that the tab has already.
        taken: Codes chosen so far.
        warm: Which blocks are in memory; None where it does not matter.
        cold: Questions chosen so far whose texts must be read first.
        searching: Whether all open questions are gone through.
    """

    person: Person
    task: Task
    count: int
    holding: Collection[str]
    taken: set[int] = field(default_factory=set)
    warm: Flags | None = None
    cold: int = 0
    searching: bool = False


class Chooser:
    """Chooses among the open questions. Not thread safe: the board locks."""

    def __init__(self, answers: Answers, leases: Leases[Held], chance: random.Random) -> None:
        self._answers = answers
        self._leases = leases
        self._chance = chance
        self._controls: dict[Task, list[int]] = {}
        self._control_codes: frozenset[int] = frozenset()

    def control(self, controls: Sequence[Control]) -> None:
        """Know the questions whose answer is known, as far as their samples are there."""
        self._controls = {}
        for control in controls:
            subject = "|".join(sorted(control.completion_ids)) or None
            found = self._answers.resolve(Key("", control.sample_id, control.task, subject))
            if found is not None and found not in self._controls.setdefault(control.task, []):
                self._controls[control.task].append(found)
        self._control_codes = frozenset(c for found in self._controls.values() for c in found)

    def held(self, person: Person, found: int) -> Held:
        """A question with its code."""
        return Held(self._answers.question(person, found, self._control_codes), found)

    def draw(self, draw: Draw, back: Sequence[Held]) -> list[Held]:
        """What to hand out of one task: what was there before the reload, then new ones."""
        if draw.count < 1:
            return []
        found = [
            held
            for held in back
            if held.question.task == draw.task and self._may_ask(draw, held.code)
        ][: draw.count]
        draw.taken.update(held.code for held in found)
        if len(found) >= draw.count or self._answers.left(draw.person, draw.task) <= 0:
            return found
        special: dict[int, Held] = {}
        for at in range(len(found), draw.count):
            other = self._control_or_repeat(draw)
            if other is not None:
                special[at] = other
                draw.taken.add(other.code)
        plain = iter(self._choose(draw, draw.count - len(found) - len(special)))
        for at in range(len(found), draw.count):
            held = special.pop(at, None) or next(plain, None)
            if held is None:
                break
            found.append(held)
        return found

    def skipped(self, draw: Draw) -> list[Held]:
        """What this person skipped and is still open, the oldest first."""
        person, votes = draw.person, self._answers.votes
        skips = self._answers.skips(person, draw.task)
        skips.sort(key=lambda found: votes.moment(person.rows[found]))
        free = (
            self.held(person, found)
            for found in skips
            if self._has_place(draw, found) and not self._leases.holds(person.name, found)
        )
        return list(islice(free, max(0, draw.count)))

    def block_to_read(self, task: Task | None, *, first: bool) -> int | None:
        """Which texts to read ahead: of some at random, those whose questions need it most.

        ``first`` is before the first question is handed out. None when nothing should be read now.
        """
        asked = [each for each in self._answers.asked(task) if each != "instruction"]
        large = [self._answers.pools[t] for t in asked if self._answers.pools[t].open > FEW]
        if not large:
            return None
        warm = set(self._answers.catalog.warm())
        if first and len(warm) >= FIRST_BLOCKS:
            return None
        if not first and self._chance.random() > (_SOON if len(warm) < _MANY_BLOCKS else _RARELY):
            return None
        count = len(self._answers.index.blocks)
        pool = self._chance.choice(large)
        unread = {self._chance.randrange(count) for _ in range(_LOOKED_AT)} - warm
        needs = {block: self._need(pool, block) for block in sorted(unread)}
        best = max(needs, key=lambda block: needs[block], default=None)
        return None if best is None or needs[best] < 0 else best

    def _control_or_repeat(self, draw: Draw) -> Held | None:
        luck = self._chance.random()
        if luck < self._answers.settings.controls:
            return self._control(draw)
        if luck < self._answers.settings.controls + self._answers.settings.repeats:
            return self._repeat(draw)
        return None

    def _control(self, draw: Draw) -> Held | None:
        known = self._controls.get(draw.task, [])
        start = self._chance.randrange(len(known)) if known else 0
        for found in (*known[start:], *known[:start]):
            if self._is_free(draw, found):
                return self.held(draw.person, found)
        return None

    def _repeat(self, draw: Draw) -> Held | None:
        """A question that this person answered some time ago, if one comes up."""
        history = draw.person.history
        every = sum(pool.questions for pool in self._answers.pools.values())
        gap = max(_SHORTEST_GAP, min(_LONGEST_GAP, every // 5))
        if draw.task in _NOT_REPEATED or len(history) <= gap:
            return None
        latest = self._answers.votes.moment(history[-gap])
        for _ in range(_TRIES):
            row = history[self._chance.randrange(len(history) - gap)]
            found = self._answers.votes.code(row) | 1
            if (
                self._answers.votes.question(row) != NOWHERE
                and task_of(found) == draw.task
                and self._answers.votes.answer(row).standing == Standing.SUBMITTED
                and self._answers.votes.moment(row) <= latest
                and found not in draw.person.rows
                and self._is_free(draw, found)
            ):
                held = self.held(draw.person, found)
                if held.question.question_id not in draw.holding:
                    return held
        return None

    def _choose(self, draw: Draw, count: int) -> list[Held]:
        found: list[Held] = []
        for candidates in self._candidates(draw):
            if len(found) >= count:
                break
            found += self._best(draw, candidates, count - len(found))
        return found

    def _candidates(self, draw: Draw) -> Iterator[Numbers]:
        """Open questions, some at a time; all of them in the end."""
        pool = self._answers.pools[draw.task]
        if pool.open <= FEW or draw.task == "instruction":
            if draw.task != "instruction" and len(self._answers.index.blocks) > _MANY_BLOCKS:
                draw.warm = self._marked(self._answers.catalog.warm())
                draw.searching = True
            yield pool.remaining()
            return
        blocks = self._answers.catalog.warm()
        draw.warm = self._marked(blocks)
        self._chance.shuffle(blocks)
        hot = list(pool.hot)
        parts = [np.array(self._chance.sample(hot, min(len(hot), _HOT)), dtype=np.int32)]
        for block in blocks:
            parts.append(self._open_in(pool, block))
            if sum(map(len, parts)) >= _ENOUGH:
                yield np.unique(np.concatenate(parts))
                parts = []
        if parts:
            yield np.unique(np.concatenate(parts))
        draw.searching = True
        rest = pool.remaining()
        start = self._chance.randrange(len(rest)) if len(rest) else 0
        for at in range(0, len(rest), FEW):
            those = np.arange(start + at, min(start + at + FEW, start + len(rest)))
            yield rest[those % len(rest)]

    def _best(self, draw: Draw, candidates: Numbers, count: int) -> list[Held]:
        """Those of the candidates that this person may be asked, in the order of need."""
        pool = self._answers.pools[draw.task]
        if len(candidates) == 0 or count <= 0:
            return []
        cold = self._cold(draw, pool, candidates)
        need = pool.need(candidates, self._answers.index, draw.person.seed) - _FETCHED * cold
        task = TASKS.index(draw.task)
        found: list[Held] = []
        for at in _descending(need):
            one = code(task, int(candidates[at]))
            if cold[at] and draw.cold >= _COLD and not draw.searching:
                continue
            if not self._may_ask(draw, one):
                continue
            held = self.held(draw.person, one)
            if held.question.question_id in draw.holding:
                continue
            draw.cold += bool(cold[at])
            draw.taken.add(one)
            found.append(held)
            if len(found) == count:
                break
        return found

    def _cold(self, draw: Draw, pool: Pool, candidates: Numbers) -> Flags:
        """For which candidates texts would have to be read first, where that matters."""
        if draw.warm is None:
            return np.zeros(len(candidates), dtype=np.bool_)
        samples = pool.subjects(candidates).astype(np.int32)
        blocks = self._answers.index.block_first.searchsorted(samples, side="right") - 1
        return ~draw.warm[blocks]

    def _may_ask(self, draw: Draw, found: int) -> bool:
        if not self._is_free(draw, found):
            return False
        if found & 1 or found in self._control_codes:
            return True
        return self._answers.pools[draw.task].is_open(found >> 4) and self._has_place(draw, found)

    def _is_free(self, draw: Draw, found: int) -> bool:
        """Whether this person neither has it in any tab nor has an answer to it that stands."""
        if found in draw.taken or self._leases.holds(draw.person.name, found):
            return False
        return not self._answers.stands(draw.person, found) and self._answers.can_show(found)

    def _has_place(self, draw: Draw, found: int) -> bool:
        """Whether the others who hold it leave a place for one more answer."""
        others = self._leases.others(draw.person.name, found)
        return others < self._answers.pools[draw.task].places(found >> 4)

    def _need(self, pool: Pool, block: int) -> float:
        """How much the open questions of a block need answers, on average; -1 if there is none."""
        index = self._answers.index
        if not self._answers.catalog.readable(int(index.block_first[block])):
            return -1.0
        questions = self._open_in(pool, block)
        return float(pool.need(questions, index, 0).mean()) if len(questions) else -1.0

    def _open_in(self, pool: Pool, block: int) -> Numbers:
        if block + 1 >= len(self._answers.index.block_first):
            return np.zeros(0, dtype=np.int32)  # the catalog has more than this board knows yet
        start, end = self._answers.index.block_first[block : block + 2].tolist()
        return pool.between(start, end)

    def _marked(self, blocks: Collection[int]) -> Flags:
        marks = np.zeros(len(self._answers.index.blocks), dtype=np.bool_)
        marks[[block for block in blocks if block < len(marks)]] = True
        return marks


def _descending(need: npt.NDArray[np.float32]) -> Iterator[int]:
    """Positions from the largest on; those after the first some hundred only if asked for."""
    if len(need) > 2 * _TOP:
        top = np.argpartition(-need, _TOP)[:_TOP]
        yield from top[np.argsort(-need[top], kind="stable")].tolist()
        rest = np.ones(len(need), dtype=np.bool_)
        rest[top] = False
        others = np.flatnonzero(rest)
        yield from others[np.argsort(-need[others], kind="stable")].tolist()
    else:
        yield from np.argsort(-need, kind="stable").tolist()
