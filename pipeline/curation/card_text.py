"""The words of a dataset card.

Figures are tables with bars of block characters: they are seen wherever Markdown is, in dark and
light, and read by a screen reader, and a repository needs no pictures for them.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pipeline.core.flags import Flag
from pipeline.core.layout import ExportFormat
from pipeline.core.runs import RunRecord
from pipeline.core.schema import LANGUAGES, STAND_INS, Project, Seed, normalized
from pipeline.curation import advice
from pipeline.curation.card_facts import CONFIGS, Facts
from pipeline.curation.owned import Paragraph, paragraphs
from pipeline.curation.record import Made, People, TopicFacts, balance, enough

_MOST_LINES: Final = 20
_MOST_TOPICS: Final = 60
_BAR: Final = 20
"""Characters of the longest bar."""

HOLDS: Final = {
    "samples": "instructions with two or more completions and where they come from",
    "feedback": "every judgement ever given, as of the last export",
    "sft": "accepted completions and what people wrote, for supervised fine-tuning",
    "preference": "chosen and rejected completions, for DPO or ORPO",
    "kto": "completions labelled good or not good, for KTO",
    "reward": "chosen and rejected conversations, for a reward model",
    "spin": "what people wrote against what models wrote, for SPIN",
    "exam": "reviewed exam questions with one answer and its distractors",
}
_NEEDS: Final = {
    "sft": "a completion that people found good, or an edit",
    "preference": "a pair with a winner, or an edit",
    "kto": "a thumb or a pair with a winner",
    "reward": "a pair with a winner, or an edit",
    "spin": "an edit, or an expert's example that models answered as well",
    "exam": "a reviewed exam question",
}
LEFT_OUT: Final = {
    "min_votes": "too few votes",
    "min_agreement": "too little agreement",
    "min_judge": "the judge's rating",
    "without_flag": "a mark",
    "model": "another model",
    "topic": "another topic",
    "near_test": "nearly a test instruction",
}
_RUN_COUNTS: Final = ("calls", "tokens_in", "tokens_out", "samples", "missing")


def sections(name: str, seed: Seed, project: Project, facts: Facts) -> Iterator[Paragraph]:
    """All paragraphs of ours, in order."""
    people = facts.record.people if facts.record else People()
    yield from paragraphs("about", _about(name, seed))
    yield from paragraphs("made", _made(facts))
    yield from paragraphs("coverage", _coverage(facts, people))
    yield from paragraphs("people", _people(project, people))
    yield from paragraphs("configs", _configs(name, facts))
    yield from paragraphs("training", _training(facts))
    yield from paragraphs("limits", _limits(facts))


def _about(name: str, seed: Seed) -> Iterator[str]:
    yield f"# {plain(seed.domain or name)}"
    if seed.description.strip():
        yield plain(seed.description)
    yield (
        f"Language: {LANGUAGES.get(seed.language, seed.language)}. "
        f"{len(seed.topics)} topics, {len(seed.perspectives)} perspectives, "
        f"{len(seed.examples)} examples by domain experts."
    )


def _made(facts: Facts) -> Iterator[str]:
    if facts.models:
        yield "## How it was made"
        yield "Completions were written by:"
        rows = [
            (
                f"{code(model)}"
                + (" (no language model: text composed from the seed)" * (model in STAND_INS)),
                count,
            )
            for model, count in facts.models.items()
        ]
        yield _bars("model", "completions", rows)
    if facts.rated:
        judges = facts.history.judges()
        by = " and ".join(f"{code(judge)}" for judge in judges) or "a judge"
        kind = "language models" if len(judges) > 1 else "a language model"
        yield f"{facts.rated} completions are rated by {by}, {kind}, not by people."
    yield from _runs(facts)
    if facts.history.rounds:
        numbers = [str(one.number) for one in facts.history.rounds]
        kind = "Round" if len(numbers) == 1 else "Rounds"
        yield f"{kind} {', '.join(numbers)} built on the judgements given before, in `rounds/`."
    if facts.flags:
        yield "Rules marked samples in their column `flags`:"
        yield "\n".join(
            f"- {code(name)}: {count} ({plain(Flag(name).reason)})"
            for name, count in list(facts.flags.items())[:_MOST_LINES]
        )


def _runs(facts: Facts) -> Iterator[str]:
    records = [run.record for run in facts.history.runs]
    if records:
        told = {name: sum(getattr(one, name) for one in records) for name in _RUN_COUNTS}
        yield (
            f"{len(records)} {'run' if len(records) == 1 else 'runs'} of generation made "
            f"{told['samples']:,} samples with {told['calls']:,} calls, {told['tokens_in']:,} "
            f"tokens in and {told['tokens_out']:,} out: {facts.history.price()}. Each run's record "
            "is in `runs/`."
        )
        yield from _lost(records, told["missing"])
    prints = list(facts.fingerprints.items())
    if prints:
        few = ", ".join(f"{code(one)} ({count:,})" for one, count in prints[:_MOST_LINES])
        more = f" and {len(prints) - _MOST_LINES} more" if len(prints) > _MOST_LINES else ""
        yield (
            "A fingerprint stands for the prompts, models, parameters and seed of a row: "
            f"{few}{more}."
        )


def _lost(records: Sequence[RunRecord], missing: int) -> Iterator[str]:
    failed: Counter[str] = Counter()
    dropped: Counter[str] = Counter()
    for record in records:
        for one in record.failures:
            failed[f"{one.stage} {one.kind}"] += one.count
        dropped.update(record.dropped)
    lines = [f"- failed, {plain(kind)}: {count:,}" for kind, count in failed.most_common()]
    lines += [f"- dropped as {code(kind)}: {count:,}" for kind, count in dropped.most_common()]
    if lines:
        yield f"Not in the dataset ({missing:,} samples were given up):"
        yield "\n".join(lines[:_MOST_LINES])


def _coverage(facts: Facts, people: People) -> Iterator[str]:
    grid = facts.coverage
    if not facts.samples:
        return
    cells = [count for row in grid.counts for count in row]
    yield "## What it covers"
    yield (
        f"{sum(map(bool, cells)):,} of {len(cells):,} cells (a topic from a perspective) have "
        f"samples."
    )
    said: dict[str, TopicFacts] = {}
    for topic, figures in people.topics.items():
        so_far = said.get(normalized(topic), TopicFacts())
        said[normalized(topic)] = TopicFacts(
            samples=so_far.samples + figures.samples,
            judged=so_far.judged + figures.judged,
            accepted=so_far.accepted + figures.accepted,
        )
    most = max(map(sum, grid.counts), default=0)
    head = "| topic | samples | |" + (" judged | accepted |" if said else "")
    rule = "|---|---:|---|" + ("---:|---:|" if said else "")
    lines = [head, rule]
    for topic, row in list(zip(grid.topics, grid.counts, strict=True))[:_MOST_TOPICS]:
        line = f"| {plain(topic)} | {sum(row):,} | {_bar(sum(row), most)} |"
        if said:
            about = said.get(normalized(topic), TopicFacts())
            line += f" {about.judged:,} | {about.accepted:,} |"
        lines.append(line)
    yield "\n".join(lines)
    if len(grid.topics) > _MOST_TOPICS:
        yield f"{len(grid.topics) - _MOST_TOPICS} more topics are not shown."


def _people(project: Project, people: People) -> Iterator[str]:
    if not people.annotators:
        return
    yield "## What people said"
    kind = "person" if people.annotators == 1 else "people"
    tasks = ", ".join(f"{count:,} {task}" for task, count in people.judgements.items())
    yield f"{people.annotators:,} {kind} gave {tasks}, as of the last export."
    if project.access.pseudonyms:
        yield "Their names are not in the dataset."
    elif people.names:
        rows = [(plain(name), count) for name, count in list(people.names.items())[:_MOST_LINES]]
        yield _bars("annotator", "judgements", rows)
    if people.agreement:
        yield "How far that can be trusted:"
        yield "\n".join(f"- {plain(one)}" for one in people.agreement)
    if people.disputed:
        yield f"On {people.disputed:,} samples they differ and nobody has decided yet."
    yield (
        "Judgements are in `feedback/` as they came, one JSON object a line; none is ever changed."
    )


def _configs(name: str, facts: Facts) -> Iterator[str]:
    if facts.configs:
        yield "## What it holds"
        lines = ["| config | rows | train | test | holds |", "|---|---:|---:|---:|---|"]
        for config, held in facts.configs.items():
            rows = held.rows
            lines.append(
                f"| `{config}` | {held.total()} | {rows.get('train', 0)} | {rows.get('test', 0)} "
                f"| {HOLDS[config]} |"
            )
        yield "\n".join(lines)
        last, held = list(facts.configs.items())[-1]
        yield (
            "```python\nfrom datasets import load_dataset\n\n"
            f'rows = load_dataset("{name}", "{last}", split="{next(iter(held.rows))}")\n```'
        )
    missing = [config for config in CONFIGS[2:] if config not in facts.configs]
    if missing:
        yield (
            "A config without rows is not listed, and `load_dataset` does not know it. "
            "Not yet here, and what brings the first row, with the next export:"
        )
        yield "\n".join(f"- `{config}`: {_NEEDS[config]}" for config in missing)
    if facts.record and any(config in facts.configs for config in CONFIGS[2:]):
        yield (
            f"About {facts.record.test_share:.0%} of the instructions are in `test`. Instructions "
            "that are the same or nearly the same share a group (column `group`), as do exam "
            "questions from one document, and a group is in one split in every config; a hash "
            "decides, so that it stays there as the dataset grows. What is nearly in `test` is "
            "left out of `train`."
        )
        yield from _removed(facts.record.made)


def _removed(made: Mapping[ExportFormat, Made]) -> Iterator[str]:
    lines = []
    for config, one in made.items():
        if one.removed:
            told = ", ".join(
                f"{count:,} for {LEFT_OUT.get(name, plain(name))}"
                for name, count in one.removed.items()
            )
            lines.append(f"- `{config}`: {told}")
    if lines:
        yield "Rows that were left out:"
        yield "\n".join(lines)


def _training(facts: Facts) -> Iterator[str]:
    if facts.record is None:
        return
    weights = balance(facts.record)
    sizes = [one for one in enough(facts.record) if one.rows]
    if not sizes and weights is None:
        return
    yield "## To train on it"
    if sizes:
        lines = ["| for | config | rows in train | published as enough | missing |"]
        lines += ["|---|---|---:|---:|---:|"]
        lines += [
            f"| {one.way} | `{one.export}` | {one.rows:,} | {one.wanted:,} | {one.missing:,} |"
            for one in sizes
        ]
        yield "\n".join(lines)
    if weights is not None:
        yield weighing(weights)


def weighing(weights: advice.Balance) -> str:
    """Classes and weights of ``kto`` in a sentence."""
    told = f"`kto` has {weights.good:,} good and {weights.bad:,} not good completions in train"
    if weights.desirable_weight is None:
        return f"{told}: KTO needs both."
    return (
        f"{told}. With `desirable_weight` {weights.desirable_weight:g} and `undesirable_weight` "
        f"{weights.undesirable_weight:g} they weigh 7 to 6, in the range of 1 to 4/3 that the "
        "authors of [KTO](https://huggingface.co/papers/2402.01306) (equation 8) recommend."
        if (weights.desirable_weight, weights.undesirable_weight) != (1.0, 1.0)
        else f"{told}, in the range of 1 to 4/3 that the authors of "
        "[KTO](https://huggingface.co/papers/2402.01306) (equation 8) recommend: both weights are "
        "1."
    )


def _limits(facts: Facts) -> Iterator[str]:
    yield "## Limits"
    yield "Text in this dataset was generated and has only been checked where feedback says so."
    if facts.record and any(
        one.filters.get("min_votes", 1) == 1 for one in facts.record.made.values()
    ):
        yield "One person's vote is enough for a row: see its columns `votes` and `agreement`."


def _bars(what: str, counted: str, rows: Sequence[tuple[str, int]]) -> str:
    most = max((count for _, count in rows), default=0)
    lines = [f"| {what} | {counted} | |", "|---|---:|---|"]
    lines += [f"| {label} | {count:,} | {_bar(count, most)} |" for label, count in rows]
    return "\n".join(lines)


def _bar(count: int, most: int) -> str:
    return "█" * max(round(_BAR * count / most), 1 if count else 0) if most else ""


def flat(text: str) -> str:
    """One line."""
    return " ".join(text.split())


def plain(text: str) -> str:
    """One line of text that Markdown and HTML take as text."""
    marked = re.sub(r"([\\`*_\[\]|#])", r"\\\1", flat(text))
    return marked.replace("<", "&lt;").replace(">", "&gt;")


def code(text: str) -> str:
    """One line as a span of code, also inside a table."""
    return f"`{flat(text).replace('`', chr(39)).replace('|', chr(92) + '|')}`"
