"""Training data out of votes, in TRL's conversational format.

The prompt is the instruction as one user message. The expert's system prompt is left out, so that
a model learns to answer like the expert without being told to; it stays in the samples.
"""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import pyarrow as pa
import pyarrow.parquet as pq
from datasets import Features, List, Value

from pipeline.core import layout
from pipeline.core.feedback import BadLine, Feedback, FeedbackEvent, Parsed
from pipeline.core.layout import ExportFormat
from pipeline.core.projects import read_feedback
from pipeline.core.samples import read_samples
from pipeline.core.schema import Sample
from pipeline.core.store import Store
from pipeline.curation.consensus import Consensus, tally

Row = dict[str, Any]

_MESSAGES: Final = List({"role": Value("string"), "content": Value("string")})
_PROVENANCE: Final = {
    "sample_id": Value("string"),
    "topic": Value("string"),
    "perspective": Value("string"),
    "fingerprint": Value("string"),
}
_TYPES: Final = {
    "label": "bool",
    "repeat": "bool",
    "verdict": "bool",
    "rating": "int64",
    "duration_ms": "int64",
    "schema_version": "int64",
}
FEATURES: Final[Mapping[ExportFormat, Features]] = {
    "sft": Features(
        {
            "prompt": _MESSAGES,
            "completion": _MESSAGES,
            "model": Value("string"),
            "completion_id": Value("string"),
            **_PROVENANCE,
        }
    ),
    "preference": Features(
        {
            "prompt": _MESSAGES,
            "chosen": _MESSAGES,
            "rejected": _MESSAGES,
            "votes": Value("int64"),
            "margin": Value("float64"),
            "chosen_model": Value("string"),
            "rejected_model": Value("string"),
            **_PROVENANCE,
        }
    ),
    "kto": Features(
        {
            "prompt": _MESSAGES,
            "completion": _MESSAGES,
            "label": Value("bool"),
            "up": Value("int64"),
            "down": Value("int64"),
            "model": Value("string"),
            "completion_id": Value("string"),
            **_PROVENANCE,
        }
    ),
    "feedback": Features(
        {name: Value(_TYPES.get(name, "string")) for name in FeedbackEvent.model_fields}
    ),
}


@dataclass(frozen=True, slots=True)
class Export:
    """What one export holds.

    Attributes:
        format: Which one.
        rows: How many rows.
        data: The parquet file.
    """

    format: ExportFormat
    rows: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Exports:
    """All exports asked for, and the feedback lines that could not be read."""

    made: tuple[Export, ...]
    bad_lines: tuple[BadLine, ...]


def export(store: Store, formats: Sequence[ExportFormat]) -> Exports:
    """Build exports from the project's samples and feedback as they are now.

    Each is read once, so that all exports tell of the same moment.
    """
    read = list(read_feedback(store))
    feedback = Feedback()
    feedback.add(read)
    consensus = tally(feedback)
    rows: dict[ExportFormat, list[Row]] = {name: [] for name in formats}
    if "feedback" in rows:
        rows["feedback"] = list(_feedback_rows(read))
    training = [name for name in formats if name in _ROWS]
    for sample in read_samples(store) if training else ():
        for name in training:
            rows[name].extend(_ROWS[name](sample, consensus))
    made = [Export(name, len(rows[name]), _parquet(rows[name], FEATURES[name])) for name in formats]
    return Exports(tuple(made), tuple(feedback.bad_lines))


def sft_rows(sample: Sample, consensus: Consensus) -> Iterator[Row]:
    """Every completion that most found good; without thumbs on it, one that won a pair."""
    verdicts = consensus.verdicts(sample.sample_id)
    for completion in sample.completions:
        if verdicts.get(completion.completion_id) is True:
            yield {
                "prompt": _user(sample),
                "completion": _assistant(completion.text),
                "model": completion.model,
                "completion_id": completion.completion_id,
                **_provenance(sample),
            }


def preference_rows(sample: Sample, consensus: Consensus) -> Iterator[Row]:
    """Every pair that has a winner; ``margin`` is its lead as a share of all votes."""
    completions = {completion.completion_id: completion for completion in sample.completions}
    for pair in consensus.pairs.get(sample.sample_id, {}).values():
        winner = pair.winner()
        if winner is None or pair.first not in completions or pair.second not in completions:
            continue
        chosen = completions[winner]
        rejected = completions[pair.second if winner == pair.first else pair.first]
        lead = abs(pair.choices["first"] - pair.choices["second"])
        yield {
            "prompt": _user(sample),
            "chosen": _assistant(chosen.text),
            "rejected": _assistant(rejected.text),
            "votes": pair.votes(),
            "margin": lead / pair.votes(),
            "chosen_model": chosen.model,
            "rejected_model": rejected.model,
            **_provenance(sample),
        }


def kto_rows(sample: Sample, consensus: Consensus) -> Iterator[Row]:
    """Every completion with thumbs that are not tied."""
    thumbs = consensus.thumbs.get(sample.sample_id, {})
    for completion in sample.completions:
        votes = thumbs.get(completion.completion_id)
        if votes is not None and votes.verdict() is not None:
            yield {
                "prompt": _user(sample),
                "completion": _assistant(completion.text),
                "label": votes.verdict(),
                "up": votes.up,
                "down": votes.down,
                "model": completion.model,
                "completion_id": completion.completion_id,
                **_provenance(sample),
            }


_ROWS: Final[Mapping[str, Callable[[Sample, Consensus], Iterator[Row]]]] = {
    "sft": sft_rows,
    "preference": preference_rows,
    "kto": kto_rows,
}


def _feedback_rows(read: Iterable[Parsed]) -> Iterator[Row]:
    """Every event once, also those that others replaced or took back."""
    seen: set[str] = set()
    for item in read:
        if isinstance(item, FeedbackEvent) and item.event_id not in seen:
            seen.add(item.event_id)
            yield item.model_dump()


def files(exports: Exports) -> dict[str, bytes]:
    """Where each export goes in a project."""
    return {layout.export_file(made.format): made.data for made in exports.made}


def _parquet(rows: list[Row], features: Features) -> bytes:
    buffer = io.BytesIO()
    pq.write_table(pa.Table.from_pylist(rows, schema=features.arrow_schema), buffer)
    return buffer.getvalue()


def _user(sample: Sample) -> list[dict[str, str]]:
    return [{"role": "user", "content": sample.instruction}]


def _assistant(text: str) -> list[dict[str, str]]:
    return [{"role": "assistant", "content": text}]


def _provenance(sample: Sample) -> Row:
    return {
        "sample_id": sample.sample_id,
        "topic": sample.topic,
        "perspective": sample.perspective,
        "fingerprint": sample.fingerprint,
    }
