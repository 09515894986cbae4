"""Where the project stands: rows, votes, runs and rounds."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from pipeline.core import controls
from pipeline.core.documents.kept import load_documents
from pipeline.core.feedback import BadLine
from pipeline.core.projects import load_project, load_seed
from pipeline.core.quotas import fixed_rows
from pipeline.core.samples import read_samples
from pipeline.core.schema import Sample
from pipeline.core.store import Store
from pipeline.curation.agreement import Agreement, agreement
from pipeline.curation.analysis import Analysis, analyse
from pipeline.curation.consensus import Rules, settle
from pipeline.curation.grid import Grid, wanted_grid
from pipeline.curation.history import History, read_history
from pipeline.curation.judgements import Judgements
from pipeline.curation.shown import Shown


@dataclass(frozen=True, slots=True)
class Status:
    """A project in figures.

    Attributes:
        wanted: Rows that the settings and the seed's quotas ask for.
        aim: Those of each cell, in the shape of ``coverage``.
        uneven: Whether the seed asks for other than an even share anywhere.
        judgements: How many count now, by task and status.
        annotators: How many people gave at least one.
        preferred: Pairs that have a winner.
        accepted: Completions that most found good.
        bad_lines: Feedback lines that could not be read.
        analysis: What the samples are like.
        history: What runs and rounds did.
        documents: How many are in use.
        resting: Samples that rest on a passage of a document.
        agreement: How far the judgements can be trusted.
    """

    domain: str
    wanted: int
    aim: Grid
    uneven: bool
    judgements: dict[str, int]
    annotators: int
    preferred: int
    accepted: int
    bad_lines: tuple[BadLine, ...]
    analysis: Analysis
    history: History
    documents: int
    resting: int
    agreement: Agreement

    @property
    def samples(self) -> int:
        """How many there are."""
        return self.analysis.samples

    @property
    def models(self) -> dict[str, int]:
        """How many completions each model wrote."""
        return {model.model: model.completions for model in self.analysis.models}

    @property
    def coverage(self) -> Grid:
        """Samples by topic and perspective, cells of the seed included."""
        return self.analysis.coverage

    @property
    def judged(self) -> Grid:
        """Samples with at least one judgement, in the same shape."""
        return self.analysis.judged

    def as_json(self) -> dict[str, Any]:
        """The figures as JSON takes them."""
        return {
            "domain": self.domain,
            "samples": self.samples,
            "wanted": self.wanted,
            "models": self.models,
            "judgements": self.judgements,
            "annotators": self.annotators,
            "documents": self.documents,
            "resting_on_documents": self.resting,
            "accepted": self.accepted,
            "preferred": self.preferred,
            "coverage": self.coverage.as_json(),
            "judged": self.judged.as_json(),
            "wanted_by_cell": self.aim.as_json(),
            "unreadable": [str(line) for line in self.bad_lines],
            **self.history.as_json(),
            "analysis": self.analysis.as_json(),
            "agreement": self.agreement.as_json(),
        }

    def stand_in(self) -> bool:
        """Tell whether any completion was composed without a language model."""
        return self.analysis.stand_ins() > 0


def status(store: Store) -> Status:
    """Read the project and count; samples are read once and not held."""
    seed = load_seed(store).seed
    project = load_project(store)
    judgements = Judgements.read(store)
    consensus = settle(judgements, Rules.of(project.curation))
    history = read_history(store)
    shown = Shown(judgements)
    resting = 0

    def samples() -> Iterator[Sample]:
        nonlocal resting
        for sample in shown.noting(read_samples(store)):
            resting += sample.document is not None
            yield sample

    analysis = analyse(samples(), seed.cells(), consensus, history.round_of())
    rows = project.generation.rows
    aim = wanted_grid(seed, rows, analysis.coverage)
    return Status(
        domain=seed.domain,
        wanted=aim.total() if seed.quotas and aim.topics else rows,
        aim=aim,
        uneven=bool(fixed_rows(seed)),
        judgements=judgements.counts(),
        annotators=int(judgements.frame["annotator"].nunique()),
        preferred=consensus.settled_pairs,
        accepted=consensus.accepted_completions,
        bad_lines=judgements.bad_lines,
        analysis=analysis,
        history=history,
        documents=len(load_documents(store).in_use()),
        resting=resting,
        agreement=agreement(judgements, shown, controls.load(store).controls),
    )
