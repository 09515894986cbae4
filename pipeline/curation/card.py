"""The dataset card: its YAML tells ``load_dataset`` where each config is, its text tells people."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Any, Final

from huggingface_hub import DatasetCard
from yaml import YAMLError

from pipeline.core import layout
from pipeline.core.errors import Conflict, FileMissing, InvalidInput
from pipeline.core.projects import load_seed
from pipeline.core.samples import model_names, open_parquet
from pipeline.core.schema import LANGUAGES, STAND_INS, Seed
from pipeline.core.store import ABSENT, Content, Store

_BEGIN: Final = "<!-- written by Seedbed: begin -->"
_END: Final = "<!-- written by Seedbed: end -->"
_OURS: Final = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)

_ATTEMPTS: Final = 5

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


def card(
    name: str, seed: Seed, rows: Mapping[str, int], models: Collection[str], old: bytes
) -> bytes:
    """The card of project ``name`` whose configs hold ``rows``.

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
    present = [config for config in _PATTERNS if rows.get(config)]
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
    body = _body(name, seed, {config: rows[config] for config in present}, models)
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
        text = card(store.name, seed, _rows(store), model_names(store), old.data)
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


def _body(
    name: str,
    seed: Seed,
    rows: Mapping[str, int],
    models: Collection[str],
) -> str:
    lines = [_BEGIN, f"# {_plain(seed.domain or name)}", ""]
    if seed.description.strip():
        lines += [_plain(seed.description), ""]
    lines += [
        f"Language: {LANGUAGES.get(seed.language, seed.language)}. "
        f"{len(seed.topics)} topics, {len(seed.perspectives)} perspectives, "
        f"{len(seed.examples)} examples by domain experts.",
        "",
    ]
    if models:
        lines += ["Completions were written by:", ""]
        lines += [
            f"- `{_plain(model)}`"
            + (" (no language model: text composed from the seed)" if model in STAND_INS else "")
            for model in sorted(models)
        ]
        lines.append("")
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


def _flat(text: str) -> str:
    return " ".join(text.split())


def _plain(text: str) -> str:
    """One line of text that Markdown and HTML take as text."""
    marked = re.sub(r"([\\`*_\[\]|#])", r"\\\1", _flat(text))
    return marked.replace("<", "&lt;").replace(">", "&gt;")
