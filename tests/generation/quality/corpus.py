"""Texts as domain experts and models write them, by language; every one was written for this test.

They hold what misleads detectors: Latin names, units, code, tables, borrowed words, brevity.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Final

_DATA: Final = json.loads(Path(__file__).with_suffix(".json").read_text("utf-8"))

TEXTS: Final[dict[str, list[str]]] = _DATA["texts"]
UNDECIDABLE: Final[list[str]] = _DATA["undecidable"]
