"""How the exports in a project were made, kept beside them: what the card tells of them."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict, Field

from pipeline.core import layout
from pipeline.core.changing import read_if_there
from pipeline.core.layout import ExportFormat, Form, Split
from pipeline.core.schema import Stored
from pipeline.core.store import Store
from pipeline.curation import advice


class Made(BaseModel):
    """How one export was made, and what it holds.

    Attributes:
        files: Its parquet files, with their rows and their bytes before compression and after.
        filters: What a row needed, as it was asked for; only what differs from asking nothing.
        removed: Rows that each filter left out; a row that several would have is counted once.
        labels: Rows of ``kto`` in train by label.
        sources: Rows by what they come from.
    """

    model_config = ConfigDict(frozen=True)

    form: Form
    method: str
    filters: dict[str, float | list[str]] = Field(default_factory=dict)
    files: dict[str, tuple[int, int, int]] = Field(default_factory=dict)
    removed: dict[str, int] = Field(default_factory=dict)
    labels: dict[str, int] = Field(default_factory=dict)
    sources: dict[str, int] = Field(default_factory=dict)

    def rows(self, split: Split | None = None) -> int:
        """How many, in one split or in all."""
        return sum(
            rows
            for path, (rows, _, _) in self.files.items()
            if split is None or f"/{split}-" in path
        )


class TopicFacts(BaseModel):
    """What people did about one topic: samples that were judged, and with something good."""

    model_config = ConfigDict(frozen=True)

    samples: int = 0
    judged: int = 0
    accepted: int = 0


class People(BaseModel):
    """What people said, as of the export.

    Attributes:
        judgements: How many count, by task.
        annotators: How many people gave at least one.
        names: Judgements by annotator, the most first; empty where names are not to be told.
        topics: By the topic as samples spell it.
        disputed: Samples on which enough people differ.
        agreement: Sentences on how far all this can be trusted.
    """

    model_config = ConfigDict(frozen=True)

    judgements: dict[str, int] = Field(default_factory=dict)
    annotators: int = 0
    names: dict[str, int] = Field(default_factory=dict)
    topics: dict[str, TopicFacts] = Field(default_factory=dict)
    disputed: int = 0
    agreement: tuple[str, ...] = ()


class ExportRecord(Stored):
    """How the exports in a project were made."""

    model_config = ConfigDict(frozen=True)

    FILE = "the export record"

    test_share: float
    people: People = Field(default_factory=People)
    made: dict[ExportFormat, Made] = Field(default_factory=dict)


def balance(record: ExportRecord) -> advice.Balance | None:
    """The classes of ``kto`` in train; None without any."""
    labels = record.made["kto"].labels if "kto" in record.made else {}
    return advice.balance(labels.get("good", 0), labels.get("bad", 0)) if labels else None


def enough(record: ExportRecord) -> tuple[advice.Enough, ...]:
    """How far each export is from published sizes."""
    return advice.enough({name: made.rows("train") for name, made in record.made.items()})


def read_record(store: Store) -> ExportRecord | None:
    """How the exports in the project were made; None if there are none, or older ones."""
    content = read_if_there(store, layout.EXPORT_RECORD)
    return ExportRecord.from_json(content.data, layout.EXPORT_RECORD) if content else None
