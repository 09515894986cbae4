"""The sentences of the errors that a module raises, read from its source."""

from __future__ import annotations

import ast
from collections.abc import Collection
from pathlib import Path


def told_by(file: Path, errors: Collection[str]) -> set[str]:
    """What ``file`` says when it raises one of ``errors``; ``{0}`` stands for what is filled in."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Name)
            and node.func.id in errors
        ):
            found |= {sentence for each in node.args if (sentence := _sentence(each))}
    return found


def _sentence(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return str(node.value)
    if isinstance(node, ast.JoinedStr):
        places = iter("0123456789")
        return "".join(
            str(part.value) if isinstance(part, ast.Constant) else f"{{{next(places)}}}"
            for part in node.values
        )
    return ""  # an error that is told on, or words that are translated already
