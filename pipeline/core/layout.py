"""Every path in a project, whether a dataset repository or a folder."""

from __future__ import annotations

import re
from datetime import datetime
from pathlib import PurePosixPath
from typing import Final, Literal

from pipeline.core.errors import InvalidInput

CARD: Final = "README.md"
SEED: Final = "seed_data.json"
SEEDS: Final = "seeds"
PROJECT: Final = "project.json"
DOCUMENTS: Final = "documents"
DOCUMENT_LIST: Final = "documents.json"
TEXTS: Final = "texts"
SAMPLES: Final = "samples"
FEEDBACK: Final = "feedback"
RUNS: Final = "runs"
ROUNDS: Final = "rounds"
DATA: Final = "data"
EVALUATION: Final = "evaluation"
TASK_FILE: Final = "evaluation/lighteval_task.py"
"""The exam as LightEval runs it."""
CONTROLS: Final = "controls.json"
INVITATIONS: Final = "invitations.json"

PRIVATE: Final = ".seedbed"
"""Working files of a folder project (lock, staged writes, journal); never part of the dataset."""

ExportFormat = Literal["sft", "preference", "kto", "reward", "spin", "exam", "feedback"]
TRAINING_FORMATS: Final[tuple[ExportFormat, ...]] = (
    "sft",
    "preference",
    "kto",
    "reward",
    "spin",
    "exam",
)
Form = Literal["conversational", "text"]
"""Lists of messages, or plain strings."""
Split = Literal["train", "test"]
SPLITS: Final[tuple[Split, ...]] = ("train", "test")
EXPORT_RECORD: Final = "data/export.json"
"""How the exports were made."""

_UNSAFE = re.compile(r"[^a-zA-Z0-9._-]+")


def document_file(name: str) -> str:
    """A document as it was added."""
    return f"{DOCUMENTS}/{name}"


def document_text(name: str) -> str:
    """The text of a document, in which spans of rows count characters."""
    return f"{TEXTS}/{name}.txt"


def seed_version(name: str) -> str:
    """The saved version of the seed that is called ``name``; see ``pipeline.core.versions``."""
    return f"{SEEDS}/{name}.json"


def sample_shard(run_id: str, index: int) -> str:
    """Shard ``index`` of a generation run."""
    return f"{SAMPLES}/{run_id}/{index:05d}.parquet"


def run_record(run_id: str) -> str:
    """What generation run ``run_id`` did."""
    return f"{RUNS}/{run_id}.json"


def round_file(number: int) -> str:
    """What round ``number`` takes from the votes before it."""
    return f"{ROUNDS}/{number:04d}.json"


def feedback_file(day: datetime, instance: str, sequence: int) -> str:
    """The ``sequence``-th feedback file that server ``instance`` writes.

    The instance is random per process, so two servers never choose the same name.
    """
    return f"{FEEDBACK}/{day:%Y/%m/%d}/{instance}-{sequence:06d}.jsonl"


def export_file(export: ExportFormat, split: Split = "train", index: int = 0, of: int = 1) -> str:
    """Part ``index`` of the ``of`` parquet files of one split of one export.

    ``feedback`` is among the exports because ``datasets`` reads all configs of a repository in one
    file format: its config shows this copy of the JSONL files.
    """
    return f"{export_folder(export)}/{split}-{index:05d}-of-{of:05d}.parquet"


def export_folder(export: ExportFormat) -> str:
    """Where an export's files are."""
    return f"{DATA}/{export}"


def belongs(path: str) -> bool:
    """Tell whether ``path`` is one of a project's own files, and not what else lies in a folder."""
    top, _, rest = path.partition("/")
    if not rest:
        own = (CARD, SEED, PROJECT, CONTROLS, DOCUMENT_LIST)
        return top in own  # invitations are to one project only
    return top in (SEEDS, DOCUMENTS, TEXTS, SAMPLES, FEEDBACK, RUNS, ROUNDS, DATA, EVALUATION)


def safe_name(text: str) -> str:
    """Make a file-name part out of any text: ASCII letters, digits, ``.``, ``_`` and ``-``."""
    return _UNSAFE.sub("-", text).strip("-.")[:80] or "x"


def checked(path: str) -> str:
    """Return ``path`` if it is a plain relative path inside the project.

    Raises:
        InvalidInput: The path is absolute, climbs out, or names a working file.
    """
    parts = PurePosixPath(path).parts
    bad = (
        not parts
        or path != "/".join(parts)
        or parts[0] in ("/", PRIVATE)
        or any(part in (".", "..") or "\\" in part or "\0" in part for part in parts)
    )
    if bad:
        raise InvalidInput(
            f"{path!r} is not a file path inside a project.",
            "Use a relative path with forward slashes, such as documents/guide.txt.",
        )
    return path
