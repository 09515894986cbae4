"""What to generate: how many samples each cell still needs, and under which fingerprint."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from importlib.resources import files

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


@dataclass(frozen=True, slots=True)
class CellQuota:
    """What one cell still needs.

    Attributes:
        cell: The cell.
        count: Samples to add.
        instructions: What has been asked in the cell already, under any fingerprint.
    """

    cell: Cell
    count: int
    instructions: tuple[str, ...] = ()


def fingerprint(seed: Seed, settings: GenerationSettings) -> str:
    """A digest of what determines a cell's rows: prompts, models, parameters, the expert's words.

    Left out is what only decides how many rows there are or how fast they come: the lists of
    topics and perspectives (a new topic grows its own cells and no others), rows, concurrency,
    timeout, and the address of a server, since a model may move.
    """
    used = [settings.for_completion(index) for index in range(settings.completions)]
    writer = settings.for_instructions()
    return stable_id(
        list(prompting.sources()),
        [_digested(choice) for choice in (writer, *used)],
        settings.instructions_per_call,
        seed.domain.strip(),
        seed.description.strip(),
        seed.language,
        seed.domain_expert_prompt.strip(),
        [
            (e.question, e.answer, normalized(e.topic), normalized(e.perspective))
            for e in prompting.usable_examples(seed)
        ],
    )


def plan(
    seed: Seed, settings: GenerationSettings, existing: Iterable[Sample], rows: int
) -> list[CellQuota]:
    """Spread ``rows`` over the seed's cells and count off what is there.

    Samples of the same fingerprint count, also those of a cell that has more than its share; the
    rest goes to the emptiest cells. Cells that need nothing are left out.
    """
    mark = fingerprint(seed, settings)
    cells = seed.cells()
    have = dict.fromkeys(map(_key, cells), 0)
    asked: dict[tuple[str, str], list[str]] = {key: [] for key in have}
    for sample in existing:
        key = normalized(sample.topic), normalized(sample.perspective)
        if sample.kind != "instruction" or key not in have:
            continue
        have[key] += sample.fingerprint == mark
        asked[key].append(sample.instruction)
    counts = _fill([have[_key(cell)] for cell in cells], rows)
    return [
        CellQuota(cell, count, tuple(asked[_key(cell)]))
        for cell, count in zip(cells, counts, strict=True)
        if count
    ]


def _key(cell: Cell) -> tuple[str, str]:
    return normalized(cell.topic), normalized(cell.perspective)


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
    fields = choice.model_dump(exclude={"base_url"})
    if choice.model in STAND_INS:
        fields["phrases"] = phrases_text()
    return fields


def phrases_text() -> str:
    """The stand-in's phrases, which are to it what weights are to a model."""
    return files("pipeline.generation").joinpath("prompts", "stand_in.json").read_text("utf-8")
