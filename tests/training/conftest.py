"""Left out where no trainer is installed, as in tests/run."""

from __future__ import annotations

from importlib.util import find_spec

if find_spec("trl") is None:
    collect_ignore_glob = ["test_*.py"]
