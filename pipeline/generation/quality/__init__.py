"""Marks samples that may be poor, and takes out those that the settings do not keep.

``rules`` looks at one sample, ``duplicates`` at all instructions so far.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from pipeline.core.flags import FLAGS, Flag
from pipeline.core.schema import QualitySettings, Sample, Seed
from pipeline.generation.quality.duplicates import DuplicateIndex, Match, meaning_note
from pipeline.generation.quality.rules import Rules

__all__: Final = ["DuplicateIndex", "Inspected", "Inspector", "Match", "meaning_note"]


@dataclass(frozen=True, slots=True)
class Inspected:
    """What became of one sample.

    Attributes:
        sample: It with its marks and the completions that are kept; None if it is not kept.
        flags: All marks that were found.
        dropped: Those of them that are no longer on a sample, because what they mark is gone. Of
            a sample that is not kept, all.
        match: The earlier instruction that it repeats.
    """

    sample: Sample | None
    flags: tuple[Flag, ...]
    dropped: tuple[Flag, ...]
    match: Match | None = None


class Inspector:
    """Looks at samples as they are made. Close it to keep its index for the next run.

    Args:
        seed: What the samples grow from.
        settings: What is marked and what is not kept.
        path: Where the index of instructions is kept.

    Raises:
        InvalidInput: Meanings are to be compared, and the library or the model is missing.
    """

    def __init__(self, seed: Seed, settings: QualitySettings, path: Path) -> None:
        self._drop = frozenset[str](settings.drop)
        self._rules = Rules(seed, settings)
        self._index = DuplicateIndex(settings, path)
        self._held = 0

    def inspect(self, sample: Sample, source: str = "") -> Inspected:
        """Mark a sample and drop what the settings do not keep.

        A mark on the instruction drops the sample, one on a completion the completion, and a sample
        without completions left goes too. Only what is kept is remembered, so that a sample is
        never dropped in favour of one that was dropped itself. Marks that are not ours stay.

        Args:
            sample: What a model wrote.
            source: The document it was made from.
        """
        match = self._index.find(sample.instruction, sample.sample_id)
        repeats = () if match is None else (Flag(match.name),)
        flags = (*repeats, *self._rules.flags_of(sample, source))
        unwanted = [flag for flag in flags if flag.name in self._drop]
        poor = {flag.completion_id for flag in unwanted}
        kept = tuple(each for each in sample.completions if each.completion_id not in poor)
        if None in poor or (poor and not kept):
            return Inspected(None, flags, flags, match)
        self._index.remember(sample.sample_id, sample.instruction)
        marks = [flag for flag in flags if flag.completion_id not in poor]
        others = [text for text in sample.flags if Flag.parse(text).name not in FLAGS]
        changed = {"completions": kept, "flags": (*map(str, marks), *others)}
        dropped = tuple(flag for flag in flags if flag.completion_id in poor)
        return Inspected(sample.model_copy(update=changed), flags, dropped, match)

    def remember_all(self, samples: Iterable[Sample]) -> Iterator[Sample]:
        """Pass on a project's samples, and let later ones be compared with them."""
        for sample in samples:
            self._index.remember(sample.sample_id, sample.instruction)
            self._held += 1
            yield sample

    def knows_more(self) -> bool:
        """Tell whether the index holds samples that the project does not.

        So it is after a run that was killed before its last samples were stored, or when samples
        were removed; ``clear`` and remember again.
        """
        return len(self._index) > self._held

    def clear(self) -> None:
        """Forget all instructions."""
        self._index.clear()
        self._held = 0

    def close(self) -> None:
        """Save the index."""
        self._index.close()
