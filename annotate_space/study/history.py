"""What one annotator did."""

from __future__ import annotations

from typing import Any

from annotate_space.study.material import Material


def history(material: Material, payload: dict[str, Any]) -> dict[str, Any]:
    """A page of their answers, newest first, and their pace."""
    raise NotImplementedError
