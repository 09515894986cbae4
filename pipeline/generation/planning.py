"""What to generate: how many samples each cell still needs, and under which fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from pipeline.core.quotas import cell_key, fixed_rows
from pipeline.core.rounds import Round
from pipeline.core.schema import (
    STAND_INS,
    Cell,
    GenerationSettings,
    ModelChoice,
    Sample,
    Seed,
    normalized,
    stable_id,
)
from pipeline.generation import prompting
from pipeline.generation.known import CellQuota, Known

ASPECTS: Final = {
    "overall": ("overall",),
    "ultrafeedback": ("instruction_following", "truthfulness", "honesty", "helpfulness"),
}
"""What each kind of judgement asks for, one call an aspect."""

_NOT_DIGESTED: Final = {
    "base_url",
    "price_in",
    "price_out",
    "requests_per_minute",
    "tokens_per_minute",
}


@dataclass(frozen=True, slots=True)
class Plan:
    """What a run is to add.

    Attributes:
        counts: Samples to add to each cell that needs any.
        known: What is there.
    """

    counts: tuple[tuple[Cell, int], ...]
    known: Known

    @property
    def rows(self) -> int:
        """Samples to add in all."""
        return sum(count for _, count in self.counts)

    def quotas(self) -> Iterator[CellQuota]:
        """What each cell needs, read when it is that cell's turn."""
        for cell, count in self.counts:
            yield self.known.quota(cell, count)


def fingerprint(
    seed: Seed,
    settings: GenerationSettings,
    after: Round | None = None,
    documents: Sequence[str] = (),
) -> str:
    """A digest of what determines a cell's rows: prompts, models, parameters, the expert's words.

    Left out is what only decides how many rows there are or how fast they come, and what is marked
    on them: the lists of topics and perspectives (a new topic grows its own cells and no others),
    quotas, rows, concurrency, timeout, limits, prices, quality, and the address of a server, since
    a model may move.

    ``documents`` are the ``marks`` of those that samples rest on; without any nothing of them is
    digested.
    """
    grounded = [list(prompting.grounded_sources()), settings.grounding, list(documents)]
    used = [settings.for_completion(index) for index in range(settings.completions)]
    judge = settings.judge
    return stable_id(
        list(prompting.sources()),
        [_digested(choice) for choice in (settings.for_instructions(), *used)],
        settings.instructions_per_call,
        settings.evolve_instructions,
        settings.evolve_completions,
        [_digested(judge.model), judge.aspects] if judge else None,
        seed.domain.strip(),
        seed.description.strip(),
        seed.language,
        seed.domain_expert_prompt.strip(),
        [
            (e.question, e.answer, normalized(e.topic), normalized(e.perspective))
            for e in prompting.usable_examples(seed)
        ],
        prompting.usable_rules(seed),
        after.model_dump(mode="json", exclude={"made_at"}) if after else None,
        *([grounded] if documents and settings.grounding else ()),
    )


def plan(
    seed: Seed,
    settings: GenerationSettings,
    existing: Iterable[Sample],
    rows: int,
    after: Round | None = None,
    documents: Sequence[str] = (),
) -> Plan:
    """Spread ``rows`` over the seed's cells and count off what is there.

    Cells with a quota get that many. The others share what is left of ``rows``: samples of the
    same fingerprint count, also those of a cell that has more than its share, and the rest goes to
    the emptiest cells. In a round after votes, a cell is as full as it has samples that people
    accepted. Cells that need nothing are left out.
    """
    known = Known(existing, fingerprint(seed, settings, after, documents))
    counts = spread(seed, rows, known.counts(), after)
    return Plan(tuple((c, n) for c, n in zip(seed.cells(), counts, strict=True) if n), known)


def spread(seed: Seed, rows: int, have: Mapping[str, int], after: Round | None = None) -> list[int]:
    """What ``plan`` adds to each of the seed's cells if ``have`` counts, by ``cell_key``."""
    keys = [cell_key(cell) for cell in seed.cells()]
    accepted = {
        cell_key(Cell(topic=c.topic, perspective=c.perspective)): c.accepted
        for c in (after.accepted if after else ())
    }
    base = [accepted.get(key, 0) for key in keys]
    fixed = fixed_rows(seed)
    wanted = {key: max(0, fixed[key] - accepted.get(key, 0)) for key in fixed}
    free = [place for place, key in enumerate(keys) if key not in fixed]
    levels = [base[place] + have.get(keys[place], 0) for place in free]
    left = max(0, rows - sum(wanted.values()))
    shares = _fill(levels, left + sum(base[place] for place in free))
    counts = [max(0, wanted.get(key, 0) - have.get(key, 0)) for key in keys]
    for place, share in zip(free, shares, strict=True):
        counts[place] = share
    return counts


def warnings(settings: GenerationSettings) -> Iterator[str]:
    """What whoever starts a run should know about its settings."""
    if settings.judge:
        judge = settings.judge.model.model
        if judge in {settings.for_completion(i).model for i in range(settings.completions)}:
            yield (
                f"{judge} judges its own completions; models prefer their own text, so choose "
                "another judge."
            )


def calls_per_row(settings: GenerationSettings) -> float:
    """How many calls one sample takes if none fails."""
    return (
        1 / settings.instructions_per_call
        + settings.evolve_instructions
        + settings.completions * (1 + settings.evolve_completions)
        + (len(ASPECTS[settings.judge.aspects]) if settings.judge else 0)
    )


def _fill(levels: Sequence[int], total: int) -> list[int]:
    """What to add to each of ``levels``, the lowest first, so that they sum to ``total``."""
    missing = total - sum(levels)
    if missing <= 0:
        return [0] * len(levels)
    low, high = 0, max(levels, default=0) + missing
    while low < high:
        middle = (low + high + 1) // 2
        if sum(max(0, middle - level) for level in levels) <= missing:
            low = middle
        else:
            high = middle - 1
    added = [max(0, low - level) for level in levels]
    left = missing - sum(added)
    for index, level in enumerate(levels):
        if left and level <= low:
            added[index] += 1
            left -= 1
    return added


def _digested(choice: ModelChoice) -> dict[str, object]:
    fields = choice.model_dump(exclude=_NOT_DIGESTED)
    if choice.model in STAND_INS:
        fields["phrases"] = prompting.prompt_text(prompting.STAND_IN_PHRASES)
    return fields
