"""Where the project stands: rows and votes, by topic and perspective."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import Any

import pandas as pd

from pipeline.core.feedback import BadLine
from pipeline.core.projects import load_feedback, load_project, load_seed
from pipeline.core.samples import read_samples
from pipeline.core.schema import STAND_INS, normalized, unique
from pipeline.core.store import Store
from pipeline.curation.consensus import tally


@dataclass(frozen=True, slots=True)
class Status:
    """A project in figures.

    Attributes:
        wanted: Rows that the settings ask for.
        models: How many completions each model wrote.
        judgements: How many count now, by task and status.
        annotators: How many people gave at least one.
        preferred: Pairs that have a winner.
        accepted: Completions that most found good.
        coverage: Samples by topic (rows) and perspective (columns), cells of the seed included.
        judged: Samples with at least one judgement, in the same shape.
        bad_lines: Feedback lines that could not be read.
    """

    domain: str
    samples: int
    wanted: int
    models: dict[str, int]
    judgements: dict[str, int]
    annotators: int
    preferred: int
    accepted: int
    coverage: pd.DataFrame
    judged: pd.DataFrame
    bad_lines: tuple[BadLine, ...]

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON takes them."""
        return {
            "domain": self.domain,
            "samples": self.samples,
            "wanted": self.wanted,
            "models": self.models,
            "judgements": self.judgements,
            "annotators": self.annotators,
            "accepted": self.accepted,
            "preferred": self.preferred,
            "coverage": self.coverage.to_dict("index"),
            "judged": self.judged.to_dict("index"),
            "unreadable": [str(line) for line in self.bad_lines],
        }

    def stand_in(self) -> bool:
        """Tell whether any completion was composed without a language model."""
        return any(model in STAND_INS for model in self.models)


def status(store: Store) -> Status:
    """Read the project and count."""
    seed = load_seed(store).seed
    feedback = load_feedback(store)
    consensus = tally(feedback)
    judgements: Counter[str] = Counter()
    judged_ids: set[str] = set()
    people: set[str] = set()
    for event in feedback.current():
        judgements[f"{event.task} {event.status}"] += 1
        if event.status == "submitted":
            judged_ids.add(event.sample_id)
        people.add(event.annotator)
    models: Counter[str] = Counter()
    rows = []
    for sample in read_samples(store):
        models.update(completion.model for completion in sample.completions)
        rows.append((sample.topic, sample.perspective, sample.sample_id in judged_ids))
    table = pd.DataFrame(rows, columns=["topic", "perspective", "judged"]).astype({"judged": bool})
    cells = [(cell.topic, cell.perspective) for cell in seed.cells()]
    return Status(
        domain=seed.domain,
        samples=len(rows),
        wanted=load_project(store).generation.rows,
        models=dict(models.most_common()),
        judgements=dict(sorted(judgements.items())),
        annotators=len(people),
        preferred=sum(
            pair.winner() is not None
            for pairs in consensus.pairs.values()
            for pair in pairs.values()
        ),
        accepted=sum(
            votes.verdict() is True
            for thumbs in consensus.thumbs.values()
            for votes in thumbs.values()
        ),
        coverage=_grid(table, cells),
        judged=_grid(table[table["judged"]], cells),
        bad_lines=tuple(feedback.bad_lines),
    )


def _grid(table: pd.DataFrame, cells: list[tuple[str, str]]) -> pd.DataFrame:
    """Count rows by cell; cells of the seed first, then any that only old samples have.

    Spellings that differ in case or spacing are one cell, under the seed's spelling.
    """
    topics = unique([*(topic for topic, _ in cells), *table["topic"]])
    perspectives = unique([*(view for _, view in cells), *table["perspective"]])
    topic_of = {normalized(text): text for text in topics}
    view_of = {normalized(text): text for text in perspectives}
    counts = pd.crosstab(
        table["topic"].map(lambda text: topic_of[normalized(text)]),
        table["perspective"].map(lambda text: view_of[normalized(text)]),
    )
    return counts.reindex(index=topics, columns=perspectives, fill_value=0)
