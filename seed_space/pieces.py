"""Pieces of HTML that say how things stand; every text from outside is escaped here."""

from __future__ import annotations

import html
import shlex
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

from pipeline.core.checks import Level, Problem
from pipeline.core.errors import SeedbedError
from pipeline.core.schema import (
    STAND_INS,
    Cell,
    Completion,
    GenerationSettings,
    ModelChoice,
    Sample,
    Seed,
)
from pipeline.core.settings import Settings
from pipeline.generation.chain import Failure
from pipeline.generation.known import Origin
from pipeline.generation.prompting import Messages, Prompts
from pipeline.web.markup import to_html
from pipeline.web.serve import error_note
from seed_space.changes import Change
from seed_space.screen import STEP_OF
from seed_space.tabs import NAME_OF


def problems(found: Iterable[Problem]) -> str:
    """What is wrong with one step, shown on it."""
    items = "".join(f"<li>{html.escape(problem.message)}</li>" for problem in found)
    return f'<ul class="sb-problems" role="status">{items}</ul>' if items else ""


def summary(changes: Sequence[Change] | None, found: Sequence[Problem], *, first: bool) -> str:
    """What saving would do (None: nothing, as it is) and what stands in the way."""
    parts = [_problem_group(level, title, found) for level, title in _LEVELS.items()]
    if changes:
        title = "This will be the first version" if first else "What changes"
        items = "".join(_change(change) for change in changes)
        parts.append(f'<h3>{title}</h3><ul class="sb-changes">{items}</ul>')
    elif changes is not None:
        text = "Nothing is written yet." if first else "Nothing differs from the saved version."
        parts.append(f'<p class="sb-quiet">{text}</p>')
    return "".join(parts)


def saved(settings: Settings, at: datetime) -> str:
    """That it worked, and what comes next."""
    name = shlex.quote(settings.project)
    if settings.on_space:
        link = html.escape(f"{settings.hub}/spaces/{settings.project}-annotate", quote=True)
        annotate = f'<a href="{link}" target="_blank" rel="noopener">the Annotate Space</a>'
    else:
        annotate = f"the Annotate Space (<code>python -m pipeline serve {html.escape(name)}</code>)"
    return (
        f'<div class="sb-note good" role="status"><strong>Saved {_time(at)}</strong></div>'
        '<div class="sb-next"><h3>What comes next</h3><ol>'
        "<li>Grow the samples. Whoever runs the computers does this with "
        f"<pre><code>python -m pipeline generate {html.escape(name)}</code></pre></li>"
        f"<li>Judge them in {annotate}.</li></ol></div>"
    )


def nothing_to_save() -> str:
    """That the saved version is what is on the screen."""
    return '<div class="sb-note" role="status">This is already the saved version.</div>'


def not_saved(error: SeedbedError) -> str:
    """Why nothing was written."""
    return error_note(error)


def conflict(*, choose: Sequence[str] = ()) -> str:
    """That somebody else was faster; ``choose`` names fields that still need a choice."""
    text = (
        "Somebody else saved meanwhile. Nothing was overwritten, and everything you typed is still "
        "here. Choose for each part which version to keep, then save again."
    )
    if choose:
        text = f"Choose a version first for: {', '.join(choose)}."
    return f'<div class="sb-note warn" role="alert">{html.escape(text)}</div>'


def card(sample: Sample, seed: Seed, settings: GenerationSettings) -> str:
    """A sample as the annotators will see it, with what was sent for it."""
    writer = settings.for_instructions().model
    answers = "".join(
        f'<h3 class="label">Answer{_number(index, sample)} '
        f'<span class="model">{html.escape(completion.model)}</span></h3>'
        f'<div class="sb-prose">{to_html(completion.text)}</div>{_rating(completion)}'
        for index, completion in enumerate(sample.completions)
    )
    cell = Cell(topic=sample.topic, perspective=sample.perspective)
    prompts, origin = Prompts(seed), Origin.of(sample)
    number = origin.ask + 1 if origin else 1
    asked = prompts.instructions(cell, settings.instructions_per_call, [], number)
    return (
        f'<p class="where">{html.escape(sample.topic)} · {html.escape(sample.perspective)}</p>'
        f'<h3 class="label">Instruction <span class="model">{html.escape(writer)}</span></h3>'
        f'<div class="sb-prose instruction">{to_html(sample.instruction)}</div>{answers}'
        "<details><summary>The exact messages that were sent</summary>"
        f"<h4>To write the instruction</h4>{_messages(asked)}"
        f"<h4>To answer it</h4>{_messages(prompts.answer(cell, sample.instruction))}"
        "</details>"
    )


def _rating(completion: Completion) -> str:
    """What the judge says, if there is one."""
    if completion.judge_rating is None:
        return ""
    why = html.escape(completion.judge_rationale or "")
    return f'<p class="where">Judge: {completion.judge_rating:g} of 5. {why}</p>'


