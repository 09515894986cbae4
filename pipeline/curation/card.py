"""The dataset card: its YAML tells ``load_dataset`` where each config is, its text tells people."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Any, Final

from huggingface_hub import DatasetCard
from yaml import YAMLError

from pipeline.core import layout
from pipeline.core.errors import Conflict, FileMissing, InvalidInput
from pipeline.core.flags import Flag
from pipeline.core.projects import load_seed
from pipeline.core.samples import model_names, open_parquet
from pipeline.core.schema import LANGUAGES, STAND_INS, Seed
from pipeline.core.store import ABSENT, Content, Store
from pipeline.curation.history import judges
from pipeline.curation.rounds import round_numbers

_BEGIN: Final = "<!-- written by Seedbed: begin -->"
_END: Final = "<!-- written by Seedbed: end -->"
_OURS: Final = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)

_ATTEMPTS: Final = 5
_MOST_FLAGS: Final = 20
_FLAGS: Final = "flags.list.element"
_RATING: Final = "completions.list.element.judge_rating"

_PATTERNS: Final = {
    "samples": f"{layout.SAMPLES}/**/*.parquet",
    **{
        name: f"{layout.DATA}/{name}/*.parquet" for name in ("feedback", "sft", "preference", "kto")
    },
}
_HOLDS: Final = {
    "samples": "instructions with two or more completions and where they come from",
    "feedback": "every judgement ever given, as of the last export",
    "sft": "accepted completions, for supervised fine-tuning",
    "preference": "chosen and rejected completions, for DPO or ORPO",
    "kto": "completions labelled good or not good, for KTO",
}


@dataclass(frozen=True, slots=True)
class Facts:
    """What a project holds, as far as its card tells it.

    Attributes:
        rows: Rows of each config.
        models: Those that wrote completions.
        rated: Completions with a judge's rating.
        judges: Models that judged in runs whose record is there.
        flags: Samples that carry each flag, the most frequent first.
        rounds: The numbers of the rounds that built on votes.
    """

    rows: Mapping[str, int]
    models: Collection[str] = ()
    rated: int = 0
    judges: Collection[str] = ()
    flags: Mapping[str, int] = field(default_factory=dict)
    rounds: Collection[int] = ()


def card(name: str, seed: Seed, facts: Facts, old: bytes) -> bytes:
    """The card of project ``name`` that holds ``facts``.

    A config without rows is left out: ``datasets`` cannot load an empty one. Whatever a person
    wrote into ``old``, in its text or its YAML, is kept: only the part between our two marks and
    our own YAML keys are written anew.
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
    present = [config for config in _PATTERNS if facts.rows.get(config)]
    # datasets reads every config with the builder that the first one needs, so all are parquet.
    data["configs"] = [{"config_name": c, "data_files": _PATTERNS[c]} for c in present]
    if present:
        data["configs"][0]["default"] = True
    else:
        del data["configs"]
    data["pretty_name"] = _flat(seed.domain) or name
    data["language"] = [seed.language.split("-")[0]]
    tags = data.get("tags") or []
    tags = [tags] if isinstance(tags, str) else tags
    data["tags"] = sorted({*tags, "seedbed", "synthetic", "human-feedback"})
    body = _body(name, seed, facts, {config: facts.rows[config] for config in present})
    text = was.text
    text = _OURS.sub(lambda _: body, text) if _OURS.search(text) else f"{body}\n\n{text}"
    return (_front_matter(data) + text.strip() + "\n").encode()


def update_card(store: Store) -> None:
    """Write the card anew from what the project holds now; does nothing if nothing changed."""
    for _ in range(_ATTEMPTS):
        try:
            old = store.read(layout.CARD)
        except FileMissing:
            old = Content(b"", "")
        seed = load_seed(store).seed
        text = card(store.name, seed, read_facts(store), old.data)
        try:
            store.commit(
                {layout.CARD: text},
                message="Update the card",
                expect={layout.CARD: old.etag or ABSENT},
            )
        except Conflict:
            continue  # somebody wrote to the card meanwhile; start from their text
        return
    raise Conflict(layout.CARD)


