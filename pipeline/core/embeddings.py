"""Static embedding models of model2vec, a package that only those need who compare meanings."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from pipeline.core.errors import InvalidInput

if TYPE_CHECKING:
    from model2vec import StaticModel


def load(name: str) -> StaticModel:
    """The model ``name``, on the Hub or in a folder.

    Raises:
        InvalidInput: model2vec is not installed, or it cannot load the model.
    """
    try:
        from model2vec import StaticModel  # noqa: PLC0415
    except ImportError as error:
        raise InvalidInput(
            "Comparing meanings needs model2vec, which is not installed.",
            "Run `pip install model2vec`, or leave embedding_model unset.",
        ) from error
    try:
        return StaticModel.from_pretrained(name)
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        reason = next(iter(str(error).splitlines()), "") or type(error).__name__
        raise InvalidInput(
            f"The embedding model {name!r} cannot be loaded: {reason.rstrip('. ')}.",
            "Name a static model of model2vec on the Hub, such as minishlab/potion-base-8M, "
            "or a folder that holds one.",
        ) from error


def unit_vectors(model: StaticModel, texts: Sequence[str]) -> NDArray[np.float32]:
    """A row of length one for each text; zeros where it is blank or the model knows no word."""
    found = np.asarray(model.encode(list(texts)), np.float32).reshape(len(texts), model.dim)
    lengths = np.linalg.norm(found, axis=1, keepdims=True)
    blank = np.array([not text.strip() for text in texts], np.bool_)[:, None]
    usable = np.isfinite(lengths) & (lengths > 0) & ~blank
    rows: NDArray[np.float32] = np.divide(found, lengths, out=np.zeros_like(found), where=usable)
    return rows
