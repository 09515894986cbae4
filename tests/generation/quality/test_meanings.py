from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
from model2vec import StaticModel

from pipeline.core.errors import InvalidInput
from pipeline.core.schema import QualitySettings
from pipeline.generation.quality import meanings
from pipeline.generation.quality.duplicates import DuplicateIndex, Match
from tests.embeddings import ALIKE, WORDS, a_static_model


@pytest.fixture(scope="session")
def model(tmp_path_factory: pytest.TempPathFactory) -> str:
    return a_static_model(tmp_path_factory.mktemp("model"))


def index_at(path: Path, model: str, **changes: object) -> DuplicateIndex:
    fields = {"minhash_similarity": None, "embedding_model": model, **changes}
    return DuplicateIndex(QualitySettings.model_validate(fields), path)


def test_other_words_of_the_same_meaning_are_found(tmp_path: Path, model: str) -> None:
    index = index_at(tmp_path / "index", model)
    assert index.add("a", "When is the soil dry enough to plough") is None
    assert index.add("b", "Which crops survive") is None
    match = index.add("c", "whenever is the ground parched enough to till")
    assert match is not None
    assert (match.name, match.sample_id) == ("same_meaning", "a")
    assert 0.95 <= match.similarity <= 1
    index.close()


def test_the_same_words_are_a_duplicate_first(tmp_path: Path, model: str) -> None:
    index = index_at(tmp_path / "index", model)
    index.add("a", "When is the soil dry")
    assert index.add("b", "when is the soil dry") == Match("duplicate", "a", 1.0)
    index.close()


def test_the_order_of_words_is_no_difference_to_it(tmp_path: Path, model: str) -> None:
    index = index_at(tmp_path / "index", model, embedding_similarity=1)
    index.add("a", "When is the soil dry")
    match = index.add("b", "Is the dry soil when")
    assert match is not None
    assert match.similarity == pytest.approx(1, abs=1e-3)
    index.close()


def test_the_set_similarity_is_honoured(tmp_path: Path, model: str) -> None:
    one, other = "soil dry plough", "soil dry crops"
    encoded = StaticModel.from_pretrained(model).encode([one, other])
    cosine = float(encoded[0] @ encoded[1] / np.prod(np.linalg.norm(encoded, axis=1)))
    for change, found in ((-0.01, True), (0.01, False)):
        index = index_at(tmp_path / str(found), model, embedding_similarity=cosine + change)
        index.add("a", one)
        assert (index.add("b", other) is not None) is found
        index.close()


def test_unknown_words_match_nothing(tmp_path: Path, model: str) -> None:
    index = index_at(tmp_path / "index", model, embedding_similarity=1e-6)
    assert index.add("a", "Zzz yyy") is None
    assert index.add("b", "Xxx www") is None
    index.close()


def test_vectors_outlive_the_process_and_grow(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(meanings, "_FEWEST_ROWS", 2)
    index = index_at(tmp_path / "index", model)
    index.add("a", "When is the soil dry enough to plough")
    for number in range(9):
        index.add(str(number), f"Which crops survive {'to ' * number}")
    index.close()
    index = index_at(tmp_path / "index", model)
    match = index.find("whenever is the ground parched enough to till")
    assert match is not None
    assert match.sample_id == "a"
    index.close()


def test_another_model_starts_the_index_anew(tmp_path: Path, model: str) -> None:
    wider = StaticModel.from_pretrained(model)
    wider.embedding = np.hstack([wider.embedding, wider.embedding])
    wider.save_pretrained(str(tmp_path / "wider"))
    for name in (model, str(tmp_path / "wider"), model):
        index = index_at(tmp_path / "index", name)
        assert index.add("a", "When is the soil dry enough to plough") is None
        assert index.add("b", "whenever is the ground parched enough to till") is not None
        index.close()


def test_lost_vectors_start_the_index_anew(tmp_path: Path, model: str) -> None:
    index = index_at(tmp_path / "index", model)
    index.add("a", "When is the soil dry")
    index.close()
    (tmp_path / "index.vectors").unlink()
    index = index_at(tmp_path / "index", model)
    assert index.add("b", "When is the soil dry") is None
    assert index.add("c", "When is the soil dry") == Match("duplicate", "b", 1.0)
    index.close()


def test_every_pair_above_the_similarity_is_found(tmp_path: Path, model: str) -> None:
    rng = np.random.default_rng(3)
    names = [*WORDS, *ALIKE.values()]
    texts = [" ".join(rng.choice(names, 8)) for _ in range(400)]
    encoded = StaticModel.from_pretrained(model).encode(texts)
    encoded = encoded / np.linalg.norm(encoded, axis=1, keepdims=True)
    cosines = np.tril(encoded @ encoded.T, -1)
    due = {at for at in range(len(texts)) if cosines[at].max() >= 0.901}
    index = index_at(tmp_path / "index", model, embedding_similarity=0.9)
    found = {at for at, text in enumerate(texts) if index.add(str(at), text)}
    index.close()
    assert len(due) > 50
    assert len(due - found) <= 1
    assert all(cosines[at].max() >= 0.899 for at in found)


def test_a_missing_model_is_said_before_anything_is_made(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="no-model"):
        index_at(tmp_path / "index", str(tmp_path / "no-model"))
    assert list(tmp_path.iterdir()) == []


def test_a_missing_library_is_said_with_what_to_install(
    tmp_path: Path, model: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "model2vec", None)
    with pytest.raises(InvalidInput, match="pip install model2vec"):
        index_at(tmp_path / "index", model)
