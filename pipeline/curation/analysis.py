"""What the samples of a project are like, measured in one pass over them.

Memory holds counters, histograms and short lists, never the samples: it grows with the cells, runs
and models there are, not with the rows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Final, Literal

from pipeline.core.flags import Flag
from pipeline.core.schema import STAND_INS, Cell, Completion, Sample
from pipeline.curation.consensus import Consensus, SampleVerdict
from pipeline.curation.grid import Cells, Grid
from pipeline.curation.measures import Distribution, Lengths, Top, excerpt, words

EXAMPLES: Final = 3
UNUSUAL: Final = 2.0
"""Deviations of the logarithm from which a length is worth a look."""

OutlierKind = Literal[
    "long_instructions",
    "short_instructions",
    "long_answers",
    "short_answers",
    "ratings_differ",
    "lowest_rated",
    "most_flagged",
]
_NO_REASON: Final = "not told"
_NOTHING_SAID: Final = SampleVerdict("")
_FARTHEST: Final = 1_000.0
"""Ratings beyond it are no ratings of ours; they must not spoil the mean of all others."""


@dataclass(frozen=True, slots=True)
class Shown:
    """A sample to look at.

    Attributes:
        completion_id: The completion that is meant; None means the instruction or all.
        excerpt: The beginning of the text that is meant.
        note: What is special about it.
    """

    sample_id: str
    completion_id: str | None
    topic: str
    perspective: str
    excerpt: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class FlagFigures:
    """One flag.

    Attributes:
        samples: How many samples carry it, on the instruction or on any completion.
        examples: The first ones.
    """

    name: str
    reason: str
    samples: int
    examples: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Ratings:
    """What a judge model gave.

    Attributes:
        rated: Completions with a rating.
        unrated: Completions without one.
        mean: None when none is rated.
        stars: How many have each rating, rounded to whole numbers, the lowest first.
    """

    rated: int
    unrated: int
    mean: float | None
    stars: tuple[tuple[int, int], ...]


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """One model's completions.

    Attributes:
        accepted: How many people found good.
        turned_down: How many people found not good.
        tokens_in: As far as servers counted.
        tokens_out: As far as servers counted.
        finish_reasons: How often each.
    """

    model: str
    completions: int
    words: Distribution
    ratings: Ratings
    accepted: int
    turned_down: int
    tokens_in: int
    tokens_out: int
    finish_reasons: dict[str, int]

    def stand_in(self) -> bool:
        """Tell whether this is no language model."""
        return self.model in STAND_INS


@dataclass(frozen=True, slots=True)
class Outliers:
    """Samples worth a look for one reason, the most striking first."""

    kind: OutlierKind
    samples: tuple[Shown, ...]


@dataclass(frozen=True, slots=True)
class Analysis:
    """The samples in figures.

    Attributes:
        accepted_samples: Samples with a completion that people found good or rewrote.
        coverage: Samples by topic and perspective, cells of the seed included.
        judged: Those with at least one judgement.
        accepted: Those with a completion that people found good or rewrote.
        runs: Samples by run, in the order they were read.
        fingerprints: Samples by fingerprint.
        rounds: Samples by round; None stands for no round, as in the first runs.
        untold_tokens: Completions whose tokens no server counted.
        flagged: Samples with at least one flag.
        outliers: Only kinds that have any.
    """

    samples: int
    completions: int
    accepted_samples: int
    coverage: Grid
    judged: Grid
    accepted: Grid
    runs: dict[str, int]
    fingerprints: dict[str, int]
    rounds: dict[int | None, int]
    instruction_words: Distribution
    completion_words: Distribution
    tokens_in: int
    tokens_out: int
    untold_tokens: int
    ratings: Ratings
    models: tuple[ModelFigures, ...]
    finish_reasons: dict[str, int]
    flagged: int
    flags: tuple[FlagFigures, ...]
    outliers: tuple[Outliers, ...]

    def stand_ins(self) -> int:
        """How many completions were composed without a language model."""
        return sum(model.completions for model in self.models if model.stand_in())

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON takes them; of texts only the ids."""
        return {
            "samples": self.samples,
            "completions": self.completions,
            "accepted_samples": self.accepted_samples,
            "accepted": self.accepted.as_json(),
            "runs": self.runs,
            "fingerprints": self.fingerprints,
            "rounds": {str(number or 0): count for number, count in self.rounds.items()},
            "words": {
                "instructions": self.instruction_words.as_json(),
                "completions": self.completion_words.as_json(),
            },
            "tokens": {
                "in": self.tokens_in,
                "out": self.tokens_out,
                "uncounted_completions": self.untold_tokens,
            },
            "ratings": _ratings_json(self.ratings),
            "models": {
                model.model: {
                    "completions": model.completions,
                    "words": model.words.as_json(),
                    "ratings": _ratings_json(model.ratings),
                    "accepted": model.accepted,
                    "turned_down": model.turned_down,
                    "tokens": {"in": model.tokens_in, "out": model.tokens_out},
                    "finish_reasons": model.finish_reasons,
                }
                for model in self.models
            },
            "finish_reasons": self.finish_reasons,
            "flagged": self.flagged,
            "flags": {flag.name: flag.samples for flag in self.flags},
            "outliers": {
                group.kind: [shown.sample_id for shown in group.samples] for group in self.outliers
            },
        }


