"""The board: every vote counted once, no question twice, what needs answers first."""

from __future__ import annotations

import random
import time
from collections import Counter
from collections.abc import Collection, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from annotate_space import catalog, choosing
from annotate_space.board import MOST_AT_FIRST, Board, Progress, Question
from annotate_space.catalog import Catalog
from annotate_space.leases import LEASE_SECONDS, MOST_HELD, MOST_TABS
from pipeline.core import layout
from pipeline.core.controls import Control, control
from pipeline.core.errors import InvalidInput
from pipeline.core.feedback import Feedback, FeedbackEvent, Key, instruction_slot
from pipeline.core.samples import to_parquet
from pipeline.core.schema import TASKS, AnnotationSettings, Cell, Completion, Sample, Task
from pipeline.core.store_folder import FolderStore
from tests.factories import a_sample, a_seed, fill, thumb

CELLS = a_seed().cells()


class Clock:
    def __init__(self) -> None:
        self.now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


class Made:
    """A project with its board."""

    def __init__(
        self,
        folder: Path,
        samples: Sequence[Sample],
        *,
        controls: Sequence[Control] = (),
        **options: object,
    ) -> None:
        self.store = FolderStore(folder / "project")
        self.clock = Clock()
        self.samples = list(samples)
        fill(self.store, self.samples)
        self.catalog = Catalog(self.store)
        self.catalog.refresh()
        self.board = Board(self.catalog, chance=random.Random(7), clock=self.clock)
        self.controls = controls
        self.configure(**options)

    def configure(self, **options: object) -> None:
        settings = AnnotationSettings.model_validate({"tasks": ["thumbs"], **options})
        self.board.configure(settings, CELLS, self.controls)

    def add(self, samples: Sequence[Sample], shard: int = 1) -> None:
        self.store.commit({layout.sample_shard("run", shard): to_parquet(samples)}, message="More")
        self.catalog.refresh()
        self.board.grew()

    def ask(
        self,
        annotator: str,
        count: int = 5,
        tab: str = "tab",
        *,
        task: Task | None = None,
        holding: Collection[str] = (),
        again: bool = False,
    ) -> list[Question]:
        return self.board.next(annotator, tab, count, task=task, holding=holding, again=again)

    def answer(self, question: Question, annotator: str, **changes: object) -> FeedbackEvent:
        made = event(question, annotator, **changes)
        self.board.record(made)
        return made

    def work_off(self, annotator: str, count: int = 5, **changes: object) -> list[Question]:
        """Answer until nothing is left."""
        done: list[Question] = []
        while found := self.ask(annotator, count):
            for question in found:
                self.answer(question, annotator, **changes)
            done += found
        return done


_NUMBER = iter(range(10**9))


def event(question: Question, annotator: str, **changes: object) -> FeedbackEvent:
    """An answer to a question, each later than the one before."""
    number = next(_NUMBER)
    ids = question.completion_ids
    moment = f"2026-01-01T{number // 3600 % 24:02d}:{number // 60 % 60:02d}:{number % 60:02d}Z"
    fields: dict[str, Any] = {
        "event_id": f"event {number}",
        "sample_id": question.sample_id,
        "task": question.task,
        "annotator": annotator,
        "status": "submitted",
        "received_at": moment,
        "repeat": question.repeat or None,
    }
    if question.task == "pairwise":
        fields |= {"left_id": ids[0], "right_id": ids[1], "preference": "left"}
    elif ids:
        fields["completion_id"] = ids[0]
    fields |= {"label": True, "rating": 3, "text": "Why?", "option": "yes"}
    return FeedbackEvent.model_validate({**fields, **changes})


def of(sample: Sample, index: int = 0) -> Question:
    return Question("thumbs", sample.sample_id, (sample.completions[index].completion_id,))


def samples(count: int, texts: Sequence[str] = ("",)) -> list[Sample]:
    return [a_sample(number, texts) for number in range(count)]


# Folding


def test_an_event_counts_once_and_is_known(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(3))
    vote = thumb(made.samples[0], 0, True)
    assert not made.board.knows(vote.event_id)
    assert made.board.record(vote)
    assert not made.board.record(vote)
    assert made.board.knows(vote.event_id)
    assert made.board.newest(vote.key()) == vote.received_at
    assert made.board.progress("ana") == {"thumbs": Progress(1, 2)}
    assert made.board.totals()["thumbs"].answered == 1


STATUSES = st.sampled_from(["submitted", "skipped", "flagged", "withdrawn"])
TASKS_ASKED: list[Task] = ["thumbs", "pairwise", "rate"]
SHOWN = [a_sample(number, ["", "", ""]) for number in range(3)]
LATE = a_sample(3, ["", "", ""])


