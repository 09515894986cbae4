"""Questions on which people differ, and what each said."""

from __future__ import annotations

from typing import Any

from annotate_space.study.material import Material


def disputes(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """A page of the queue."""
    raise NotImplementedError


def votes(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """What everybody said about one question, with comments."""
    raise NotImplementedError