def analyse(
    samples: Iterable[Sample],
    cells: Iterable[Cell] = (),
    consensus: Consensus | None = None,
    round_of: Mapping[str, int | None] | None = None,
) -> Analysis:
    """Measure samples.

    Args:
        samples: Read once, one at a time.
        cells: Those of the seed, shown also while they are empty.
        consensus: What people decided.
        round_of: The round of each run, by run id.
    """
    seen = _Seen(Cells(cells), consensus, round_of or {})
    for sample in samples:
        seen.add(sample)
    return seen.result()


class _Scores:
    """Ratings of a judge, as they come."""

    def __init__(self) -> None:
        self.unrated = 0
        self._sum = 0.0
        self._stars: Counter[int] = Counter()

    def add(self, rating: float | None) -> None:
        if rating is None or not math.isfinite(rating):
            self.unrated += 1
            return
        rating = max(-_FARTHEST, min(rating, _FARTHEST))
        self._sum += rating
        self._stars[math.floor(rating + 0.5)] += 1

    def result(self) -> Ratings:
        rated = self._stars.total()
        if not rated:
            return Ratings(0, self.unrated, None, ())
        low, high = min(1, *self._stars), max(5, *self._stars)
        shown = range(low, high + 1) if high - low <= 10 else sorted(self._stars)
        stars = tuple((star, self._stars[star]) for star in shown)
        return Ratings(rated, self.unrated, self._sum / rated, stars)


@dataclass(slots=True)
class _OfModel:
    words: Lengths = field(default_factory=Lengths)
    scores: _Scores = field(default_factory=_Scores)
    finish: Counter[str] = field(default_factory=Counter)
    completions: int = 0
    accepted: int = 0
    turned_down: int = 0
    tokens_in: int = 0
    tokens_out: int = 0

    def result(self, name: str) -> ModelFigures:
        return ModelFigures(
            model=name,
            completions=self.completions,
            words=self.words.distribution(),
            ratings=self.scores.result(),
            accepted=self.accepted,
            turned_down=self.turned_down,
            tokens_in=self.tokens_in,
            tokens_out=self.tokens_out,
            finish_reasons=dict(self.finish.most_common()),
        )


