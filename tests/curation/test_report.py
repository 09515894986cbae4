"""The report: one page, well-formed, inert, and honest about what is not there."""

from __future__ import annotations

from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipeline.core import layout
from pipeline.core.projects import make_project
from pipeline.core.runs import FailureCount
from pipeline.core.schema import STAND_INS, Project, Sample, Seed
from pipeline.core.store_folder import FolderStore
from pipeline.curation.coverage import status
from pipeline.curation.report import next_steps, render, save_report
from pipeline.curation.rounds import open_round
from tests.conftest import NewPage
from tests.factories import a_run, a_sample, a_seed, fill, thumb

HOSTILE = (
    "<script>alert(1)</script><img src=x onerror=alert(2)></svg></style>"
    "<a href='javascript:alert(3)'>x</a>{{ 7 * 7 }}{% raw %}\x00\x1b\u202e\"'" + "W" * 400
)
VOID = {"meta", "link", "br"}


class Page(HTMLParser):
    """Checks that every element is closed in order, and collects what could act."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: set[str] = set()
        self.ids: list[str] = []
        self.acting: list[tuple[str, str | None]] = []
        self.text = ""
        self.feed(text)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.add(tag)
        self.ids += [value or "" for name, value in attrs if name == "id"]
        self.acting += [
            (name, value)
            for name, value in attrs
            if name.startswith("on") or name in ("src", "href", "action", "srcdoc", "xlink:href")
        ]
        if tag not in VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag, self.getpos()

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] != "style":
            self.text += data


def checked(text: str) -> Page:
    page = Page(text)
    assert page.open == []
    assert "script" not in page.tags
    assert "img" not in page.tags
    assert page.acting == [("href", "data:,")]
    assert len(page.ids) == len(set(page.ids))
    assert "url(" not in text
    return page


def varied(count: int, **changes: object) -> list[Sample]:
    """Samples of many lengths, ratings, cells and flags."""
    samples = []
    for number in range(count):
        sample = a_sample(
            number,
            ["word " * (3 + number * 7 % 90), "other words " * (5 + number * 11 % 60)],
            topic=("Clay soils", "Cover crops")[number % 2],
            perspective=("Agronomist", "Beginner")[number % 5 > 1],
            flags=("duplicate", "mine") if number % 9 == 0 else (),
        )
        rated = tuple(
            completion.model_copy(
                update={"judge_rating": float((number + index) % 5 + 1), "tokens_out": number}
            )
            for index, completion in enumerate(sample.completions)
        )
        samples.append(sample.model_copy(update={"completions": rated, **changes}))
    return samples


def everything_hostile(folder: Path) -> FolderStore:
    """A project in which every text that others wrote tries to break out."""
    store = FolderStore(folder)
    samples = [
        sample.model_copy(
            update={
                "instruction": HOSTILE + str(number),
                "topic": HOSTILE,
                "flags": (HOSTILE, "duplicate"),
                "run_id": HOSTILE,
                "fingerprint": HOSTILE,
                "completions": tuple(
                    c.model_copy(
                        update={"text": HOSTILE, "model": HOSTILE, "finish_reason": HOSTILE}
                    )
                    for c in sample.completions
                ),
            }
        )
        for number, sample in enumerate(varied(30))
    ]
    fill(store, samples)
    lines = thumb(samples[0], 0, True).to_line() + "\n" + HOSTILE.replace("\n", "")
    store.commit({"feedback/2026/01/01/a-000001.jsonl": lines.encode()}, message="Add")
    failure = FailureCount(stage=HOSTILE, kind=HOSTILE, count=1, example=HOSTILE)
    run = a_run(
        "run", state="failed", why=HOSTILE, failures=[failure], unpriced=[HOSTILE],
        started_at=HOSTILE, settings={"judge": {"model": {"model": HOSTILE}}},
    )  # fmt: skip
    silent = a_run(HOSTILE, state="running", updated_at="2020-01-01T00:00:00Z")
    store.commit({"runs/a.json": run.to_json(), "runs/b.json": silent.to_json()}, message="Add")
    open_round(store, 2)
    seed = a_seed().model_copy(update={"domain": HOSTILE[:200], "perspectives": [HOSTILE[:300]]})
    (folder / layout.SEED).write_bytes(seed.to_json())
    return store


def test_the_page_is_well_formed_and_shows_the_figures(folder: Path) -> None:
    store = FolderStore(folder)
    fill(store, varied(60))
    page = checked(render(store.name, status(store)))
    assert {"svg", "title", "desc", "table", "details"} <= page.tags
    for part in ("60", "Clay soils", "maker/model-1", "Worth a look", "word for word", "mine"):
        assert part in page.text
    assert "No language model" not in page.text


def test_hostile_text_is_text(folder: Path) -> None:
    store = everything_hostile(folder)
    page = checked(render(store.name, status(store)))
    assert "<script>alert(1)</script>" in page.text
    assert "{{ 7 * 7 }}" in page.text
    assert not set(page.text) & {"\x00", "\x1b", "\u202e"}


def test_a_page_of_a_large_seed_stays_small(folder: Path) -> None:
    store = FolderStore(folder)
    seed = Seed(
        topics=[f"t{number}" for number in range(500)],
        perspectives=[f"p{number}" for number in range(200)],
    )
    make_project(store, seed, Project())
    text = render(store.name, status(store))
    assert len(text) < 500_000
    assert "440 more topics are not shown" in checked(text).text


def test_an_empty_project_says_what_to_do(folder: Path) -> None:
    store = FolderStore(folder)
    make_project(store, Seed(), Project())
    page = checked(render(store.name, status(store)))
    assert "No samples yet" in page.text
    assert f"python -m pipeline serve {folder}" in page.text
    fill(store, [])
    (folder / layout.SEED).write_bytes(a_seed().to_json())
    assert f"python -m pipeline generate {folder}" in render(store.name, status(store))


def test_next_steps_follow_the_work(folder: Path) -> None:
    store = FolderStore(folder)
    samples = varied(60)
    fill(store, samples)
    assert "Nobody has judged" in next_steps(store.name, status(store))[0].text
    lines = thumb(samples[0], 0, True).to_line().encode()
    store.commit({"feedback/2026/01/01/a-000001.jsonl": lines}, message="Add")
    (step,) = next_steps(store.name, status(store))
    assert step.command.startswith("python -m pipeline export")
    store = FolderStore(folder.with_name("other"))
    fill(store, samples[:5])
    assert "43 samples" in next_steps(store.name, status(store))[0].text
    silent = a_run(state="running", updated_at="2020-01-01T00:00:00Z")
    store.commit({"runs/a.json": silent.to_json()}, message="Add")
    assert "interrupted" in next_steps(store.name, status(store))[0].text


@pytest.mark.parametrize(
    ("models", "note"),
    [
        (STAND_INS, "No language model wrote these answers."),
        ((STAND_INS[0], "m/x"), "1 of 2 answers were composed from the seed"),
    ],
)
def test_answers_by_the_stand_in_are_called_so(
    folder: Path, models: tuple[str, str], note: str
) -> None:
    sample = a_sample(1)
    made = tuple(
        completion.model_copy(update={"model": model})
        for completion, model in zip(sample.completions, models, strict=True)
    )
    store = FolderStore(folder)
    fill(store, [sample.model_copy(update={"completions": made})])
    assert note in checked(render(store.name, status(store))).text


@pytest.mark.browser
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_a_browser_shows_it_on_a_phone(
    folder: Path, tmp_path: Path, new_page: NewPage, scheme: str
) -> None:
    stores = [everything_hostile(folder), FolderStore(tmp_path / "plain")]
    fill(stores[1], varied(300))
    said: list[str] = []
    asked: list[str] = []
    page = new_page(viewport={"width": 390, "height": 844}, color_scheme=scheme)
    page.on("console", lambda message: said.append(message.text))
    page.on("request", lambda request: asked.append(request.url))
    for number, store in enumerate(stores):
        file = tmp_path / f"report{number}.html"
        save_report(file, store.name, status(store))
        page.goto(file.as_uri())
        page.evaluate("document.querySelectorAll('details').forEach((one) => { one.open = true })")
        assert page.evaluate("document.documentElement.scrollWidth") == 390
    assert said == []
    loaded = [url for url in asked if not url.startswith("data:")]
    assert loaded == [(tmp_path / f"report{number}.html").as_uri() for number in range(2)]
