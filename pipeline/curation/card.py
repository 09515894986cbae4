"""The dataset card: its YAML tells ``load_dataset`` where each config is, its text tells people."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from huggingface_hub import DatasetCard
from yaml import YAMLError

from pipeline.core import layout
from pipeline.core.errors import Conflict, FileMissing, InvalidInput
from pipeline.core.schema import Project, Seed
from pipeline.core.store import ABSENT, Content, Data, Store
from pipeline.curation import owned
from pipeline.curation.card_facts import CONFIGS, ConfigFacts, Facts, read_facts
from pipeline.curation.card_text import flat, sections
from pipeline.curation.record import ExportRecord

_ATTEMPTS: Final = 5
_SIZES: Final = (
    (1_000, "n<1K"),
    (10_000, "1K<n<10K"),
    (100_000, "10K<n<100K"),
    (1_000_000, "100K<n<1M"),
    (10_000_000, "1M<n<10M"),
)
_LARGEST: Final = "10M<n<100M"


def card(name: str, seed: Seed, project: Project, facts: Facts, old: bytes) -> bytes:
    """The card of project ``name`` that holds ``facts``.

    A config without rows is left out: ``datasets`` cannot load an empty one. Whatever a person
    wrote into ``old``, in its text or its YAML, is kept: only our paragraphs and our own YAML keys
    are written anew. The licence is the lead's setting, or else the one that the card has.
    """
    text = old.decode("utf-8", errors="replace")
    text = text if text.startswith("---") else f"---\n{{}}\n---\n{text}"
    try:
        was = DatasetCard(text, ignore_metadata_errors=True)
    except (YAMLError, ValueError) as error:
        raise InvalidInput(
            f"The YAML at the top of {layout.CARD} cannot be read: {' '.join(str(error).split())}.",
            "Correct it; nothing in it was changed.",
        ) from error
    data: dict[str, Any] = was.data.to_dict()  # type: ignore[no-untyped-call]
    _tell_configs(data, facts.configs)
    data["pretty_name"] = flat(seed.domain) or name
    data["language"] = [seed.language.split("-")[0]]
    data["tags"] = sorted({*_listed(data.get("tags")), "seedbed", "synthetic", "human-feedback"})
    data["task_categories"] = _listed(data.get("task_categories")) or ["text-generation"]
    if facts.samples:
        data["size_categories"] = [_size(facts.samples)]
    if project.card.licence is not None:
        data["license"] = project.card.licence
    body = owned.merge(was.text, list(sections(name, seed, project, facts)))
    return (_front_matter(data) + body.strip() + "\n").encode()


@dataclass(frozen=True, slots=True)
class Change:
    """What a commit does besides writing the card.

    Attributes:
        files: What to write.
        remove: What to remove.
        record: Among ``files``, if new exports are.
    """

    files: Mapping[str, Data] = field(default_factory=dict)
    remove: Collection[str] = ()
    record: ExportRecord | None = None


def update_card(store: Store) -> None:
    """Write the card anew from what the project holds now; does nothing if nothing changed."""
    commit_with_card(store, Change, message="Update the card")


def commit_with_card(store: Store, change: Callable[[], Change], *, message: str) -> None:
    """Commit a change together with the card that tells of it.

    Args:
        store: The project.
        change: Asked again if somebody wrote to the card or exported meanwhile, because what is to
            be removed, and what the card tells, depends on what is there.
        message: Of the commit.

    Raises:
        Conflict: Others write to the card or export faster than we can.
    """
    for _ in range(_ATTEMPTS):
        # Before all else is read, so that whatever comes after it is a conflict.
        old, record = _content(store, layout.CARD), _content(store, layout.EXPORT_RECORD)
        new = change()
        facts = read_facts(store, new.record)
        text = card(store.name, facts.seed, facts.project, facts, old.data if old else b"")
        try:
            store.commit(
                {**new.files, layout.CARD: text},
                message=message,
                expect={
                    layout.CARD: old.etag if old else ABSENT,
                    layout.EXPORT_RECORD: record.etag if record else ABSENT,
                },
                remove=new.remove,
            )
        except Conflict:
            continue
        return
    raise Conflict(layout.CARD)


def _content(store: Store, path: str) -> Content | None:
    try:
        return store.read(path)
    except FileMissing:
        return None


def _tell_configs(data: dict[str, Any], configs: Mapping[str, ConfigFacts]) -> None:
    """Ours anew, whatever else a person listed behind them.

    ``dataset_info`` is told of exports only: they are committed together with the card. Samples
    grow by themselves, and ``datasets`` refuses files that hold more rows than were told.
    """
    theirs = [
        entry
        for entry in data.get("configs") or ()
        if isinstance(entry, dict) and entry.get("config_name") not in CONFIGS
    ]
    # datasets reads every config with the builder that the first one needs, so all are parquet.
    ours: list[dict[str, Any]] = [
        {"config_name": name, "data_files": facts.data_files()} for name, facts in configs.items()
    ]
    if ours:
        ours[0]["default"] = True
    _put(data, "configs", [*ours, *theirs])
    told = data.get("dataset_info") or ()
    other = [
        entry
        for entry in ([told] if isinstance(told, dict) else told)
        if isinstance(entry, dict) and entry.get("config_name") not in (*CONFIGS, None)
    ]
    infos = [facts.info(name) for name, facts in configs.items() if facts.columns is not None]
    _put(data, "dataset_info", [*infos, *other])


def _put(data: dict[str, Any], key: str, value: list[Any]) -> None:
    if value:
        data[key] = value
    else:
        data.pop(key, None)


def _listed(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [str(one) for one in value] if isinstance(value, list) else []


def _size(rows: int) -> str:
    return next((name for most, name in _SIZES if rows < most), _LARGEST)


def _front_matter(data: dict[str, Any]) -> str:
    shell = DatasetCard("---\n{}\n---\n")
    for key, value in data.items():
        setattr(shell.data, key, value)
    return f"---\n{shell.data.to_yaml()}\n---\n\n"
