"""Imports point down: Spaces and commands, then engines, then core."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

MAY_IMPORT = {
    "pipeline.core": {"pipeline.core"},
    "pipeline.web": {"pipeline.web", "pipeline.core"},
    "pipeline.demo": {"pipeline.demo", "pipeline.core"},
    "pipeline.generation": {"pipeline.generation", "pipeline.core"},
    "pipeline.curation": {"pipeline.curation", "pipeline.core"},
    "seed_space": {
        "seed_space",
        "pipeline.core",
        "pipeline.deploy",  # new projects are made from it
        "pipeline.generation",
        "pipeline.curation",
        "pipeline.web",
    },
    "annotate_space": {
        "annotate_space",
        "annotate_space.study.process",  # the rest of it is for that process alone
        "pipeline.core",
        "pipeline.web",
    },
    "annotate_space.study.process": {"pipeline.core"},
    "annotate_space.study": {
        "annotate_space",
        "annotate_space.study",
        "pipeline.core",
        "pipeline.curation",
        "pipeline.web",
    },
    "pipeline.local": {"pipeline.core"},
    "pipeline.places": {"pipeline.core"},
    "pipeline.deploy": {"pipeline.core"},
    "pipeline.terminal": {"pipeline.core", "pipeline.curation", "pipeline.generation"},
    "pipeline.__version__": set(),
    "pipeline.commands": {
        "pipeline.commands",
        "pipeline.core",
        "pipeline.generation",
        "pipeline.curation",
        "pipeline.demo",
        "pipeline.deploy",
        "pipeline.local",
        "pipeline.places",
        "pipeline.terminal",
    },
    "pipeline.cli": {
        "pipeline.__version__",
        "pipeline.commands",
        "pipeline.core",
        "pipeline.terminal",
    },
    "pipeline.__main__": {"pipeline.cli"},
}
ONLY_IN = {
    "distilabel": {"pipeline.generation"},
    "gradio": {"seed_space", "annotate_space", "pipeline.web"},
    "datasets": {"pipeline.curation"},
}


def _modules() -> Iterator[tuple[str, Path]]:
    for top in ("pipeline", "seed_space", "annotate_space"):
        for path in sorted((ROOT / top).rglob("*.py")):
            name = ".".join(path.relative_to(ROOT).with_suffix("").parts)
            yield name.removesuffix(".__init__"), path


def _layer(module: str) -> str | None:
    fits = [layer for layer in MAY_IMPORT if module == layer or module.startswith(f"{layer}.")]
    return max(fits, key=len, default=None)


def _imports(path: Path) -> Iterator[str]:
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: write imports in full"
            for alias in node.names:
                yield f"{node.module}.{alias.name}"


@pytest.mark.parametrize(("module", "path"), list(_modules()), ids=str)
def test_a_module_imports_only_what_is_below_it(module: str, path: Path) -> None:
    layer = _layer(module)
    if module == "pipeline":
        assert list(_imports(path)) == []
        return
    assert layer is not None, f"{module} belongs to no layer"
    for imported in _imports(path):
        top = imported.split(".")[0]
        if top in ("pipeline", "seed_space", "annotate_space"):
            target = _layer(imported)
            assert target in MAY_IMPORT[layer], f"{module} imports {imported}"
        if top in ONLY_IN:
            assert layer in ONLY_IN[top], f"{module} imports {imported}"


def test_only_settings_and_what_starts_a_space_look_into_the_environment() -> None:
    looking = {
        path.relative_to(ROOT).as_posix()
        for _, path in _modules()
        if "os.environ" in path.read_text() or "getenv" in path.read_text()
    }
    assert looking == {
        "pipeline/core/settings.py",
        "seed_space/app.py",
        "annotate_space/app.py",
    }
