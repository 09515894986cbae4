"""A real embedding model of few words, for tests."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from model2vec import StaticModel
from tokenizers import Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Whitespace

ALIKE = {"plough": "till", "soil": "ground", "dry": "parched", "when": "whenever"}
WORDS = ("when", "is", "the", "soil", "dry", "enough", "to", "plough", "which", "crops", "survive")


def a_static_model(folder: Path) -> str:
    """A folder with a model of ``WORDS``, in which those of ``ALIKE`` are near each other."""
    rng = np.random.default_rng(1)
    vectors = {word: rng.standard_normal(64) for word in WORDS}
    for word, other in ALIKE.items():
        vectors[other] = vectors[word] + 0.1 * rng.standard_normal(64)
    names = ["[UNK]", *vectors]
    tokenizer = Tokenizer(WordLevel({name: at for at, name in enumerate(names)}, "[UNK]"))
    tokenizer.normalizer = Lowercase()
    tokenizer.pre_tokenizer = Whitespace()
    table = np.stack([np.zeros(64), *vectors.values()]).astype(np.float32)
    StaticModel(table, tokenizer, {"normalize": True}).save_pretrained(str(folder))
    return str(folder)
