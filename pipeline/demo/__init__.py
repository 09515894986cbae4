"""The demo project's seed: farming, so that everything can be tried without an account."""

from __future__ import annotations

from importlib.resources import files

from pipeline.core.schema import Seed


def farming() -> Seed:
    """The farming seed, read afresh."""
    return Seed.from_json(files("pipeline.demo").joinpath("farming.json").read_bytes())