def failed(failures: Iterable[Failure]) -> str:
    """What did not become a sample, and why; the same reason once."""
    where: dict[str, list[str]] = {}
    for failure in failures:
        name = f"{failure.cell.topic} · {failure.cell.perspective}"
        names = where.setdefault(failure.reason, [])
        if name not in names:
            names.append(name)
    return "".join(
        f'<div class="sb-note bad" role="alert">{html.escape(reason)} '
        f'<span class="sb-quiet">({html.escape(", ".join(names))})</span></div>'
        for reason, names in where.items()
    )


def stand_in(settings: GenerationSettings) -> str:
    """A quiet note when no language model is configured."""
    if not any(choice.model in STAND_INS for choice in _used(settings)):
        return ""
    return (
        '<div class="sb-standin"><p>No language model wrote these: a built-in stand-in puts them '
        "together from your own words, to show how Seedbed works.</p><details><summary>How to use "
        "a real model</summary><p>Whoever runs the computers names one in the file "
        "<code>project.json</code> of the project, under <code>generation</code>, "
        '<code>models</code>: <code>[{"model": "NAME"}]</code> for one on Hugging Face, with '
        '<code>"base_url"</code> added for a server of your own.</p></details></div>'
    )


def engineer(settings: GenerationSettings, fingerprint: str | None) -> str:
    """What a batch would run with, for those who want to know."""
    rows = "".join(
        f"<tr><td>{role}</td><td>{html.escape(choice.model)}</td>"
        f"<td>{html.escape(_parameters(choice))}</td></tr>"
        for role, choice in _roles(settings)
    )
    mark = html.escape(fingerprint) if fingerprint else "—"
    return (
        f"<p>Fingerprint <code>{mark}</code>. A batch with the same fingerprint is made from the "
        "same words, models and parameters as this preview.</p><div class='sb-table'><table>"
        "<thead><tr><th>For</th><th>Model</th><th>Parameters</th></tr></thead>"
        f"<tbody>{rows}</tbody></table></div>"
        "<p>These settings are in the file <code>project.json</code> of the project.</p>"
    )


def now() -> datetime:
    """This moment, in UTC."""
    return datetime.now(UTC)


_LEVELS: Mapping[Level, str] = {
    Level.BLOCKS_SAVING: "Before you can save",
    Level.BLOCKS_GENERATING: "Before samples can be grown",
    Level.ADVICE: "Worth a look",
}


def _problem_group(level: Level, title: str, found: Sequence[Problem]) -> str:
    items = "".join(_problem(problem) for problem in found if problem.level == level)
    kind = {Level.BLOCKS_SAVING: "bad", Level.BLOCKS_GENERATING: "warn"}.get(level, "")
    if not items:
        return ""
    return f'<h3>{title}</h3><ul class="sb-todo {kind}">{items}</ul>'


def _problem(problem: Problem) -> str:
    step = STEP_OF.get(problem.field, "publish")
    go = (
        f'<button type="button" class="text" data-go="{step}">Go to {NAME_OF[step]}</button>'
        if step != "publish"
        else ""
    )
    return f"<li><span>{html.escape(problem.message)}</span>{go}</li>"


def _change(change: Change) -> str:
    words = " ".join(html.escape(word) for word in change.words)
    both = ""
    if any(len(text) > 70 for text in (change.before, change.after)) and change.before:
        both = (
            "<details><summary>Compare</summary><div class='sb-sides'>"
            f"<div><h4>Saved</h4><p>{html.escape(change.before) or '(empty)'}</p></div>"
            f"<div><h4>Now</h4><p>{html.escape(change.after) or '(empty)'}</p></div>"
            "</div></details>"
        )
    return f"<li><strong>{html.escape(change.label)}.</strong> {words}{both}</li>"


def _time(at: datetime) -> str:
    """A time that the page puts into the reader's own zone and format."""
    return f'<time datetime="{at.isoformat()}">{at:%H:%M} UTC</time>'


def _number(index: int, sample: Sample) -> str:
    return f" {index + 1}" if len(sample.completions) > 1 else ""


def _messages(messages: Messages) -> str:
    return "".join(
        f'<p class="role">{html.escape(message["role"])}</p>'
        f'<div class="message" tabindex="0">{html.escape(message["content"])}</div>'
        for message in messages
    )


def _used(settings: GenerationSettings) -> list[ModelChoice]:
    return [choice for _, choice in _roles(settings)]


def _roles(settings: GenerationSettings) -> list[tuple[str, ModelChoice]]:
    answers = [
        (f"Answer {index + 1}", settings.for_completion(index))
        for index in range(settings.completions)
    ]
    return [("Instruction", settings.for_instructions()), *answers]


def _parameters(choice: ModelChoice) -> str:
    fields = choice.model_dump(exclude={"model"}, exclude_none=True)
    return ", ".join(f"{name} {value}" for name, value in fields.items())