def read_facts(store: Store) -> Facts:
    """Read what the card tells; of samples only the columns that it takes."""
    flags: Counter[str] = Counter()
    rated = 0
    folder = store.checkout(layout.SAMPLES)
    for path in (folder / layout.SAMPLES).rglob("*.parquet"):
        for batch in open_parquet(path).iter_batches(columns=[_FLAGS, _RATING]):
            for marks in batch["flags"].to_pylist():
                flags.update({Flag.parse(mark).name for mark in marks or ()})
            for completions in batch["completions"].to_pylist():
                rated += sum(one["judge_rating"] is not None for one in completions)
    return Facts(
        rows=_rows(store),
        models=model_names(store),
        rated=rated,
        judges=judges(store) if rated else (),
        flags=dict(sorted(flags.items(), key=lambda item: (-item[1], item[0]))),
        rounds=round_numbers(store),
    )


def _rows(store: Store) -> dict[str, int]:
    """Rows of each config, from the files' footers."""
    counts = {}
    for config, pattern in _PATTERNS.items():
        folder = pattern.split("/*")[0]
        files = (store.checkout(folder) / folder).rglob("*.parquet")
        counts[config] = sum(open_parquet(path).metadata.num_rows for path in files)
    return counts


def _front_matter(data: dict[str, Any]) -> str:
    shell = DatasetCard("---\n{}\n---\n")
    for key, value in data.items():
        setattr(shell.data, key, value)
    return f"---\n{shell.data.to_yaml()}\n---\n\n"


def _body(name: str, seed: Seed, facts: Facts, rows: Mapping[str, int]) -> str:
    lines = [_BEGIN, f"# {_plain(seed.domain or name)}", ""]
    if seed.description.strip():
        lines += [_plain(seed.description), ""]
    lines += [
        f"Language: {LANGUAGES.get(seed.language, seed.language)}. "
        f"{len(seed.topics)} topics, {len(seed.perspectives)} perspectives, "
        f"{len(seed.examples)} examples by domain experts.",
        "",
    ]
    if facts.models:
        lines += ["Completions were written by:", ""]
        lines += [
            f"- `{_plain(model)}`"
            + (" (no language model: text composed from the seed)" if model in STAND_INS else "")
            for model in sorted(facts.models)
        ]
        lines.append("")
    lines += _quality(facts)
    if rows:
        lines += ["| config | rows | holds |", "|---|---:|---|"]
        lines += [f"| `{config}` | {count} | {_HOLDS[config]} |" for config, count in rows.items()]
        lines += [
            "",
            "```python",
            "from datasets import load_dataset",
            "",
            f'rows = load_dataset("{name}", "{list(rows)[-1]}", split="train")',
            "```",
            "",
        ]
    lines += [
        "Judgements are in `feedback/` as they came, one JSON object a line; none is ever changed.",
        "",
        "Text in this dataset was generated and has only been checked where feedback says so.",
        _END,
    ]
    return "\n".join(lines)


def _quality(facts: Facts) -> list[str]:
    """Ratings, rounds and flags, each only if there is any."""
    lines = []
    if facts.rated:
        by = " and ".join(f"`{_plain(name)}`" for name in facts.judges) or "a judge"
        kind = "language models" if len(facts.judges) > 1 else "a language model"
        lines += [f"{facts.rated} completions are rated by {by}, {kind}, not by people.", ""]
    if facts.rounds:
        numbers = ", ".join(map(str, facts.rounds))
        kind = "Round" if len(facts.rounds) == 1 else "Rounds"
        lines += [f"{kind} {numbers} built on the judgements given before, in `rounds/`.", ""]
    if facts.flags:
        lines += ["Rules marked samples in their column `flags`:", ""]
        lines += [
            f"- `{_plain(name)}`: {count} ({_plain(Flag(name).reason)})"
            for name, count in list(facts.flags.items())[:_MOST_FLAGS]
        ]
        lines.append("")
    return lines


def _flat(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    """One line of text that Markdown and HTML take as text."""
    marked = re.sub(r"([\\`*_\[\]|#])", r"\\\1", _flat(text))
    return marked.replace("<", "&lt;").replace(">", "&gt;")