@st.composite
def histories(draw: st.DrawFn) -> list[FeedbackEvent]:
    made = []
    for number in range(draw(st.integers(1, 40))):
        sample = draw(st.sampled_from([*SHOWN, LATE]))
        task = draw(st.sampled_from(TASKS_ASKED))
        ids = [c.completion_id for c in draw(st.permutations(sample.completions))]
        second = draw(st.integers(0, 3))
        fields = {
            "event_id": f"{draw(st.integers(0, 9))}-{number}",
            "sample_id": sample.sample_id,
            "task": task,
            "annotator": draw(st.sampled_from(["ana", "bob", "čeněk"])),
            "status": draw(STATUSES),
            "received_at": f"2026-01-01T00:00:0{second}Z",
            "repeat": draw(st.sampled_from([None, None, True])),
            "label": draw(st.booleans()),
            "rating": draw(st.integers(1, 5)),
            "preference": draw(st.sampled_from(["left", "right", "tie", "both_bad"])),
        }
        if task == "pairwise":
            fields |= {"left_id": ids[0], "right_id": ids[1]}
        else:
            fields["completion_id"] = ids[0]
        made.append(FeedbackEvent.model_validate(fields))
    return made


@given(histories(), st.randoms(), st.integers(1, 3), st.integers(1, 3))
@settings(
    max_examples=50,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
def test_any_order_gives_what_feedback_folds_to(
    tmp_path_factory: pytest.TempPathFactory,
    history: list[FeedbackEvent],
    luck: random.Random,
    first_overlap: int,
    overlap: int,
) -> None:
    """Also with samples that come late, an overlap that changes, and events that come twice."""
    made = Made(tmp_path_factory.mktemp("p"), SHOWN, tasks=TASKS_ASKED, overlap=first_overlap)
    reference = Feedback()
    reference.add(history)
    shuffled = [*history, *luck.sample(history, len(history) // 2)]
    luck.shuffle(shuffled)
    half = len(shuffled) // 2
    for one in shuffled[:half]:
        made.board.record(one)
    made.add([LATE])
    made.configure(tasks=TASKS_ASKED, overlap=overlap)
    for one in shuffled[half:]:
        made.board.record(one)

    for one in history:
        newest = reference.newest(one.key())
        assert newest is not None
        assert made.board.newest(one.key()) == newest.received_at
    current = [e for e in reference.current() if not e.repeat]
    counting = [e for e in current if e.status in ("submitted", "flagged")]
    per_question = Counter((e.task, e.sample_id, e.key().subject) for e in counting)
    totals = made.board.totals()
    every: dict[Task, int] = {"thumbs": 12, "rate": 12, "pairwise": 12}
    for task in TASKS_ASKED:
        votes = [n for (t, _, _), n in per_question.items() if t == task]
        total = totals[task]
        assert total.answered == sum(votes)
        assert total.given == sum(min(n, overlap) for n in votes)
        assert total.complete == sum(n >= overlap for n in votes)
        assert (total.wanted, total.questions) == (every[task] * overlap, every[task])
    assert sum(c.given for c in made.board.by_cell()) == sum(t.given for t in totals.values())
    for who in ("ana", "bob", "čeněk"):
        own = [e for e in current if e.annotator == who]
        seen = {(e.task, e.sample_id, e.key().subject) for e in own}
        progress = made.board.progress(who)
        for task in TASKS_ASKED:
            still = every[task] - totals[task].complete
            mine = sum(q[0] == task and per_question[q] < overlap for q in seen)
            done = sum(e.task == task and e.status != "skipped" for e in own)
            assert progress[task] == Progress(done, still - mine)
        skips = [e for e in own if e.status == "skipped"]
        open_skips = sum(
            per_question[(e.task, e.sample_id, e.key().subject)] < overlap for e in skips
        )
        assert sum(made.board.skipped(who).values()) == open_skips
    for person in made.board.by_person():
        own = [e for e in current if e.annotator == person.annotator]
        assert sum(person.answered.values()) == sum(e.status == "submitted" for e in own)
        assert person.skipped == sum(e.status == "skipped" for e in own)
        assert person.flagged == sum(e.status == "flagged" for e in own)


def test_ids_with_every_sign_in_them_fold_like_any_other(tmp_path: Path) -> None:
    ids = ["a|b", "c", "a", "b|c:", ":again", "Ünïcödé 🌾", "|"]
    sample = a_sample(1, [""] * len(ids))
    named = tuple(
        Completion.model_validate({**c.model_dump(), "completion_id": name})
        for c, name in zip(sample.completions, ids, strict=True)
    )
    sample = sample.model_copy(update={"sample_id": "thumbs:|../Å", "completions": named})
    made = Made(tmp_path, [sample], tasks=["thumbs", "pairwise"])
    asked = made.ask("ana", 50, task="thumbs")
    assert {q.completion_ids for q in asked} == {(name,) for name in ids}
    again = made.ask("ana", 50, task="thumbs", holding=[q.question_id for q in asked])
    assert again == []
    for question in [*asked, *made.ask("ana", 50, task="pairwise")]:
        vote = made.answer(question, "ana")
        assert made.board.newest(vote.key()) == vote.received_at
    assert made.board.progress("ana")["thumbs"] == Progress(7, 0)
    # Pairs whose ids read the same when joined share one key, and so one vote.
    assert made.board.totals()["pairwise"].given == made.board.progress("ana")["pairwise"].done


def test_what_is_no_question_of_the_project_is_kept_and_never_counts(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(2))
    nowhere = [
        event(Question("thumbs", "no sample", ("x",)), "ana"),
        event(Question("thumbs", made.samples[0].sample_id, ("no completion",)), "ana"),
        event(Question("exam", made.samples[0].sample_id), "ana"),
        event(Question("instruction", "no place"), "ana"),
    ]
    for one in nowhere:
        assert made.board.record(one)
        assert made.board.knows(one.event_id)
        assert made.board.newest(one.key()) == one.received_at
    assert made.board.newest(Key("ana", "x", "thumbs", "y")) is None
    assert made.board.progress("ana") == {"thumbs": Progress(0, 2)}
    assert [p.answered for p in made.board.by_person()] == [{}]


def test_answers_to_a_task_that_is_asked_for_later_count_then(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(2))
    made.answer(replace(of(made.samples[0]), task="rate"), "ana")
    made.answer(Question("instruction", instruction_slot(*cell(0), 0)), "ana")
    made.configure(tasks=["rate", "instruction"], instructions=2)
    assert made.board.progress("ana") == {
        "rate": Progress(1, 1),
        "instruction": Progress(1, 2 * len(CELLS) - 1),
    }


def written(made: Made, number: int, who: str, **changes: object) -> FeedbackEvent:
    """An instruction for a place of the first cell."""
    topic, perspective = cell(0)
    place = Question("instruction", instruction_slot(topic, perspective, number))
    return made.answer(place, who, **{"topic": topic, "perspective": perspective, **changes})


@pytest.mark.parametrize("asked", [[], CELLS[1:], CELLS])
def test_written_instructions_stay_done_when_fewer_are_asked_for_and_it_starts_again(
    tmp_path: Path, asked: Sequence[Cell]
) -> None:
    made = Made(tmp_path, samples(1))
    settings = AnnotationSettings.model_validate({"tasks": ["instruction"], "instructions": 1})
    made.board.configure(settings, asked)
    written(made, 5, "eve", topic=None, perspective=None)  # as another tool wrote it
    for number in range(1, 4):
        written(made, number, "ana")
    flagged = written(made, 5, "ana", status="flagged")
    written(made, 100, "ana")
    written(made, 6, "ana", topic="another")
    assert made.board.progress("ana")["instruction"] == Progress(4, len(asked))
    assert made.board.progress("eve")["instruction"].done == 1
    assert made.board.newest(flagged.key()) == flagged.received_at
    assert made.board.totals()["instruction"].given == 0
    more = settings.model_copy(update={"instructions": 7})
    made.board.configure(more, CELLS)
    assert made.board.progress("ana")["instruction"] == Progress(5, 7 * len(CELLS) - 5)
    assert made.board.totals()["instruction"].given == 5


def test_written_instructions_are_counted_again_when_their_task_comes_back(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(1))
    written(made, 0, "ana")
    assert [p.answered for p in made.board.by_person()] == [{"instruction": 1}]
    made.configure(tasks=["instruction"], instructions=1)
    assert made.board.progress("ana")["instruction"] == Progress(1, len(CELLS) - 1)


def test_totals_by_cell_and_person_tell_what_was_answered(tmp_path: Path) -> None:
    other = a_sample(9, [""], topic="Cover crops", perspective="Beginner")
    made = Made(tmp_path, [*samples(2), other], overlap=2)
    first = made.answer(of(other), "ana")
    made.answer(of(made.samples[0]), "ana", status="flagged")
    last = made.answer(of(made.samples[1]), "ana", status="skipped")
    made.answer(of(other), "bob")
    made.answer(of(other), "eve")
    total = made.board.totals()["thumbs"]
    assert (total.wanted, total.given, total.answered) == (6, 3, 4)
    assert (total.complete, total.questions) == (1, 3)
    assert [(c.topic, c.perspective, c.wanted, c.given) for c in made.board.by_cell()] == [
        ("Clay soils", "Agronomist", 4, 1),
        ("Cover crops", "Beginner", 2, 2),
    ]
    ana = made.board.by_person()[0]
    assert (ana.annotator, ana.answered, ana.skipped, ana.flagged) == ("ana", {"thumbs": 1}, 1, 1)
    assert (ana.first_at, ana.last_at) == (first.received_at, last.received_at)


# Handing out


@given(st.integers(0, 10**6), st.integers(1, 3), st.booleans())
@settings(max_examples=15, deadline=None)
def test_nobody_is_asked_twice_and_no_question_gets_too_many_answers(
    tmp_path_factory: pytest.TempPathFactory, number: int, overlap: int, large: bool
) -> None:
    luck = random.Random(number)
    made = Made(
        tmp_path_factory.mktemp("p"), samples(6, ["", ""]), tasks=TASKS_ASKED, overlap=overlap
    )
    people = ["ana", "bob", "čeněk", "dora"]
    holding: dict[tuple[str, str], list[Question]] = {}
    asked: Counter[tuple[str, str]] = Counter()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(choosing, "FEW", 3 if large else choosing.FEW)
        for _ in range(120):
            who, tab = luck.choice(people), luck.choice(["one", "two"])
            has = holding.setdefault((who, tab), [])
            for question in luck.sample(has, luck.randint(0, len(has))):
                made.answer(question, who)
                has.remove(question)
            names = [q.question_id for q in has]
            if not names:
                continue_with = made.ask(who, luck.randint(1, 4), tab)
            else:
                continue_with = made.ask(who, luck.randint(1, 4), tab, holding=names)
            for question in continue_with:
                asked[who, question.question_id] += 1
            has += continue_with
    assert set(asked.values()) <= {1}
    for total in made.board.totals().values():
        assert total.answered == total.given


@pytest.mark.parametrize("few", [choosing.FEW, 3])
def test_everything_is_asked_until_nothing_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, few: int
) -> None:
    """Also where only some questions are looked at first: the last one is found."""
    monkeypatch.setattr(choosing, "FEW", few)
    made = Made(tmp_path, samples(40, ["", ""]), tasks=["thumbs", "pairwise"], overlap=2)
    for who in ("ana", "bob"):
        assert len({q.question_id for q in made.work_off(who, 7)}) == 120
    assert made.ask("eve") == []
    assert made.board.progress("eve") == {"thumbs": Progress(0, 0), "pairwise": Progress(0, 0)}


def test_more_answers_can_be_wanted_at_any_time_and_fewer(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(4))
    made.work_off("ana")
    assert made.ask("bob") == []
    made.configure(overlap=3)
    assert made.board.progress("ana") == {"thumbs": Progress(4, 0)}
    assert len(made.work_off("bob")) == 4
    assert made.board.progress("eve") == {"thumbs": Progress(0, 4)}
    made.configure(overlap=2)
    assert made.ask("eve") == []
    assert made.board.totals()["thumbs"].complete == 4


def test_a_withdrawn_answer_opens_the_question_again(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(1))
    (question,) = made.ask("ana")
    made.answer(question, "ana")
    assert made.ask("bob") == []
    made.answer(question, "ana", status="withdrawn")
    assert made.board.progress("ana") == {"thumbs": Progress(0, 1)}
    assert [q.sample_id for q in made.ask("bob")] == [question.sample_id]


def test_skipped_questions_come_again_on_request_only_oldest_first(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(5))
    skipped = made.ask("ana", 3)
    for question in skipped:
        made.answer(question, "ana", status="skipped")
    assert made.board.skipped("ana") == {"thumbs": 3}
    assert made.board.progress("ana") == {"thumbs": Progress(0, 2)}
    assert {q.question_id for q in made.ask("ana")} & {q.question_id for q in skipped} == set()
    made.answer(skipped[1], "bob")
    assert made.ask("ana", again=True) == [skipped[0], skipped[2]]
    assert made.board.skipped("ana") == {"thumbs": 2}
    made.answer(skipped[0], "ana")
    assert made.board.skipped("ana") == {"thumbs": 1}


def test_a_question_held_by_others_waits_until_they_are_gone(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(3))
    held = made.ask("ana", 5)
    assert len(held) == 3
    assert made.ask("bob") == []
    made.clock.now += LEASE_SECONDS - 1
    made.board.renew("ana", "tab")
    made.clock.now += LEASE_SECONDS - 1
    assert made.ask("bob") == []
    assert [(held.annotator, held.tab, held.questions) for held in made.board.leases()] == [
        ("ana", "tab", 3)
    ]
    made.clock.now += 1
    assert made.board.leases() == []
    assert len(made.ask("bob")) == 3


def test_two_tabs_of_one_person_never_hold_the_same(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(10), overlap=3)
    one, two = made.ask("ana", 5, "one"), made.ask("ana", 9, "two")
    assert len({q.question_id for q in [*one, *two]}) == 10
    names = [q.question_id for q in one]
    assert made.ask("ana", 5, "one", holding=names) == []
    assert made.ask("ana", 5, "one") == one  # it was reloaded


def test_a_tab_lets_go_of_what_it_no_longer_has(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(4))
    first = made.ask("ana", 4)
    made.ask("ana", 0, holding=[first[0].question_id])
    assert {q.question_id for q in made.ask("bob")} == {q.question_id for q in first[1:]}


def test_a_tab_holds_on_to_its_questions_over_a_restart(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(4, ["", ""]), tasks=["pairwise"])
    names = [q.question_id for q in made.ask("ana", 3)]
    made.board = Board(made.catalog, clock=made.clock)
    made.configure(tasks=["pairwise"])
    junk = ["", ":", "pairwise:x:y", "thumbs", ":" * 9_000, "edit::again", "exam:a:"]
    assert len(made.ask("ana", 5, holding=[*names, *junk])) == 1
    assert made.ask("ana", 5, "another") == []
    # Nobody can tell whether it is true what the tab says: others need not wait for it.
    assert {q.question_id for q in made.ask("bob")} == set(names)


def test_who_claims_questions_neither_gets_those_nor_keeps_them_from_others(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(300), repeats=0.5)
    wanted = [of(sample).question_id for sample in made.samples[250:256]]
    claimed = [*wanted, *(f"{name}:again" for name in wanted)]
    first = made.ask("ana", 2)
    for question in first:
        made.answer(question, "ana")
    found: list[Question] = []
    for number in range(20):
        made.ask("ana", 0, holding=claimed)
        found += made.ask("ana", 1)  # reloaded
        made.answer(found[-1], "ana")
        assert not made.ask("ana", 0, f"{number}", holding=claimed)
    assert len({q.question_id for q in found} & set(claimed)) < 3
    answered = {q.question_id for q in [*found, *first]}
    assert {replace(q, repeat=False).question_id for q in found} <= answered
    every = [of(sample).question_id for sample in made.samples]
    made.ask("eve", 0, holding=every)
    assert {lease.annotator for lease in made.board.leases()} == set()
    made.configure()
    assert {q.question_id for q in made.work_off("bob", 50)} >= set(wanted) - answered
    assert made.board.progress("bob")["thumbs"].left == 0


def test_naming_what_a_tab_holds_costs_little_whatever_it_names(tmp_path: Path) -> None:
    sample = a_sample(1, [""] * 200)
    made = Made(tmp_path, [sample], tasks=["pairwise"])
    junk = [f"pairwise:{sample.sample_id}:{'|' * 600}{n}" for n in range(MOST_HELD)]
    junk += [f"pairwise:{sample.sample_id}:{'|:' * 4}{n}" for n in range(100_000)]
    junk += ["pairwise:" + "|" * 10_000_000]
    started = time.process_time()
    made.ask("ana", 0, holding=junk)
    assert time.process_time() - started < 1


def test_who_only_asks_is_not_kept_and_others_wait_for_them_with_little(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(60))
    first = made.ask("ana", 20)
    later = made.ask("ana", 20, "another")
    names = {q.question_id for q in [*first, *later]}
    assert len(names) == 40
    assert made.ask("ana", 50, holding=[q.question_id for q in first]) != []
    assert len(made.ask("bob", 60, "one")) == 60 - MOST_AT_FIRST
    made.board.renew("ana", "another")
    assert made.board.progress("ana") == {"thumbs": Progress(0, 60)}
    for number in range(3_000):
        made.ask(f"visitor {number}", 0)
    made.answer(first[0], "ana")
    assert [p.annotator for p in made.board.by_person()] == ["ana"]


def test_many_tabs_do_not_slow_each_other_down(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(40), overlap=100)
    for number in range(3_000):
        made.board.next(f"visitor {number}", "tab", 1, task="thumbs", holding=["thumbs:a:b"])
    started = time.process_time()
    for number in range(3_000):
        made.board.renew(f"visitor {number}", "tab")
    assert time.process_time() - started < 0.2
    made.clock.now += LEASE_SECONDS
    assert made.board.leases() == []


def test_nobody_can_hold_everything(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(MOST_HELD // 2 + 20, ["", ""]))
    for sample in made.samples[:2]:
        made.answer(of(sample), "ana")
    held = made.ask("ana", 10_000)
    assert len(held) == MOST_HELD
    assert made.ask("ana", 5, holding=[q.question_id for q in held]) == []
    assert made.ask("ana", -3) == []
    for number in range(MOST_TABS + 5):
        made.ask("eve", 1, f"tab {number}")
    assert sum(lease.annotator == "eve" for lease in made.board.leases()) == MOST_TABS


def test_tasks_come_as_the_mix_says_and_the_next_when_one_is_done(tmp_path: Path) -> None:
    made = Made(
        tmp_path,
        samples(60, ["", ""]),
        tasks=["thumbs", "pairwise", "edit"],
        mix={"thumbs": 2, "edit": 0.5},
    )
    runs = Counter[str]()
    for _ in range(14):
        found = made.ask("ana", 4)
        assert len({q.task for q in found}) == 1
        for question in found:
            made.answer(question, "ana")
        runs[found[0].task] += 1
    assert runs == {"thumbs": 8, "pairwise": 4, "edit": 2}
    rest = made.work_off("ana", 12)
    assert len(rest) == 120 + 60 + 120 - 14 * 4


def test_exam_items_and_places_for_instructions_are_asked_once_each(tmp_path: Path) -> None:
    exam = a_sample(7, ["never asked"], kind="exam", question="Q", answer="A", distractors=("B",))
    made = Made(tmp_path, [*samples(1), exam], tasks=list(TASKS), instructions=2, overlap=2)
    assert [(q.sample_id, q.completion_ids) for q in made.ask("ana", task="exam")] == [
        (exam.sample_id, ())
    ]
    written = made.ask("ana", 50, task="instruction")
    assert {(q.sample_id, q.topic, q.perspective) for q in written} == {
        (instruction_slot(c.topic, c.perspective, n), c.topic, c.perspective)
        for c in CELLS
        for n in range(2)
    }
    made.answer(written[0], "ana")
    totals = made.board.totals()
    assert (totals["instruction"].wanted, totals["instruction"].given) == (8, 1)
    assert {task: totals[task].questions for task in ("thumbs", "rate", "edit", "pairwise")} == {
        "thumbs": 1,
        "rate": 1,
        "edit": 1,
        "pairwise": 0,
    }
    made.configure(tasks=["instruction"], instructions=1)
    assert made.board.totals()["instruction"].questions == 4
    assert made.board.progress("ana")["instruction"].done == 1


def test_a_pair_is_shown_to_a_person_always_the_same_way_and_to_people_both(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(1, ["", "", ""]), tasks=["pairwise"], overlap=30)
    shown: dict[str, set[tuple[str, ...]]] = {}
    for number in range(20):
        first = made.ask(f"person {number}")
        assert made.ask(f"person {number}") == first
        assert len(first) == 3
        for question in first:
            shown.setdefault(question.question_id, set()).add(question.completion_ids)
    assert [len(sides) for sides in shown.values()] == [2, 2, 2]


def test_a_repeat_is_an_own_answer_some_time_ago_once(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(300), repeats=0.2)
    order: list[str] = []
    repeats: list[Question] = []
    for _ in range(40):
        for question in made.ask("ana", 6):
            plain = replace(question, repeat=False).question_id
            if question.repeat:
                assert order.index(plain) <= len(order) - 20
                repeats.append(question)
            else:
                order.append(plain)
            made.answer(question, "ana", status="skipped" if len(order) % 5 == 0 else "submitted")
    skipped = {name for number, name in enumerate(order, 1) if number % 5 == 0}
    again = [replace(q, repeat=False).question_id for q in repeats]
    assert 0.1 < len(repeats) / 240 < 0.3
    assert len(set(again)) == len(again)
    assert not skipped & set(again)
    totals = made.board.totals()["thumbs"]
    assert totals.given == len(order) - len(skipped)
    assert made.board.progress("ana")["thumbs"].done == totals.given


def test_controls_come_to_everybody_once_whatever_the_overlap(tmp_path: Path) -> None:
    many = samples(200)
    controls = [
        control(
            task="thumbs",
            sample_id=s.sample_id,
            completion_ids=[s.completions[0].completion_id],
            label=True,
        )
        for s in many[:10]
    ]
    stray = control(task="thumbs", sample_id="not there yet", completion_ids=["x"], label=True)
    made = Made(tmp_path, many, controls=[*controls, stray])
    made.configure(controls=0.25)
    for sample in many[:10]:
        made.answer(of(sample), "lead")
    for who in ("ana", "bob"):
        found: list[Question] = []
        for _ in range(10):
            found += made.ask(who, 6)
            for question in found[-6:]:
                made.answer(question, who)
        marked = [q.sample_id for q in found if q.control]
        assert sorted(marked) == sorted(s.sample_id for s in many[:10])


# Need


def ranks(made: Made, *chosen: Sample) -> list[float]:
    """Where questions about samples come on average over many people."""
    places: dict[str, list[int]] = {sample.sample_id: [] for sample in chosen}
    for number in range(40):
        who = f"person {number}"
        for place, question in enumerate(made.ask(who, 200)):
            if question.sample_id in places:
                places[question.sample_id].append(place)
        made.ask(who, 0, holding=["nothing"])
    return [sum(p) / len(p) for p in places.values()]


def test_what_has_fewest_votes_comes_first(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(30), overlap=2)
    for sample in made.samples[:20]:
        made.answer(of(sample), "eve")
    for who in ("ana", "bob"):
        untouched = {s.sample_id for s in made.samples[20:]}
        assert {q.sample_id for q in made.ask(who, 10)} == untouched


def test_a_disputed_question_comes_before_agreed_ones(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(20), overlap=50)
    disputed = made.samples[3]
    for number in range(4):
        for sample in made.samples:
            label = not (sample is disputed and number % 2)
            made.board.record(thumb(sample, 0, label, f"voter {number}"))
    assert {made.ask(f"p{n}", 1)[0].sample_id for n in range(10)} == {disputed.sample_id}


def test_ratings_and_pairs_that_split_come_first(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(20, ["", ""]), tasks=["rate", "pairwise"], overlap=50)
    disputed = made.samples[3]
    for number in range(4):
        for sample in made.samples:
            split = sample is disputed and number % 2
            for at in (0, 1):
                rating = replace(of(sample, at), task="rate")
                made.answer(rating, f"voter {number}", rating=5 if split else 1)
            ids = tuple(c.completion_id for c in sample.completions)
            choice = "right" if split else "left"
            made.answer(
                Question("pairwise", sample.sample_id, ids), f"voter {number}", preference=choice
            )
    for number in range(10):
        assert made.ask(f"p{number}", 1, task="pairwise")[0].sample_id == disputed.sample_id
        first = made.ask(f"p{number}", 2, "two", task="rate")
        assert {q.sample_id for q in first} == {disputed.sample_id}


def rated(number: int, *ratings: float) -> Sample:
    sample = a_sample(number, [""] * len(ratings))
    completions = tuple(
        c.model_copy(update={"judge_rating": r})
        for c, r in zip(sample.completions, ratings, strict=True)
    )
    return sample.model_copy(update={"completions": completions})


def test_where_the_judge_is_unsure_people_are_asked_first(tmp_path: Path) -> None:
    sure, unsure = rated(100, 5.0), rated(101, 3.0)
    made = Made(tmp_path, [*(rated(n, 1.0) for n in range(30)), sure, unsure], overlap=60)
    places = ranks(made, sure, unsure)
    assert places[1] < 5 < places[0]


def test_pairs_that_the_judge_cannot_tell_apart_come_first(tmp_path: Path) -> None:
    sure, unsure = rated(100, 5.0, 1.0), rated(101, 4.0, 4.0)
    filler = [rated(n, 1.0, 5.0) for n in range(30)]
    made = Made(tmp_path, [*filler, sure, unsure], tasks=["pairwise"], overlap=60)
    places = ranks(made, sure, unsure)
    assert places[1] < 5 < places[0]


def test_cells_with_few_votes_come_first(tmp_path: Path) -> None:
    thin = [a_sample(100 + n, [""], topic="Cover crops") for n in range(10)]
    made = Made(tmp_path, [*samples(20), *thin], overlap=1)
    for sample in made.samples[:15]:
        made.answer(of(sample), "eve")
    first = [made.ask(f"p{n}", 1)[0].topic for n in range(10)]
    assert first.count("Cover crops") >= 9


def test_people_start_at_different_questions(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(50), overlap=60)
    assert len({made.ask(f"person {n}", 1)[0].question_id for n in range(50)}) > 20


def test_new_samples_are_asked_about_and_old_votes_stay(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(2))
    made.work_off("ana")
    made.add([a_sample(number, [""]) for number in range(2, 5)])
    assert made.board.progress("ana") == {"thumbs": Progress(2, 3)}
    assert len(made.ask("ana")) == 3


def test_samples_that_cannot_be_shown_are_not_handed_out_again(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(3))
    made.add([a_sample(9, [""])])
    shard = tmp_path / "project" / layout.sample_shard("run", 1)
    whole = shard.read_bytes()
    shard.write_bytes(b"torn")
    with pytest.raises(InvalidInput):
        made.catalog.sample(a_sample(9).sample_id)
    assert len(made.ask("ana", 9)) == 3
    shard.write_bytes(whole)
    made.catalog.refresh()
    assert len(made.ask("ana", 9, "another")) == 1


def test_texts_that_are_there_again_are_asked_about_though_nothing_else_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = Made(tmp_path, samples(3))
    shard = tmp_path / "project" / layout.sample_shard("run", 0)
    whole = shard.read_bytes()
    shard.unlink()
    made.catalog.warm_up(0)
    assert made.ask("ana") == []
    shard.write_bytes(whole)
    assert made.ask("ana") == []
    monkeypatch.setattr(catalog, "RETRY_SECONDS", 0.0)
    deadline = time.monotonic() + 20
    while not made.ask("ana"):
        assert time.monotonic() < deadline
        time.sleep(0.01)
    assert made.board.progress("ana") == {"thumbs": Progress(0, 3)}


def test_many_threads_get_different_questions(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(60))
    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(lambda n: made.ask(f"p{n}", 5), range(12)))
    assert len({q.question_id for each in found for q in each}) == 60


def cell(number: int) -> tuple[str, str]:
    return CELLS[number].topic, CELLS[number].perspective


# What cannot be shown


def shown(made: Made, who: str) -> tuple[int, int, int]:
    """How many are left, how many of those skipped are open, how many are handed out."""
    left = sum(progress.left for progress in made.board.progress(who).values())
    return left, sum(made.board.skipped(who).values()), len(made.work_off(f"other than {who}", 50))


@pytest.mark.parametrize("task", ["thumbs", "pairwise", "exam", "instruction"])
def test_what_cannot_be_asked_is_offered_to_nobody_and_not_left(tmp_path: Path, task: Task) -> None:
    items = [
        a_sample(n, ["", ""], kind="exam", question="Q", answer="A", distractors=("B",))
        if task == "exam"
        else a_sample(n, ["", ""])
        for n in range(4)
    ]
    made = Made(tmp_path, items, tasks=[task], instructions=1, overlap=2, repeats=0.5)
    first, second, third = made.ask("ana", 3)
    made.answer(first, "ana")
    made.answer(second, "ana", status="skipped")
    every = made.board.totals()[task].questions
    for question in (first, second, replace(third, repeat=True), third):
        made.board.unaskable(question)
    made.board.unaskable(Question("thumbs", "no sample", ("x",)))
    assert shown(made, "ana") == (every - 3, 0, every - 3)
    made.add([a_sample(9, ["", ""])])
    made.configure(tasks=[task], instructions=1, overlap=3)
    assert made.board.progress("ana")[task].left == made.board.progress("eve")[task].left
    asked = made.work_off("eve", 50)
    names = {q.question_id for q in asked}
    assert not names & {first.question_id, second.question_id, third.question_id}
    made.answer(first, "ana", status="withdrawn")
    made.answer(first, "bob")
    assert made.board.progress("eve")[task].left == 0


def test_samples_that_cannot_be_read_are_not_among_those_left(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(3), tasks=["thumbs", "instruction"], overlap=2, instructions=1)
    made.add([a_sample(number, ["", ""]) for number in range(10, 13)])
    late = of(a_sample(10, ["", ""]))
    made.answer(late, "ana", status="skipped")
    made.answer(of(a_sample(11, ["", ""])), "bob")
    shard = tmp_path / "project" / layout.sample_shard("run", 1)
    whole = shard.read_bytes()
    shard.write_bytes(b"torn")
    made.catalog.warm_up(1)
    made.board.unaskable(of(a_sample(12, ["", ""]), 1))  # which it is for the moment only
    assert made.board.progress("ana")["thumbs"] == Progress(0, 3)
    assert made.board.skipped("ana")["thumbs"] == 0
    made.configure(tasks=["thumbs", "rate"], overlap=2)
    assert made.board.progress("eve")["rate"].left == 3
    assert {q.sample_id for q in made.ask("eve", 9)} == {s.sample_id for s in made.samples}
    shard.write_bytes(whole)
    made.catalog.refresh()
    assert made.board.progress("ana")["thumbs"] == Progress(0, 8)
    assert made.board.skipped("ana")["thumbs"] == 1
    assert made.board.progress("bob")["thumbs"] == Progress(1, 8)
    assert len(made.ask("fay", 50, task="thumbs")) == 9


def test_a_row_that_cannot_be_shown_does_not_stay_left_for_ever(tmp_path: Path) -> None:
    made = Made(tmp_path, samples(2))
    spoilt = to_parquet([made.samples[0], a_sample(77)])
    (tmp_path / "project" / layout.sample_shard("run", 0)).write_bytes(spoilt)
    with pytest.raises(InvalidInput):
        made.catalog.sample(made.samples[1].sample_id)
    assert made.board.progress("ana") == {"thumbs": Progress(0, 1)}
    assert len(made.work_off("ana")) == 1
    assert made.board.progress("eve") == {"thumbs": Progress(0, 0)}