class _Striking:
    """The samples worth a look, as far as they are known while reading."""

    def __init__(self) -> None:
        self._kept: dict[OutlierKind, Top[Shown]] = {
            "long_instructions": Top(),
            "short_instructions": Top(),
            "long_answers": Top(),
            "short_answers": Top(),
            "ratings_differ": Top(),
            "lowest_rated": Top(),
            "most_flagged": Top(),
        }

    def instruction(self, sample: Sample, length: int) -> None:
        self._offer("long_instructions", length, sample, None)
        self._offer("short_instructions", -length, sample, None)

    def completion(self, sample: Sample, completion: Completion, length: int) -> None:
        self._offer("long_answers", length, sample, completion)
        self._offer("short_answers", -length, sample, completion)
        rating = completion.judge_rating
        if rating is not None and math.isfinite(rating):
            self._offer("lowest_rated", -rating, sample, completion)

    def whole(self, sample: Sample) -> None:
        if len(sample.flags) > 1:
            self._offer("most_flagged", len(sample.flags), sample, None)
        ratings = [c.judge_rating for c in sample.completions if c.judge_rating is not None]
        finite = [rating for rating in ratings if math.isfinite(rating)]
        if finite and max(finite) > min(finite):
            self._offer("ratings_differ", max(finite) - min(finite), sample, None)

    def _offer(
        self, kind: OutlierKind, rank: float, sample: Sample, completion: Completion | None
    ) -> None:
        top = self._kept[kind]
        if top.wants(rank):
            top.add(rank, _shown(sample, completion, _note(kind, rank, sample)))

    def result(
        self, instructions: Distribution, completions: Distribution, mean_rating: float | None
    ) -> tuple[Outliers, ...]:
        """Only what lies far out: among equals no longest one is worth a look."""

        def strikes(kind: OutlierKind, rank: float) -> bool:
            spread = instructions if kind.endswith("instructions") else completions
            if kind.startswith("long"):
                return spread.z(int(rank)) >= UNUSUAL
            if kind.startswith("short"):
                return spread.z(int(-rank)) <= -UNUSUAL
            return kind != "lowest_rated" or (mean_rating is not None and -rank < mean_rating)

        found = (
            Outliers(kind, tuple(shown for rank, shown in top.items() if strikes(kind, rank)))
            for kind, top in self._kept.items()
        )
        return tuple(group for group in found if group.samples)


