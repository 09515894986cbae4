"""Instructions made from templates, and edits of them, for measuring duplicates."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Final

_TEMPLATES: Final = (
    "How should a {who} on {soil} deal with {trouble} in {crop} during {when}?",
    "Which {crop} varieties cope best with {trouble} on {soil} when {when} is unusual?",
    "Explain to a {who} why {trouble} in {crop} gets worse on {soil} after {when}.",
    "What does {trouble} cost a {who} who grows {crop} on {soil}, and what helps in {when}?",
    "Write a short plan for {when}: {crop}, {soil}, and a {who} who worries about {trouble}.",
)
_SLOTS: Final[dict[str, Sequence[str]]] = {
    "who": ("beginner", "market gardener", "dairy farmer", "contract worker", "land agent",
            "school teacher", "smallholder", "seed merchant", "wine grower", "student"),
    "soil": ("heavy clay", "sandy loam", "chalk", "drained peat", "river silt", "stony slopes",
             "compacted headlands", "acid moorland", "salty reclaimed land", "volcanic ash"),
    "trouble": ("late blight", "slug damage", "nitrogen loss", "wind erosion", "standing water",
                "wireworm", "couch grass", "poor germination", "frost heave", "rust fungi",
                "bird damage", "boron deficiency"),
    "crop": ("field beans", "winter wheat", "potatoes", "sugar beet", "red clover", "oilseed rape",
             "malting barley", "onions", "cider apples", "maize", "flax", "hops"),
    "when": ("a wet autumn", "early spring", "a dry May", "harvest", "the first hard frost",
             "midsummer", "the hungry gap", "a mild winter", "flowering", "the second year"),
}  # fmt: skip


def similar_but_different(count: int, seed: int = 1) -> list[str]:
    """``count`` different questions of few templates; most share most of their words with some."""
    rng = random.Random(seed)
    found: dict[str, None] = {}
    while len(found) < count:
        chosen = {slot: rng.choice(values) for slot, values in _SLOTS.items()}
        found[rng.choice(_TEMPLATES).format(**chosen)] = None
    return list(found)


def unlike(count: int, words: int = 16, seed: int = 1) -> list[str]:
    """``count`` instructions of ``words`` random words each."""
    rng = random.Random(seed)
    return [" ".join(f"w{rng.randrange(20_000)}" for _ in range(words)) for _ in range(count)]


def edited(text: str, rng: random.Random) -> str:
    """``text`` as somebody would write it again: one or two words replaced, added or left out."""
    words = text.split()
    for _ in range(rng.choice((1, 1, 2))):
        place = rng.randrange(len(words))
        kind = rng.randrange(3)
        if kind == 0:
            words[place] = rng.choice(("really", "often", "usually", "please", "now"))
        elif kind == 1:
            words.insert(place, rng.choice(("really", "often", "usually", "please", "now")))
        elif len(words) > 2:
            del words[place]
    return " ".join(words)
