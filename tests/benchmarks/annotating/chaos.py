"""Everything goes wrong at once, and every vote is in the dataset afterwards, once."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Error, Page

from tests.benchmarks.annotating.latency import CARD, a_browser
from tests.benchmarks.annotating.stage import Hub, People, Space, a_project, empty
from tests.hub_server import Fault

HUB_ALLOWS: Final = 128
EVERY: Final = 2.0
COMMIT_SECONDS: Final = 5
_KEYS: Final = ("ArrowUp", "ArrowDown")
_RELOAD: Final = 8
"""Votes after which the browser reloads its page."""


@dataclass(slots=True)
class Scene:
    """What is on the stage, and what was done to it.

    Attributes:
        told: Every misfortune, in order, with the second it came.
    """

    hub: Hub
    space: Space
    work: Path
    pause: float
    began: float = field(default_factory=time.monotonic)
    told: list[str] = field(default_factory=list)
    kills: int = 0
    starts: list[float] = field(default_factory=list)

    def fail(self, *faults: Fault) -> None:
        """Let the Hub do something wrong."""
        for fault in faults:
            self.hub.server.fail(fault)

    def kill(self, *, emptied: bool = False) -> None:
        """Kill the Space, and start it again; on an empty disk, perhaps."""
        self.space.kill()
        self.kills += 1
        if emptied:
            empty(self.work)
        self.start()

    def start(self) -> None:
        """Start the Space."""
        self.starts.append(round(self.space.start(), 1))

    def kill_in_a_commit(self) -> None:
        """Kill the Space while the Hub is at work on a commit, which it then applies."""
        slow = Fault("commit", latency=2.0)
        self.fail(slow)
        deadline = time.monotonic() + 3 * COMMIT_SECONDS
        while not slow.hits and time.monotonic() < deadline:
            time.sleep(0.02)
        self.kill()

    def outage(self, *, kill: bool = False) -> None:
        """Let the Hub be away for a while, and perhaps the Space start in that while."""
        with self.hub.server.outage():
            if kill:
                self.kill()
            time.sleep(self.pause)

    def slowness(self) -> None:
        """Let the Hub take its time with everything."""
        slow = Fault("any", latency=0.5, times=None)
        self.fail(slow)
        time.sleep(self.pause)
        self.hub.server.clear_faults()


ACTS: Final[dict[str, Callable[[Scene], None]]] = {
    "503": lambda s: s.fail(Fault("commit", status=503, times=3)),
    "kill": lambda s: s.kill(),
    "commits applied, connection dropped": lambda s: s.fail(
        Fault("commit", drop=True, applied=True, times=2)
    ),
    "commit applied, answered 500": lambda s: s.fail(Fault("commit", status=500, applied=True)),
    "kill in a commit": lambda s: s.kill_in_a_commit(),
    "outage": lambda s: s.outage(),
    "412": lambda s: s.fail(Fault("commit", status=412, times=3)),
    "commit applied, answered 412": lambda s: s.fail(Fault("commit", status=412, applied=True)),
    "work folder emptied while it runs": lambda s: empty(s.work),
    "429 with Retry-After": lambda s: s.fail(Fault("commit", status=429, retry_after=6)),
    "kill, and the disk is emptied": lambda s: s.kill(emptied=True),
    "reading fails": lambda s: s.fail(
        Fault("info", status=502, times=2),
        Fault("paths_info", drop=True),
        Fault("tree", status=500),
        Fault("preupload", drop=True),
        Fault("commits", status=503),
    ),
    "kill in an outage": lambda s: s.outage(kill=True),
    "slowness": lambda s: s.slowness(),
    "commits dropped": lambda s: s.fail(Fault("commit", drop=True, times=4)),
    "last kill": lambda s: s.kill(),
    "429 without a time": lambda s: s.fail(Fault("commit", status=429)),
}


def measure(folder: Path, *, people: int = 50, minutes: float = 10) -> dict[str, Any]:
    """Figures of ``people`` who vote while the Space is killed and the Hub fails in all its ways.

    Raises:
        Failed: The Space does not start, or the dataset has a line that cannot be read.
    """
    votes = people * (60 * minutes / EVERY + 50)
    with Hub(folder, 200 + int(votes / 1.5), a_project("thumbs")) as hub:
        who = hub.who(people)
        space = hub.space(SEEDBED_COMMIT_SECONDS=str(COMMIT_SECONDS))
        each = 60 * minutes / (len(ACTS) + 1)
        scene = Scene(hub, space, folder / "work", pause=min(15.0, each / 2))
        with space, a_browser() as browser:
            with People(folder, space.url, who, every=EVERY, arrive=EVERY, patience=150) as crowd:
                visitor = Visitor(browser, space.url)
                for number, (name, act) in enumerate(ACTS.items(), start=1):
                    visitor.vote(until=scene.began + number * each)
                    scene.told.append(f"{time.monotonic() - scene.began:.0f} s: {name}")
                    act(scene)
                visitor.vote(until=time.monotonic() + each / 2)
                stopped = space.stop()
                hub.server.clear_faults()
                at_the_end = hub.votes()
                scene.start()
                crowd.tell_to_end()
                visitor.vote(until=time.monotonic() + 5)
                kept = visitor.wait_until_saved(at_most=120)
                done = crowd.result()
            space.stop()
        return {
            **_figures(hub, done, visitor, kept),
            "people": people,
            "minutes": minutes,
            "kills": scene.kills,
            "misfortunes": scene.told,
            "seconds_to_start": scene.starts,
            "seconds_to_stop": round(stopped, 1),
            "votes_in_the_dataset_when_it_was_stopped": len(at_the_end),
        }


def _figures(hub: Hub, done: dict[str, Any], visitor: Visitor, kept: int) -> dict[str, Any]:
    found = hub.votes()
    given = set(done["given"]) | visitor.given
    commits = hub.commits()
    refused = sum(r.operation == "commit" and r.status == 429 for r in hub.server.requests)
    wrong = {
        "lost": len(given - set(found) - set(done["rejected"])),
        "rejected": len(done["rejected"]),
        "doubled": sum(number > 1 for number in found.values()),
        "unknown_in_the_dataset": len(set(found) - given),
        "still_kept": len(done["left"]) + kept,
        "commits_beyond_the_quota": max(0, commits["most_commits_in_an_hour"] - HUB_ALLOWS),
        "script_errors": len(visitor.errors),
    }
    return {
        "votes": len(done["given"]),
        "votes_in_a_browser": len(visitor.given),
        "reloads_of_the_browser": visitor.reloads,
        **wrong,
        "what_the_browser_said": visitor.errors[:3],
        "why_rejected": sorted(set(done["rejected"].values()))[:3],
        "calls_without_an_answer": sum(done["away"].values()),
        "votes_sent_again_after_a_loss": done["resent"],
        "what_errors_said": done["errors"],
        **commits,
        "commits_refused_with_429": refused,
        "target": "every vote in the dataset once, commits within the quota",
        "passed": not any(wrong.values()) and bool(done["given"]) and bool(visitor.given),
    }


class Visitor:
    """Somebody at a real browser, who votes through it all and reloads.

    Attributes:
        given: The ids of what they gave.
        errors: What scripts in the page threw.
    """

    def __init__(self, browser: Browser, url: str) -> None:
        self.given: set[str] = set()
        self.errors: list[str] = []
        self.reloads = 0
        self._votes = 0
        self._page = browser.new_page()
        self._page.on("pageerror", lambda error: self.errors.append(str(error)))
        self._page.set_default_timeout(30_000)
        self._page.goto(url)
        self._page.get_by_label("Your name").fill("Visitor")
        self._page.keyboard.press("Enter")
        self._page.locator(CARD).wait_for()

    def vote(self, until: float) -> None:
        """Vote about once a second while there is a card."""
        while time.monotonic() < until:
            if self._page.locator(CARD).is_visible():
                self._page.keyboard.press(_KEYS[self._votes % 2])
                self._votes += 1
                self.given.update(_kept(self._page))
                if self._votes % _RELOAD == 0:
                    self._reload()
            self._page.wait_for_timeout(1_000 * max(0.05, min(1.0, until - time.monotonic())))

    def wait_until_saved(self, at_most: float) -> int:
        """Wait until the browser keeps nothing more; how many votes it does after that time."""
        deadline = time.monotonic() + at_most
        while (kept := _kept(self._page)) and time.monotonic() < deadline:
            self.given.update(kept)
            self._page.wait_for_timeout(500)
        return len(kept)

    def _reload(self) -> None:
        with _patience():
            self._page.reload()
            self.reloads += 1


@contextmanager
def _patience() -> Iterator[None]:
    """A page that cannot be loaded now is loaded at the next turn."""
    try:
        yield
    except Error as error:
        if "ERR_CONNECTION" not in str(error) and "Timeout" not in str(error):
            raise


def _kept(page: Page) -> list[str]:
    """The ids of the votes that the browser keeps."""
    found: list[str] = page.evaluate(
        "Object.keys(localStorage).filter((key) => key.includes(':event:'))"
        ".map((key) => key.slice(key.lastIndexOf(':') + 1))"
    )
    return found
