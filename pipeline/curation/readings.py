"""What figures about judgements mean, each in one plain sentence.

Each has a code and values besides its English words, for whoever says it in another language.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from pipeline.curation.kappas import Figure

if TYPE_CHECKING:
    from pipeline.curation.biases import Length, Pace, Position

RELIABLE: Final = 0.8
"""Krippendorff's advice: rely on data with an alpha of at least this (Content Analysis, 2004)."""
TENTATIVE: Final = 0.667
"""Draw only tentative conclusions down to this."""
_WIDE: Final = 0.3
"""An interval so wide leaves open what holds."""
TASK_NAMES: Final = {
    "thumbs": "thumbs",
    "pairwise": "pairs",
    "rate": "stars",
    "exam": "exam reviews",
}
_WHY: Final = {
    "no_data": "nobody has answered any",
    "one_annotator": "only one person has answered",
    "no_overlap": "no question was answered by two people",
    "all_equal": "everybody always gives the same answer, so that chance cannot be told apart",
    "too_few": "there are too few answers",
}
_DIGITS: Final = 6
"""Of values; whoever shows fewer rounds once more, which shall not show."""
_HASTY: Final = 0.1
_STEADY: Final = 0.8


Values = dict[str, float | int | str]


@dataclass(frozen=True, slots=True)
class Reading:
    """One sentence.

    Attributes:
        code: What it says, such as ``agreement.good``.
        values: What it says it with.
        message: In English.
    """

    code: str
    values: Values
    message: str


def of_agreement(task: str, figure: Figure) -> Reading:
    """Of people with each other on a task."""
    name = TASK_NAMES[task]
    if figure.value is None:
        return Reading(
            f"agreement.{figure.why}",
            {"task": task},
            f"Agreement on {name} cannot be told: {_WHY[figure.why]}.",
        )
    values: Values = {"task": task, "alpha": round(figure.value, _DIGITS)}
    told = _decimal(figure.value)
    wide = True
    if figure.low is not None and figure.high is not None:
        values |= {"low": round(figure.low, _DIGITS), "high": round(figure.high, _DIGITS)}
        told += f", between {_decimal(figure.low)} and {_decimal(figure.high)}"
        wide = _leaves_open(figure, lambda value: _grade(value)[0])
    code, said, so = _grade(figure.value)
    message = f"People agree {said} on {name} (alpha {told}): {so}."
    if wide:
        message += " There are too few shared answers to be sure of it."
    return Reading(f"agreement.{code}{'_unsure' if wide else ''}", values, message)


def _grade(value: float) -> tuple[str, str, str]:
    """Code, how well, and what follows."""
    if value >= RELIABLE:
        return "good", "well", "one vote tells much"
    if value >= TENTATIVE:
        return "fair", "fairly", "ask two or three people for each answer"
    if value > 0.2:
        return "weak", "little", "clearer guidelines or more votes for each answer help"
    return "none", "hardly more than by chance", "look at what they differ about first"


def of_judge(task: str, changed: Figure) -> Reading | None:
    """Of people with a judge model on a task."""
    if changed.value is None:
        return None
    code, trust = _trust(changed.value)
    return _of_cases(
        f"judge.{code}",
        {"task": task, **_values("changed", changed)},
        f"People say otherwise than the judge model in {_percent(changed)} of {changed.count:,} "
        f"{TASK_NAMES[task]}: {trust}.",
        unsure=_leaves_open(changed, lambda value: _trust(value)[0]),
    )


def _trust(changed: float) -> tuple[str, str]:
    """Code, and what the ratings of a judge that is corrected so often are good for."""
    if changed > 0.4:
        return "differs", "its ratings say little about what people want"
    if changed > 0.2:
        return "mixed", "its ratings help to choose what to look at, not to decide"
    return "agrees", "its ratings can stand in where people have not looked"


