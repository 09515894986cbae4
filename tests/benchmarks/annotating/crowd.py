"""Many annotators at once on one Space: how long each call takes, and whether all votes arrive."""

from __future__ import annotations

import os
import time
from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final

from tests.benchmarks.annotating.stage import Hub, People, Waits, a_project

EVERY: Final = 2.0
"""Seconds from one vote of a person to the next."""
TARGET_MS: Final = 100.0
_IN_HAND: Final = 12
_ARRIVE: Final = 10.0
"""Seconds within which everybody comes."""


def measure(
    folder: Path,
    *,
    people: int = 200,
    minutes: float = 10,
    every: float = EVERY,
    commit_seconds: float = 60,
) -> dict[str, Any]:
    """Figures of ``people`` who vote every two seconds, at the usual pace of commits.

    Raises:
        Failed: A process ended, or the dataset has a line that cannot be read.
    """
    votes = people * (60 * minutes / every + _IN_HAND)
    # Each sample asks three questions, and each question wants one vote.
    samples = 200 + int(votes / 2.5)
    with Hub(folder, samples, a_project("thumbs", "pairwise")) as hub:
        who = hub.who(people)
        with hub.space(SEEDBED_COMMIT_SECONDS=str(commit_seconds)) as space:
            opened = space.first_visit()
            arrive = min(_ARRIVE, 6 * minutes)
            with People(folder, space.url, who, every=every, arrive=arrive, patience=240) as crowd:
                end = time.monotonic() + 60 * minutes
                memory = [space.memory_mb()]
                used = space.cpu_s()
                while time.monotonic() < end:
                    time.sleep(max(0.0, min(5.0, end - time.monotonic())))
                    memory.append(space.memory_mb())
                used = space.cpu_s() - used
                crowd.tell_to_end()
                done = crowd.result()
            stopped = space.stop()
        return {
            **_figures(hub, done, people, minutes),
            "samples": samples,
            "first_visit_s": round(opened, 2),
            "space_cpu_share": round(used / 60 / minutes, 2),
            "machine_load": round(os.getloadavg()[0], 1),
            "space_peak_mb": round(max(memory)),
            "space_stop_s": round(stopped, 1),
        }


def _figures(hub: Hub, done: dict[str, Any], people: int, minutes: float) -> dict[str, Any]:
    given, found = done["given"], hub.votes()
    twice = Counter((annotator, question) for annotator, question in given.values())
    per_question = Counter(question for _, question in given.values())
    waits = {name: Waits.of(samples) for name, samples in sorted(done["waits"].items())}
    wrong = {
        "errors": sum(done["errors"].values()),
        "calls_without_an_answer": sum(done["away"].values()),
        "rejected": len(done["rejected"]),
        "lost": sum(name not in found for name in given),
        "doubled": sum(number > 1 for number in found.values()),
        "unknown_in_the_dataset": sum(name not in given for name in found),
        "told_saved_but_still_kept": len(done["left"]),
    }
    slowest = max(wait.p95 for wait in waits.values())
    return {
        "people": people,
        "minutes": minutes,
        "votes": len(given),
        "votes_per_s": round(len(given) / 60 / minutes, 1),
        "milliseconds": {name: asdict(wait) for name, wait in waits.items()},
        "slowest_p95_ms": slowest,
        **wrong,
        "what_errors_said": dict(sorted({**done["errors"], **done["away"]}.items())[:5]),
        "asked_the_same_person_twice": sum(number > 1 for number in twice.values()),
        "questions_with_more_votes_than_wanted": sum(n > 1 for n in per_question.values()),
        "turns_without_a_card": done["idle"],
        **hub.commits(),
        "target": f"p95 of every call at most {TARGET_MS:.0f} ms, no error, each vote once",
        "passed": slowest <= TARGET_MS and not any(wrong.values()) and len(given) > 0,
    }
