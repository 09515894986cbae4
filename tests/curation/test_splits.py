"""Splits: groups of the same and nearly the same, in one split for ever."""

from __future__ import annotations

import random
from collections import Counter
from pathlib import Path

import pytest

from pipeline.core import layout
from pipeline.core.samples import to_parquet
from pipeline.core.schema import Sample
from pipeline.core.store_folder import FolderStore
from pipeline.core.words import shingles
from pipeline.curation.splits import SIMILARITY, Place, Splits
from tests.factories import a_sample, fill

WORDS = [f"word{n}" for n in range(3_000)]


def instruction(rng: random.Random, length: int = 30) -> str:
    return " ".join(rng.choices(WORDS, k=length))


def edited(text: str, rng: random.Random) -> str:
    """Another last word, which leaves them nearly the same."""
    return f"{text.rpartition(' ')[0]} {rng.choice(WORDS)}"


def at(number: int) -> str:
    return f"2026-01-01T00:00:{number // 1_000:02d}.{number % 1_000:03d}Z"


def many(count: int, seed: int = 0) -> list[Sample]:
    """Unlike instructions; every fourth is nearly an earlier one's."""
    rng = random.Random(seed)
    texts: list[str] = []
    for number in range(count):
        near = number % 4 == 3
        texts.append(edited(rng.choice(texts), rng) if near else instruction(rng))
    return [a_sample(n, instruction=t, created_at=at(n)) for n, t in enumerate(texts)]


def placed(folder: Path, samples: list[Sample], share: float = 0.2) -> dict[str, Place]:
    fill(FolderStore(folder), samples)
    return places(folder, samples, share)


def places(folder: Path, samples: list[Sample], share: float) -> dict[str, Place]:
    splits = Splits.read(FolderStore(folder), share)
    found = {sample.sample_id: splits.of(sample.sample_id) for sample in samples}
    assert None not in found.values()
    return {name: place for name, place in found.items() if place is not None}


def jaccard(one: str, other: str) -> float:
    a, b = set(shingles(one)), set(shingles(other))
    return len(a & b) / len(a | b)


def test_nothing_in_train_is_nearly_in_test(folder: Path) -> None:
    samples = many(400)
    found = placed(folder, samples)
    by_split: dict[str | None, list[Sample]] = {"train": [], "test": [], None: []}
    for sample in samples:
        by_split[found[sample.sample_id].split].append(sample)
    assert 40 < len(by_split["test"]) < 120
    close = [
        (one.instruction, other.instruction)
        for one in by_split["train"]
        for other in by_split["test"]
        if jaccard(one.instruction, other.instruction) >= SIMILARITY
    ]
    assert close == []


def test_near_ones_share_the_group_of_the_oldest(folder: Path) -> None:
    rng = random.Random(3)
    text = instruction(rng)
    same = [text, text.upper(), f" {text}  ", edited(text, rng)]
    samples = [a_sample(n, instruction=t, created_at=at(n)) for n, t in enumerate(same)]
    other = a_sample(9, instruction=instruction(rng), created_at=at(9))
    found = placed(folder, [*samples, other])
    assert len({found[s.sample_id].group for s in samples}) == 1
    assert found[other.sample_id].group != found[samples[0].sample_id].group


def test_what_comes_later_moves_nothing(folder: Path) -> None:
    samples = many(400)
    early = samples[:200]
    before = placed(folder, early)
    store = FolderStore(folder)
    # In a folder that is read before the other one.
    store.commit({layout.sample_shard("a", 0): to_parquet(samples[200:])}, message="Add")
    after = places(folder, samples, 0.2)
    assert {name: after[name].group for name in before} == {n: p.group for n, p in before.items()}
    moved = [n for n in before if after[n].split != before[n].split]
    # A sample may only leave train, where something in test came close to it.
    assert all(after[name].split is None for name in moved)
    assert len(moved) < 8


def test_a_larger_share_takes_more_and_returns_nothing(folder: Path) -> None:
    samples = many(300)
    few = placed(folder, samples, 0.1)
    more = places(folder, samples, 0.4)
    in_test = {name for name, place in few.items() if place.split == "test"}
    assert in_test < {name for name, place in more.items() if place.split == "test"}
    assert {p.split for p in places(folder, samples, 0).values()} == {"train"}


def test_exam_questions_of_a_document_stay_together(folder: Path) -> None:
    rng = random.Random(5)
    samples = [
        a_sample(
            n,
            kind="exam",
            completions=(),
            instruction=instruction(rng),
            document=f"book-{n % 30}.txt",
        )
        for n in range(150)
    ]
    found = placed(folder, samples, 0.3)
    of_book = Counter((s.document, found[s.sample_id].split) for s in samples)
    assert set(of_book.values()) == {5}
    assert {split for _, split in of_book} == {"train", "test"}


def test_a_question_that_is_asked_of_a_test_document_leaves_train(folder: Path) -> None:
    rng = random.Random(6)
    shared = instruction(rng)
    samples = [
        a_sample(
            n,
            kind="exam",
            completions=(),
            instruction=shared if n % 2 else instruction(rng),
            document=f"{n // 2}.txt",
            created_at=at(n),
        )
        for n in range(60)
    ]
    found = placed(folder, samples, 0.3)
    assert {found[s.sample_id].split for s in samples[::2]} == {"train", "test"}
    assert {found[s.sample_id].split for s in samples[1::2]} == {"test", None}


@pytest.mark.parametrize("text", ["", "?!", "word"])
def test_instructions_without_words_are_placed(folder: Path, text: str) -> None:
    samples = [a_sample(n, instruction=text) for n in range(3)]
    assert len({p.group for p in placed(folder, samples).values()}) == 1
    assert Splits.read(FolderStore(folder), 0.1).of("unknown") is None
