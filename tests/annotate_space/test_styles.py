from __future__ import annotations

from pathlib import Path

import pytest

import annotate_space

FOLDER = Path(annotate_space.__file__).parent


@pytest.mark.parametrize("file", sorted(FOLDER.rglob("*.css")), ids=lambda file: file.stem)
def test_every_condition_of_a_style_sheet_is_closed(file: Path) -> None:
    depth = 0
    for number, line in enumerate(file.read_text(encoding="utf-8").splitlines(), start=1):
        # Only what stands within a condition or a rule is indented.
        assert line[:1] in (" ", "}", "") or depth == 0, f"{file.name}:{number}"
        depth += line.count("{") - line.count("}")
    assert depth == 0
