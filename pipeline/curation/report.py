"""A project's figures as one page: a single file that opens in any browser, without a network."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import cache
from pathlib import Path
from typing import Final

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.core.errors import InvalidInput
from pipeline.core.runs import dollars, duration
from pipeline.curation import charts
from pipeline.curation.analysis import OutlierKind, Outliers
from pipeline.curation.coverage import Status
from pipeline.curation.history import SILENCE
from pipeline.curation.kappas import Figure
from pipeline.curation.measures import excerpt
from pipeline.curation.readings import TASK_NAMES

_HERE: Final = Path(__file__).parent
_MOST_LISTED: Final = 50
_SUFFIXES: Final = (".html", ".htm")

_OUTLIERS: Final[dict[OutlierKind, tuple[str, str]]] = {
    "lowest_rated": ("Lowest rated answers", "The judge thought least of these."),
    "ratings_differ": (
        "Answers whose ratings differ most",
        "One answer is much better than another to the same instruction: good pairs to vote on.",
    ),
    "most_flagged": ("Most flagged samples", "More than one rule marked them."),
    "long_instructions": (
        "Unusually long instructions",
        "Far longer than the others; often several questions in one.",
    ),
    "short_instructions": (
        "Unusually short instructions",
        "Far shorter than the others; often not a full question.",
    ),
    "long_answers": ("Unusually long answers", "Far longer than the others."),
    "short_answers": (
        "Unusually short answers",
        "Far shorter than the others; often broken off or refused.",
    ),
}


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do next.

    Attributes:
        command: What to type; empty if it is not a command.
    """

    text: str
    command: str = ""


def check_place(path: Path) -> None:
    """Refuse a place for the report before the work is done.

    Raises:
        InvalidInput: There is no such folder, or the name is not a page's, so that no other file
            is written over by mistake.
    """
    if path.suffix.lower() not in _SUFFIXES:
        raise InvalidInput(
            f"{path} is not the name of a page.", "Choose one that ends in .html for --report."
        )
    if not path.parent.is_dir():
        raise InvalidInput(
            f"There is no folder {path.parent} for the report.",
            "Make it first, or choose another place with --report.",
        )
    if path.is_dir():
        raise InvalidInput(f"{path} is a folder, not a file.", "Choose another name with --report.")


def save_report(path: Path, name: str, state: Status) -> None:
    """Write the page about project ``name``.

    Raises:
        InvalidInput: The place cannot be written.
    """
    check_place(path)
    try:
        path.write_bytes(render(name, state).encode("utf-8", "replace"))
    except OSError as error:
        raise InvalidInput(
            f"{path} cannot be written: {error.strerror}.", "Choose another place with --report."
        ) from error


def render(name: str, state: Status, made_at: datetime | None = None) -> str:
    """The page about project ``name``.

    It holds no script, and asks browsers to run none: whatever a model wrote is only text in it.
    """
    found = state.analysis
    return (
        _environment()
        .get_template("report.html.jinja2")
        .render(
            name=name,
            title=excerpt(state.domain, 100) or name,
            state=state,
            found=found,
            history=state.history,
            made_at=(made_at or datetime.now(UTC)).astimezone(UTC),
            steps=next_steps(name, state),
            map=charts.heat_map(
                found.coverage, found.judged, found.accepted, state.aim if state.uneven else None
            ),
            spreads=[
                (
                    "Instructions",
                    found.instruction_words,
                    charts.histogram(found.instruction_words),
                ),
                ("Answers", found.completion_words, charts.histogram(found.completion_words)),
            ],
            stars=charts.stars(found.ratings.stars),
            outliers=[(*_OUTLIERS[group.kind], group) for group in _in_order(state)],
            chart=charts,
            agreed=state.agreement,
            readings=state.agreement.readings(),
            most=_MOST_LISTED,
            silence=round(SILENCE.total_seconds() / 60),
            css=_css(),
        )
    )


def next_steps(name: str, state: Status) -> list[Step]:
    """What would bring the project on, the most pressing first."""
    found = state.analysis
    steps = []
    if not found.coverage.topics:
        steps.append(
            Step(
                "Describe the domain, its topics and perspectives in the Seed Space.",
                f"python -m pipeline serve {name}",
            )
        )
    elif found.samples < state.wanted:
        interrupted = state.history.runs and state.history.runs[-1].state == "interrupted"
        text = (
            "The last run was interrupted: the same command goes on where it stopped."
            if interrupted
            else f"Grow the {state.wanted - found.samples:,} samples that are still wanted."
        )
        steps.append(Step(text, f"python -m pipeline generate {name}"))
    if found.samples and not found.judged.total():
        steps.append(
            Step(
                "Nobody has judged a sample yet: open the Annotate Space and look at some.",
                f"python -m pipeline serve {name}",
            )
        )
    elif found.accepted_samples:
        steps.append(
            Step(
                f"{found.accepted_samples:,} samples have an accepted answer: make training data.",
                f"python -m pipeline export {name}",
            )
        )
    return steps


def _in_order(state: Status) -> list[Outliers]:
    by_kind = {group.kind: group for group in state.analysis.outliers}
    return [by_kind[kind] for kind in _OUTLIERS if kind in by_kind]


def _share(part: float, whole: float) -> str:
    """Hundredths, without calling a few of very many none or nearly all all."""
    if not whole:
        return "0 %"
    percent = 100 * part / whole
    if 0 < percent < 1:
        return "under 1 %"
    if 99 < percent < 100:
        return "over 99 %"
    return f"{percent:.0f} %"


def _figure(figure: Figure, percent: bool = False) -> str:
    """A figure with its interval; a dash where it cannot be told."""
    if figure.value is None:
        return "-"
    scale, places = (100, 0) if percent else (1, 2)
    told, low, high = (
        "" if value is None else f"{round(scale * value, places) + 0.0:.{places}f}"
        for value in (figure.value, figure.low, figure.high)
    )
    told += " %" if percent else ""
    return f"{told} ({low} to {high})" if low and high else told


def _short(number: float) -> str:
    """A large number as people say it."""
    for size, name in ((1e9, "billion"), (1e6, "million")):
        if number >= size:
            return f"{number / size:.1f} {name}"
    return f"{number:,.0f}"


@cache
def _css() -> str:
    return _HERE.joinpath("report.css").read_text(encoding="utf-8")


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=FileSystemLoader(_HERE),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["line"] = excerpt
    environment.filters["figure"] = _figure
    environment.filters["task"] = TASK_NAMES.__getitem__
    environment.filters["share"] = _share
    environment.filters["short"] = _short
    environment.filters["dollars"] = dollars
    environment.filters["duration"] = duration
    return environment