class _Seen:
    """All that is counted while samples pass."""

    def __init__(
        self, cells: Cells, consensus: Consensus | None, round_of: Mapping[str, int | None]
    ) -> None:
        self._cells = cells
        self._consensus = consensus
        self._round_of = round_of
        self._coverage: Counter[tuple[str, str]] = Counter()
        self._judged: Counter[tuple[str, str]] = Counter()
        self._accepted: Counter[tuple[str, str]] = Counter()
        self._runs: Counter[str] = Counter()
        self._fingerprints: Counter[str] = Counter()
        self._rounds: Counter[int | None] = Counter()
        self._instruction_words = Lengths()
        self._completion_words = Lengths()
        self._scores = _Scores()
        self._models: dict[str, _OfModel] = {}
        self._untold_tokens = 0
        self._flagged = 0
        self._flags: Counter[str] = Counter()
        self._flag_examples: dict[str, list[Shown]] = {}
        self._striking = _Striking()

    def add(self, sample: Sample) -> None:
        found = self._consensus.of(sample.sample_id) if self._consensus else _NOTHING_SAID
        verdicts, accepted = found.verdicts(), found.accepted()
        cell = self._cells.key(sample.topic, sample.perspective)
        self._coverage[cell] += 1
        self._judged[cell] += found.judged()
        self._accepted[cell] += any(
            completion.completion_id in accepted for completion in sample.completions
        )
        self._runs[sample.run_id] += 1
        self._fingerprints[sample.fingerprint] += 1
        self._rounds[self._round_of.get(sample.run_id)] += 1
        length = words(sample.instruction)
        self._instruction_words.add(length)
        self._striking.instruction(sample, length)
        for completion in sample.completions:
            self._add_completion(sample, completion, verdicts.get(completion.completion_id))
        self._striking.whole(sample)
        if sample.flags:
            self._add_flags(sample)

    def _add_completion(self, sample: Sample, completion: Completion, verdict: bool | None) -> None:
        length = words(completion.text)
        self._completion_words.add(length)
        self._striking.completion(sample, completion, length)
        self._scores.add(completion.judge_rating)
        of_model = self._models.setdefault(completion.model, _OfModel())
        of_model.completions += 1
        of_model.words.add(length)
        of_model.scores.add(completion.judge_rating)
        of_model.finish[completion.finish_reason or _NO_REASON] += 1
        of_model.accepted += verdict is True
        of_model.turned_down += verdict is False
        of_model.tokens_in += completion.tokens_in or 0
        of_model.tokens_out += completion.tokens_out or 0
        self._untold_tokens += completion.tokens_out is None

    def _add_flags(self, sample: Sample) -> None:
        self._flagged += 1
        found = {flag.name: flag for flag in map(Flag.parse, reversed(sample.flags))}
        for name, flag in found.items():
            self._flags[name] += 1
            examples = self._flag_examples.setdefault(name, [])
            if len(examples) < EXAMPLES:
                meant = (c for c in sample.completions if c.completion_id == flag.completion_id)
                examples.append(_shown(sample, next(meant, None)))

    def result(self) -> Analysis:
        instructions = self._instruction_words.distribution()
        completions = self._completion_words.distribution()
        ratings = self._scores.result()
        models = [of_model.result(name) for name, of_model in self._models.items()]
        finish = Counter[str]()
        for of_model in self._models.values():
            finish.update(of_model.finish)
        return Analysis(
            samples=self._coverage.total(),
            completions=completions.count,
            accepted_samples=self._accepted.total(),
            coverage=self._cells.grid(self._coverage),
            judged=self._cells.grid(self._judged),
            accepted=self._cells.grid(self._accepted),
            runs=dict(self._runs),
            fingerprints=dict(self._fingerprints),
            rounds=dict(sorted(self._rounds.items(), key=lambda item: item[0] or 0)),
            instruction_words=instructions,
            completion_words=completions,
            tokens_in=sum(model.tokens_in for model in models),
            tokens_out=sum(model.tokens_out for model in models),
            untold_tokens=self._untold_tokens,
            ratings=ratings,
            models=tuple(sorted(models, key=lambda model: -model.completions)),
            finish_reasons=dict(finish.most_common()),
            flagged=self._flagged,
            flags=tuple(
                FlagFigures(name, Flag(name).reason, count, tuple(self._flag_examples[name]))
                for name, count in self._flags.most_common()
            ),
            outliers=self._striking.result(instructions, completions, ratings.mean),
        )


def _shown(sample: Sample, completion: Completion | None, note: str = "") -> Shown:
    return Shown(
        sample_id=sample.sample_id,
        completion_id=completion.completion_id if completion else None,
        topic=sample.topic,
        perspective=sample.perspective,
        excerpt=excerpt(completion.text if completion else sample.instruction),
        note=note,
    )


def _note(kind: OutlierKind, rank: float, sample: Sample) -> str:
    if kind == "most_flagged":
        names = Counter(Flag.parse(flag).name for flag in sample.flags)
        return excerpt(", ".join(names))
    if kind == "ratings_differ":
        ratings = sorted(c.judge_rating for c in sample.completions if c.judge_rating is not None)
        return "rated " + " and ".join(f"{rating:g}" for rating in ratings)
    if kind == "lowest_rated":
        return f"rated {-rank:g}"
    count = int(abs(rank))
    return f"{count:,} word{'' if count == 1 else 's'}"


def _ratings_json(ratings: Ratings) -> dict[str, Any]:
    return {
        "rated": ratings.rated,
        "unrated": ratings.unrated,
        "mean": None if ratings.mean is None else round(ratings.mean, 3),
        "stars": {str(star): count for star, count in ratings.stars},
    }
