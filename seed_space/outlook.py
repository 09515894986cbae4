"""How many samples each cell has, and what the missing ones would cost and take."""

from __future__ import annotations

import html
from collections.abc import Callable, Sequence
from typing import Any

from pipeline.core.quotas import wanted_rows
from pipeline.core.runs import dollars, duration
from pipeline.core.schema import STAND_INS
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.curation.counts import count_cells
from pipeline.generation.estimate import Estimate, Range, expect, taken
from pipeline.generation.planning import fingerprint, spread
from pipeline.web.visitor import Visitor
from seed_space.screen import read
from seed_space.session import Session, generation_settings, open_for
from seed_space.words import say


def count(
    settings: Settings, store: Store | None, session: Session, who: Visitor
) -> dict[str, Any]:
    """Count the project's samples, for ``parts/figures.js``, and remember what a run counts.

    Returns:
        ``rows`` that the settings ask for; ``topics`` and ``perspectives`` that have samples; and
        ``cells`` with the places of both, how many there are, and how many are accepted.

    Raises:
        SeedbedError: The project cannot be read now.
    """
    project = store or open_for(settings, who)
    session.generation = generation_settings(project)
    counts = count_cells(project)
    session.instructions = counts.instructions or {}
    topics = list(dict.fromkeys(cell.topic for cell in counts.cells))
    views = list(dict.fromkeys(cell.perspective for cell in counts.cells))
    row = {name: place for place, name in enumerate(topics)}
    column = {name: place for place, name in enumerate(views)}
    return {
        "rows": session.generation.rows,
        "topics": topics,
        "perspectives": views,
        "cells": [
            [row[cell.topic], column[cell.perspective], cell.samples, cell.accepted]
            for cell in counts.cells
        ],
    }


def forecast(session: Session, values: Sequence[object]) -> str:
    """What growing the samples that are missing under the screen's words would take, as HTML."""
    language = session.language
    seed = read(values, session.saved.seed).seed
    if seed is None or session.instructions is None or not seed.cells():
        return ""
    generation = session.generation
    have = session.instructions.get(fingerprint(seed, generation, documents=session.documents), {})
    rows = sum(spread(seed, generation.rows, have))
    wanted = wanted_rows(seed, generation.rows)
    if not rows:
        short = sum(have.get(key, 0) < share for key, share in wanted.items())
        key = "coverage.full" if short else "coverage.nothing"
        return _paragraphs([say(language, key, n=generation.rows, short=short)])
    lines = [say(language, "coverage.missing", n=rows)]
    models = generation.all_models()
    if all(choice.model in STAND_INS for choice in models):
        return _paragraphs([*lines, say(language, "coverage.stand_in")])
    if not session.usage:
        return _paragraphs([*lines, say(language, "coverage.no_preview")])
    largest = max(wanted.values())
    tried = [taken(stages, generation, largest) for stages in session.usage]
    expected = expect(tried, generation, rows)
    return _paragraphs(
        [
            *lines,
            _cost(expected, language),
            say(language, "coverage.time", between=_between(expected.seconds, duration, language)),
            say(language, "coverage.judged", n=expected.sampled),
        ]
    )


def _cost(expected: Estimate, language: str) -> str:
    if expected.cost is None:
        return say(language, "coverage.unpriced", models=", ".join(expected.unpriced))
    if not expected.cost.high:
        return say(language, "coverage.free")
    return say(language, "coverage.cost", between=_between(expected.cost, dollars, language))


def _between(found: Range, write: Callable[[float], str], language: str) -> str:
    low, high = write(found.low), write(found.high)
    return low if low == high else say(language, "coverage.between", low=low, high=high)


def _paragraphs(lines: Sequence[str]) -> str:
    items = "".join(f"<p>{html.escape(line)}</p>" for line in lines)
    return f'<div class="sb-forecast" role="status">{items}</div>'
