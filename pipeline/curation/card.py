"""The dataset card: its YAML tells ``load_dataset`` where each config is, its text tells people."""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Any, Final

from huggingface_hub import DatasetCard

from pipeline.core import layout
from pipeline.core.errors import Conflict, FileMissing
from pipeline.core.projects import load_seed
from pipeline.core.samples import model_names
from pipeline.core.schema import LANGUAGES, STAND_INS, Seed
from pipeline.core.store import ABSENT, Content, Store

_BEGIN: Final = "<!-- written by Seedbed: begin -->"
_END: Final = "<!-- written by Seedbed: end -->"
_OURS: Final = re.compile(f"{re.escape(_BEGIN)}.*?{re.escape(_END)}", re.DOTALL)

_ATTEMPTS: Final = 5

_CONFIGS: Final[tuple[tuple[str, str, str, str], ...]] = (
    # name, folder that must hold files, pattern, what it is
    (
        "samples",
        f"{layout.SAMPLES}/",
        f"{layout.SAMPLES}/**/*.parquet",
        "instructions with two or more completions and where they come from",
    ),
    (
        "feedback",
        f"{layout.DATA}/feedback/",
        f"{layout.DATA}/feedback/*.parquet",
        "every judgement ever given, as of the last export",
    ),
    (
        "sft",
        f"{layout.DATA}/sft/",
        f"{layout.DATA}/sft/*.parquet",
        "accepted completions, for supervised fine-tuning",
    ),
    (
        "preference",
        f"{layout.DATA}/preference/",
        f"{layout.DATA}/preference/*.parquet",
        "chosen and rejected completions, for DPO or ORPO",
    ),
    (
        "kto",
        f"{layout.DATA}/kto/",
        f"{layout.DATA}/kto/*.parquet",
        "completions labelled good or not good, for KTO",
    ),
)


def card(
    name: str, seed: Seed, paths: Collection[str], models: Collection[str], old: bytes
) -> bytes:
    """The card of project ``name`` that holds the files ``paths``.

    Whatever a person wrote into ``old``, in its text or its YAML, is kept: only the part between
    our two marks and our own YAML keys are written anew.
    """
    was = DatasetCard(old.decode("utf-8", errors="replace"), ignore_metadata_errors=True)
    data: dict[str, Any] = was.data.to_dict()  # type: ignore[no-untyped-call]
    present = [c for c in _CONFIGS if any(path.startswith(c[1]) for path in paths)]
    data["configs"] = [
        {"config_name": config, "data_files": pattern, **({"default": True} if first else {})}
        for first, (config, _, pattern, _) in zip([True] + [False] * 9, present, strict=False)
    ]
    if not data["configs"]:
        del data["configs"]
    data.setdefault("pretty_name", seed.domain or name)
    data.setdefault("language", [seed.language.split("-")[0]])
    data["tags"] = sorted({*(data.get("tags") or []), "seedbed", "synthetic", "human-feedback"})
    body = _body(name, seed, present, models)
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
        paths = [file.path for file in store.files()]
        text = card(store.name, load_seed(store).seed, paths, model_names(store), old.data)
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


def _front_matter(data: dict[str, Any]) -> str:
    shell = DatasetCard("---\n{}\n---\n")
    for key, value in data.items():
        setattr(shell.data, key, value)
    return f"---\n{shell.data.to_yaml()}\n---\n\n"


def _body(
    name: str,
    seed: Seed,
    present: list[tuple[str, str, str, str]],
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
    if present:
        lines += ["| config | holds |", "|---|---|"]
        lines += [f"| `{config}` | {what} |" for config, _, _, what in present]
        lines += [
            "",
            "```python",
            "from datasets import load_dataset",
            "",
            f'rows = load_dataset("{name}", "{present[-1][0]}", split="train")',
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


def _plain(text: str) -> str:
    """One line of text that Markdown and HTML take as text."""
    flat = " ".join(text.split())
    return re.sub(r"([\\`*_\[\]<>|#])", r"\\\1", flat).replace("\\<", "&lt;").replace("\\>", "&gt;")
