"""Samples found by their words, their meaning, and what was said of them."""

from __future__ import annotations

from typing import Any

from annotate_space.study.material import Material


def search(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """A page of what is found."""
    raise NotImplementedError