def of_oneself(figure: Figure) -> Reading | None:
    """Of people with themselves."""
    if figure.value is None:
        return None
    steady = figure.value >= _STEADY
    end = (
        "they know their mind." if steady else "some questions are hard to decide, or hurried over."
    )
    return _of_cases(
        "same_again.steady" if steady else "same_again.unsteady",
        _values("share", figure),
        f"Asked again, people answer the same in {_percent(figure)} of {figure.count:,} cases: "
        f"{end}",
        unsure=_leaves_open(figure, lambda value: value >= _STEADY),
    )


def of_controls(figure: Figure) -> Reading | None:
    """Of people with known answers."""
    if figure.value is None:
        return None
    good = figure.value >= _STEADY
    end = "they can be relied on." if good else "look at whose answers are wrong, and at why."
    return _of_cases(
        "controls.good" if good else "controls.poor",
        _values("share", figure),
        f"Of {figure.count:,} questions whose answer is known, people are right in "
        f"{_percent(figure)}: {end}",
        unsure=_leaves_open(figure, lambda value: value >= _STEADY),
    )


def _of_cases(code: str, values: Values, message: str, *, unsure: bool) -> Reading:
    if not unsure:
        return Reading(code, values, message)
    return Reading(f"{code}_unsure", values, f"{message} There are too few cases to be sure of it.")


def _leaves_open(figure: Figure, grade: Callable[[float], object]) -> bool:
    """Tell whether the interval is so wide that another sentence could hold as well."""
    if figure.low is None or figure.high is None:
        return True
    return figure.high - figure.low > _WIDE and grade(figure.low) != grade(figure.high)


def of_position(found: Position) -> Reading | None:
    """Of sides."""
    if found.left.value is None or found.by_chance is None:
        return None
    values = {**_values("left", found.left), "by_chance": found.by_chance}
    told = f"The left answer was chosen in {_percent(found.left)} of {found.left.count:,} pairs"
    if found.biased():
        side = "left" if found.left.value > 0.5 else "right"
        return Reading(
            f"position.{side}",
            values,
            f"{told}: people lean to the {side}. Sides are drawn anew for each person, so that "
            "more votes for a pair even it out.",
        )
    return Reading("position.even", values, f"{told}: no side is preferred that could be told.")


def of_length(found: Length) -> Reading | None:
    """Of lengths."""
    figure = found.longer
    if figure.value is None or found.by_chance is None:
        return None
    values = {**_values("longer", figure), "by_chance": found.by_chance}
    told = f"The longer answer was chosen in {_percent(figure)} of {figure.count:,} pairs"
    if found.by_chance >= 0.01:
        return Reading(
            "length.even", values, f"{told}: no preference for a length that could be told."
        )
    if figure.value > 0.5:
        return Reading(
            "length.longer",
            values,
            f"{told}. It may be better, but a model trained on this also learns to write longer.",
        )
    return Reading("length.shorter", values, f"{told}: people prefer it short.")


def of_pace(found: Pace) -> Reading | None:
    """Of haste."""
    if found.seconds is None:
        return None
    values: Values = {"seconds": round(found.seconds, 1)}
    told = f"Half of the answers take {found.seconds:.1f} seconds or less"
    hasty = found.too_fast
    if hasty.value is None or hasty.value < _HASTY:
        return Reading("pace.calm", values, f"{told}.")
    values |= _values("too_fast", hasty)
    return Reading(
        "pace.hasty",
        values,
        f"{told}; {_percent(hasty)} are faster than the texts can be read.",
    )


def _values(name: str, figure: Figure) -> Values:
    """A share under ``name``, with its interval and what it was worked out from."""
    numbers = {name: figure.value, "low": figure.low, "high": figure.high}
    told = {key: round(number, _DIGITS) for key, number in numbers.items() if number is not None}
    return {**told, "count": figure.count}


def _decimal(value: float) -> str:
    return f"{round(value, 2) + 0.0:.2f}"


def _percent(figure: Figure) -> str:
    """A share in hundredths, with its interval."""
    if figure.value is None or figure.low is None or figure.high is None:
        return "an unknown share"
    return f"{100 * figure.value:.0f} % ({100 * figure.low:.0f} to {100 * figure.high:.0f})"
