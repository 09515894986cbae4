"""A new domain from a deployed Seed Space: signed in on the loopback Hub, in a real browser."""

from __future__ import annotations

import os
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from pipeline.core import layout
from pipeline.core.projects import load_project, load_seed, make_project
from pipeline.core.schema import GenerationSettings, ModelChoice, Project, Seed
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.deploy import ANNOTATE_SPACE, SEED_SPACE, SPACES, assemble
from tests.conftest import NewPage
from tests.factories import a_seed
from tests.hub_server import Fault, HubServer
from tests.spaces import RunningSpace, alone, start, write_files

pytestmark = [pytest.mark.browser, pytest.mark.xdist_group("domains")]  # they share one Space

SCOPES = "openid profile inference-api write-repos contribute-repos"
OWNERS_TOKEN = "hf_ownertoken1"


@dataclass(frozen=True, slots=True)
class Deployed:
    """A Seed Space that was laid out as on the Hub, and everything it may write to."""

    hub: HubServer
    running: RunningSpace
    place: Path
    url: str


@pytest.fixture(scope="module")
def space(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Deployed]:
    place = tmp_path_factory.mktemp("deployed")
    with HubServer() as hub:
        hub.add_user("ana", OWNERS_TOKEN, orgs=["growers"])
        settings = Project(generation=GenerationSettings(rows=77, models=[ModelChoice(model="m")]))
        make_project(HubStore("ana/farming", token=OWNERS_TOKEN, hub=hub.url), a_seed(), settings)
        env = {
            **hub.client_env(OWNERS_TOKEN),
            **hub.sign_in_env("ana/farming-seed", SCOPES),
            "HF_HOME": str(place / "home"),
            "HF_HUB_CACHE": str(place / "home" / "hub"),
            "GRADIO_TEMP_DIR": str(place / "gradio"),
            "SEEDBED_WORK_DIR": str(place / "work"),
            "SEEDBED_PROJECT": "ana/farming",
            "SEEDBED_VISITOR_SAMPLES": "20",
        }
        folder = write_files(assemble(SEED_SPACE), place / "space")
        with start(SEED_SPACE.package, folder, env) as running:
            yield Deployed(hub, running, place, f"http://localhost:{running.port}")


@pytest.fixture(autouse=True)
def _well_again(space: Deployed) -> Iterator[None]:
    yield
    space.hub.clear_faults()
    space.hub.withheld = frozenset()


def sign_in(page: Page, space: Deployed, name: str = "ana", path: str = "/") -> None:
    space.hub.signing_in = name
    page.goto(space.url + path)
    expect(page.locator("body[data-seedbed]")).to_be_attached()
    page.locator("#sign-in").click()
    page.wait_for_url(re.compile(r"localhost:\d+/(\?.*)?(#.*)?$"))
    expect(page.locator("#sign-in")).to_contain_text(name)


def fill_in(page: Page, name: str, *, start: str = "Nothing", owner: str = "ana") -> None:
    page.get_by_role("button", name="New domain").click()
    expect(page.get_by_role("heading", name="Make a project for another domain")).to_be_focused()
    page.get_by_role("combobox", name="Owner").select_option(owner)
    page.get_by_label(re.compile(start)).check()
    page.get_by_label("Name", exact=True).fill(name)


def part(page: Page, name: str) -> str | None:
    return page.locator(f"#domains [data-of={name}]").get_attribute("data-state")


