"""How far the votes can be trusted, as figures and plots."""

from __future__ import annotations

from typing import Any

from annotate_space.study.material import Material


def figures(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """Everything the insights show."""
    raise NotImplementedError