def read_all(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_new_domain_gets_a_dataset_and_two_spaces(
    space: Deployed, new_page: NewPage, tmp_path: Path
) -> None:
    hub = space.hub
    page = new_page()
    sign_in(page, space)
    expect(page.locator("#standing summary")).to_contain_text("You may save")
    fill_in(page, "vines", start="everything its experts wrote")
    expect(page.get_by_text("ana/vines is free.")).to_be_visible()
    page.get_by_role("button", name="Make the project").click()
    expect(page.get_by_role("heading", name="ana/vines is made")).to_be_focused(timeout=60_000)
    assert [part(page, name) for name in ("dataset", "seed", "annotate")] == ["made"] * 3

    store = HubStore("ana/vines", token=OWNERS_TOKEN, hub=hub.url)
    assert load_seed(store).seed == a_seed()
    assert load_project(store).generation.rows == 77
    assert hub.repo("ana/vines").visibility == "private"
    for one in SPACES:
        name = f"ana/vines-{one.suffix}"
        files = hub.files(name, "space")
        assert {path: files[path] for path in assemble(one)} == assemble(one)
        assert hub.variables(name) == {"SEEDBED_PROJECT": "ana/vines"}
        assert hub.repo(name, "space").visibility == "private"
    assert hub.secrets("ana/vines-seed") == {}
    assert list(hub.secrets("ana/vines-annotate")) == ["SEEDBED_SECRET"]
    steps = page.locator("#domains [data-key]")
    keys = [steps.nth(i).get_attribute("data-key") for i in range(steps.count())]
    assert keys == [
        *("seed_token", "seed_secret", "annotate_token", "annotate_secret", "public", "hardware"),
    ]
    for suffix in ("seed", "annotate"):
        address = f"{hub.url}/spaces/ana/vines-{suffix}/settings"
        expect(page.locator(f"#domains a[href='{address}']").first).to_be_visible()

    # What was made works: both Spaces, laid out from the Hub's files, show the new project.
    for one in SPACES:
        files = hub.files(f"ana/vines-{one.suffix}", "space")
        folder = write_files(files, tmp_path / one.package)
        env = {**hub.client_env(OWNERS_TOKEN), **hub.variables(f"ana/vines-{one.suffix}")}
        with start(one.package, folder, env) as other:
            shown = new_page()
            shown.goto(other.url)
            expect(shown.get_by_text("Farming").first).to_be_visible()


def test_a_deployed_seed_space_assembles_what_the_checkout_does(
    tmp_path: Path,
) -> None:
    folder = write_files(assemble(SEED_SPACE), tmp_path)
    code = (
        "import hashlib, json; from pipeline.deploy import SPACES, assemble; "
        "print(json.dumps([{p: hashlib.sha256(d).hexdigest() for p, d in assemble(s).items()} "
        "for s in SPACES]))"
    )
    env = {**os.environ, "PYTHONPATH": str(folder)}
    inside = subprocess.run(
        alone(code), cwd=folder, env=env, capture_output=True, text=True, check=True
    ).stdout
    import hashlib
    import json

    outside = [
        {path: hashlib.sha256(data).hexdigest() for path, data in assemble(one).items()}
        for one in (SEED_SPACE, ANNOTATE_SPACE)
    ]
    assert json.loads(inside) == outside


def test_what_was_made_before_a_failure_stays_and_the_rest_follows(
    space: Deployed, new_page: NewPage
) -> None:
    hub = space.hub
    page = new_page()
    sign_in(page, space)
    fill_in(page, "bees")
    expect(page.get_by_text("ana/bees is free.")).to_be_visible()
    hub.fail(Fault("create_repo", status=500, skip=2))  # the Annotate Space
    page.get_by_role("button", name="Make the project").click()
    expect(page.get_by_role("alert")).to_contain_text("What was made stays", timeout=60_000)
    assert [part(page, name) for name in ("dataset", "seed", "annotate")] == [
        *("made", "made", "failed"),
    ]
    assert ("space", "ana/bees-annotate") not in hub.repos
    before = hub.head("ana/bees-seed", "space"), hub.head("ana/bees")

    # Made, though the reply was lost; then its files are refused.
    hub.fail(Fault("create_repo", drop=True, applied=True))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("What was made stays", timeout=60_000)
    hub.fail(Fault("commit", status=503, times=6))
    page.get_by_role("button", name="Go on").click()
    expect(page.get_by_role("alert")).to_contain_text("What was made stays", timeout=60_000)
    assert "app.py" not in hub.files("ana/bees-annotate", "space")
    signed = hub.secrets("ana/bees-annotate")
    hub.clear_faults()

    # The expert has begun meanwhile, and somebody starts over in another window.
    seed = a_seed().model_copy(update={"domain": "Bees"})
    hub.write("ana/bees", {layout.SEED: seed.to_json()})
    other = new_page()
    sign_in(other, space)
    fill_in(other, "bees")
    expect(other.get_by_text("ana/bees was begun already")).to_be_visible()
    other.get_by_role("button", name="Make the project").click()
    expect(other.get_by_role("heading", name="ana/bees is made")).to_be_visible(timeout=60_000)
    assert [part(other, name) for name in ("dataset", "seed", "annotate")] == ["there"] * 3
    assert "app.py" in hub.files("ana/bees-annotate", "space")
    assert hub.secrets("ana/bees-annotate") == signed
    assert hub.head("ana/bees-seed", "space") == before[0]
    assert Seed.from_json(hub.files("ana/bees")[layout.SEED]).domain == "Bees"


def test_what_is_somebody_elses_is_never_touched(space: Deployed, new_page: NewPage) -> None:
    hub = space.hub
    hub.create_repo("ana/corn", "dataset")
    hub.write("ana/corn", {"data.csv": b"1,2"})
    hub.create_repo("ana/rye-annotate", "space")
    hub.write("ana/rye-annotate", {"app.py": b"print()"}, repo_type="space")
    make_project(HubStore("ana/oats", token=OWNERS_TOKEN, hub=hub.url), a_seed(), Project())
    hub.create_repo("ana/hops-seed", "space")
    from huggingface_hub import HfApi

    HfApi(endpoint=hub.url, token=OWNERS_TOKEN).add_space_variable(
        "ana/hops-seed", "SEEDBED_PROJECT", "ana/other"
    )
    before = {key: repo.branches["main"] for key, repo in hub.repos.items()}
    page = new_page()
    sign_in(page, space)
    fill_in(page, "corn")
    make = page.get_by_role("button", name="Make the project")
    for name, words in (
        ("corn", "ana/corn is something else"),
        ("rye", "another Space called ana/rye-annotate"),
        ("oats", "ana/oats is something else"),
        ("hops", "another Space called ana/hops-seed"),
        ("größe", "no name for a project"),
        ("x" * 60, "too long"),
    ):
        page.get_by_label("Name", exact=True).fill(name)
        expect(page.locator("#domains-said")).to_contain_text(words)
        expect(make).to_be_disabled()
    assert {key: repo.branches["main"] for key, repo in hub.repos.items()} == before


def test_who_may_not_make_one_is_told_why(space: Deployed, new_page: NewPage) -> None:
    page = new_page(locale="fr-FR")
    page.goto(f"{space.url}/?new=domain")
    expect(page.get_by_text("abord avec Hugging Face")).to_be_visible()
    expect(page.locator("#standing summary")).to_contain_text("Non connecté")
    space.hub.withheld = frozenset({"contribute-repos"})
    sign_in(page, space, path="/?new=domain")
    expect(page.get_by_text("ne permet de rien créer")).to_be_visible()


@pytest.mark.parametrize(
    ("withheld", "name", "words"),
    [
        ((), "bo", "You may read, not save · samples on your account"),
        (("inference-api",), "ana", "You may save · 20 of 20 free samples left today"),
        (("write-repos", "contribute-repos"), "ana", "Your sign-in does not allow saving"),
    ],
)
def test_how_a_visitor_stands_is_told_at_the_top(
    space: Deployed, new_page: NewPage, withheld: tuple[str, ...], name: str, words: str
) -> None:
    space.hub.add_user("bo")
    space.hub.repo("ana/farming").visibility = "public"
    space.hub.withheld = frozenset(withheld)
    page = new_page()
    sign_in(page, space, name)
    expect(page.locator("#standing summary")).to_contain_text(words)
    page.locator("#standing summary").click()
    expect(page.locator("#standing p").first).to_be_visible()


def test_it_is_used_with_the_keyboard_on_a_phone(space: Deployed, new_page: NewPage) -> None:
    phone = {"viewport": {"width": 360, "height": 740}, "color_scheme": "dark"}
    page = new_page(**phone)
    sign_in(page, space)
    page.get_by_role("button", name="New domain").press("Enter")
    expect(page.get_by_label("Name", exact=True)).to_be_visible()
    page.get_by_label("Name", exact=True).focus()
    page.keyboard.type("moss")
    expect(page.get_by_text("ana/moss is free.")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 360
    for control in page.locator("#domains button:visible, #domains .pick:visible").all():
        box = control.bounding_box()
        assert box is not None
        assert box["height"] >= 44
    page.get_by_role("button", name="Back to this project").press("Enter")
    expect(page.get_by_role("button", name="New domain")).to_be_focused()
    expect(page.locator("#domains")).to_be_hidden()


def test_a_folder_project_is_made_beside_this_one(
    folder: Path, tmp_path: Path, new_page: NewPage
) -> None:
    make_project(FolderStore(folder), a_seed(), Project())
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with RunningSpace("seed_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        page = new_page()
        page.goto(running.url)
        expect(page.locator("#standing summary")).to_contain_text("Your own machine")
        page.get_by_role("button", name="New domain").click()
        page.get_by_label("Name", exact=True).fill("mine")
        expect(page.locator("#domains-said")).to_contain_text("is something else")
        page.get_by_label("Name", exact=True).fill("vines")
        page.get_by_label(re.compile("everything its experts wrote")).check()
        expect(page.locator("#domains-said")).to_contain_text("is free")
        page.get_by_role("button", name="Make the project").press("Enter")
        expect(page.locator("#domains pre")).to_contain_text("python -m pipeline serve")
    assert load_seed(FolderStore(tmp_path / "vines")).seed == a_seed()


def test_no_token_is_left_anywhere(space: Deployed) -> None:
    """Last in this file: everything above was written and logged by the one Space."""
    tokens = [token for token in space.hub.accounts.callers if token.startswith("hf_oauth_")]
    assert tokens
    logged = space.running.stop()
    written = read_all(space.place)
    on_the_hub = b"".join(
        data for kind, name in space.hub.repos for data in space.hub.files(name, kind).values()
    )
    settings = repr(
        [(space.hub.variables(n), space.hub.secrets(n)) for k, n in space.hub.repos if k == "space"]
    )
    for token in (*tokens, OWNERS_TOKEN):
        assert token not in logged
        assert token.encode() not in written + on_the_hub
        assert token not in settings
