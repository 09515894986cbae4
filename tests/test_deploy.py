"""Spaces as they are deployed: whole in themselves, and made on the Hub by one command."""

from __future__ import annotations

import ast
import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from huggingface_hub import HfApi
from playwright.sync_api import expect

from pipeline.core.errors import InvalidInput
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.deploy import ANNOTATE_SPACE, SEED_SPACE, SPACES, Space, annotate_address, assemble
from tests.conftest import NewPage
from tests.factories import a_sample, fill
from tests.hub_server import Fault, HubServer
from tests.spaces import ROOT, start, write_files
from tests.test_cli import a_line, away, nobody_at, run


def lay_out(space: Space, folder: Path) -> Path:
    """Write the files of ``space`` into an empty folder."""
    return write_files(assemble(space), folder)


@pytest.mark.browser
@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.package)
def test_an_assembled_space_starts_alone(
    space: Space, folder: Path, tmp_path: Path, new_page: NewPage
) -> None:
    fill(FolderStore(folder), [a_sample(1)])
    place = lay_out(space, tmp_path / "space")
    done = subprocess.run(
        [sys.executable, "-S", "-c", "import pipeline.cli"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(place)},
        capture_output=True,
        check=False,
    )
    assert done.returncode != 0, "the checkout can still be imported"
    with start(space.package, place, {"SEEDBED_PROJECT": str(folder)}) as running:
        page = new_page()
        page.goto(running.url)
        expect(page.get_by_text("Farming").first).to_be_visible()


@pytest.mark.browser
@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.package)
def test_a_space_without_settings_says_what_is_missing(
    space: Space, hub: HubServer, tmp_path: Path, new_page: NewPage
) -> None:
    place = lay_out(space, tmp_path / "space")
    env = {**hub.client_env(), **hub.sign_in_env("ana/vines-x", "openid profile")}
    with start(space.package, place, {**env, "SEEDBED_PROJECT": ""}) as running:
        page = new_page(locale="de-DE")
        page.goto(running.url)
        expect(page.get_by_text("This Space is not set up yet")).to_have_count(0)
        expect(page.get_by_role("heading", name="noch nicht eingerichtet")).to_be_visible()
        expect(page.get_by_text("SEEDBED_PROJECT").first).to_be_visible()
        expect(page.get_by_text("startet der Space von selbst neu").last).to_be_visible()
        settings = f"{hub.url}/spaces/ana/vines-x/settings"
        opens = "Einstellungen öffnen"
        if space == SEED_SPACE:
            expect(page.get_by_role("link", name=opens)).to_have_attribute("href", settings)
        else:
            with page.expect_popup() as popup:
                page.get_by_role("button", name=opens).click()
            assert popup.value.url == settings
        page.get_by_role("button", name="Noch einmal versuchen").click()
        expect(page.get_by_role("heading", name="noch nicht eingerichtet")).to_be_visible()
        if space == SEED_SPACE:
            page.get_by_role("button", name="Stattdessen ein neues Projekt anlegen").click()
            heading = page.get_by_role("heading", name="Ein Projekt für ein anderes Fachgebiet")
            expect(heading).to_be_visible()
            expect(page.get_by_text("Melden Sie sich zuerst bei Hugging Face an")).to_be_visible()


@pytest.mark.parametrize("space", SPACES, ids=lambda space: space.package)
def test_a_space_pins_what_it_imports_and_no_more(space: Space) -> None:
    known = {
        line.split("==")[0].split("[")[0]: line
        for line in (ROOT / "requirements.txt").read_text().splitlines()
        if "==" in line
    }
    files = assemble(space)
    wanted = [line for line in files["requirements.txt"].decode().splitlines() if "==" in line]
    for line in wanted:
        assert line == known[line.split("==")[0].split("[")[0]], "pins must agree"
    imported: set[str] = set()
    # What a Space only carries to make others from is not run there.
    for path, data in assemble(replace(space, makes_others=False)).items():
        if path.endswith(".py"):
            for node in ast.walk(ast.parse(data)):
                if isinstance(node, ast.Import):
                    imported.update(alias.name.split(".")[0] for alias in node.names)
                elif isinstance(node, ast.ImportFrom) and node.module:
                    imported.add(node.module.split(".")[0])
    packages = {
        "markdown_it": "markdown-it-py",
        "jinja2": "Jinja2",
        "charset_normalizer": "charset-normalizer",
        "yaml": "PyYAML",
    }
    needs = {packages.get(name, name) for name in imported - sys.stdlib_module_names}
    needs -= {"pipeline", "seed_space", "annotate_space", "pydantic_core"}
    needs -= {"fastapi"}  # Gradio's, which decides its version
    needs -= {"model2vec"}  # for those who want to search by meaning
    pinned = {line.split("==")[0].split("[")[0] for line in wanted}
    undeclared_by_distilabel = {"requests"}
    found_by_uvicorn = {"httptools", "uvloop"}
    assert needs <= pinned
    assert pinned - needs <= undeclared_by_distilabel | found_by_uvicorn


def test_the_annotate_space_never_needs_distilabel() -> None:
    files = assemble(ANNOTATE_SPACE)
    assert not any(path.startswith("pipeline/generation") for path in files)
    assert b"distilabel" not in files["requirements.txt"]


def test_app_files_are_short() -> None:
    for space in SPACES:
        assert len(assemble(space)["app.py"].splitlines()) <= 15


def test_deploying_a_folder_makes_a_dataset_and_two_spaces(hub: HubServer, folder: Path) -> None:
    token = hub.add_user("ana")
    env = hub.client_env(token)
    fill(FolderStore(folder), [a_sample(1)])
    (folder / ".env").write_text("HF_TOKEN=hf_private")
    (folder / "notes.txt").write_text("not part of the project")
    done = run("deploy", "ana/farming", "--from", folder, env=env)
    assert not {".env", "notes.txt"} & set(hub.files("ana/farming"))
    assert "samples/run/00000.parquet" in hub.files("ana/farming")
    for space in (SEED_SPACE, ANNOTATE_SPACE):
        name = f"ana/farming-{space.suffix}"
        files = hub.files(name, "space")
        for path, data in assemble(space).items():
            assert files[path] == data
        assert hub.variables(name) == {"SEEDBED_PROJECT": "ana/farming"}
        assert set(hub.secrets(name)) == ({"SEEDBED_SECRET"} if space.signs else set())
        assert f"{hub.url}/spaces/{name}" in done.stdout
    assert "a token that may write to ana/farming" in done.stdout
    assert "a token that may read ana/farming" in done.stdout
    assert done.stdout.count("make the Space public") == 1
    for suffix in ("seed", "annotate"):
        assert f"{hub.url}/spaces/ana/farming-{suffix}/settings" in done.stdout
    assert f"{hub.url}/settings/tokens/new" in done.stdout
    everything = b"".join(
        data
        for name, kind in (
            ("ana/farming", "dataset"),
            ("ana/farming-seed", "space"),
            ("ana/farming-annotate", "space"),
        )
        for data in hub.files(name, kind).values()
    )
    assert token.encode() not in everything
    assert token not in done.stdout + done.stderr
    before = hub.head("ana/farming-seed", "space")
    signed = hub.secrets("ana/farming-annotate")
    assert len(bytes.fromhex(signed["SEEDBED_SECRET"])) == 32
    assert signed["SEEDBED_SECRET"] not in done.stdout + done.stderr
    assert "Updated" in run("deploy", "ana/farming", env=env).stdout
    assert hub.secrets("ana/farming-annotate") == signed
    assert hub.head("ana/farming-seed", "space") == before


def test_a_secret_that_the_owner_set_is_kept(hub: HubServer, folder: Path) -> None:
    token = hub.add_user("ana")
    fill(FolderStore(folder), [])
    api = HfApi(endpoint=hub.url, token=token)
    api.create_repo("ana/farming-annotate", repo_type="space", space_sdk="gradio")
    api.add_space_secret("ana/farming-annotate", "SEEDBED_SECRET", "mine")
    run("deploy", "ana/farming", "--from", folder, env=hub.client_env(token))
    assert hub.secrets("ana/farming-annotate") == {"SEEDBED_SECRET": "mine"}


@pytest.mark.parametrize(
    ("project", "address"),
    [
        ("ana/farming", "https://ana-farming-annotate.hf.space"),
        ("Ana_B/farming.v2", "https://ana-b-farming-v2-annotate.hf.space"),
        ("./farming", "http://127.0.0.1:7861"),
    ],
)
def test_annotators_find_a_project_at_an_address_that_its_name_tells(
    project: str, address: str
) -> None:
    assert annotate_address(Settings(project=project)) == address
    with pytest.raises(InvalidInput, match="--url"):
        annotate_address(Settings(project=f"ana/{'x' * 60}"))


def test_a_deploy_that_broke_off_goes_on_when_repeated(hub: HubServer, folder: Path) -> None:
    env = hub.client_env(hub.add_user("ana"))
    fill(FolderStore(folder), [a_sample(1)])
    hub.fail(Fault("create_repo", status=500, skip=2))
    said = run("deploy", "ana/farming", "--from", folder, env=env, code=1)
    assert "farming-annotate" in said.stderr
    run("deploy", "ana/farming", "--from", folder, env=env)
    assert "app.py" in hub.files("ana/farming-annotate", "space")


def test_deploying_another_project_over_one_is_refused(hub: HubServer, folder: Path) -> None:
    env = hub.client_env(hub.add_user("ana"))
    run("init", "ana/farming", "--seed", ROOT / "pipeline/demo/farming.json", env=env)
    fill(FolderStore(folder), [a_sample(1)])
    before = hub.files("ana/farming")
    said = run("deploy", "ana/farming", "--from", folder, env=env, code=1).stderr
    assert "another seed" in said
    assert hub.files("ana/farming") == before


def test_deploying_to_a_folder_says_how_to_do_it(folder: Path) -> None:
    fill(FolderStore(folder), [])
    assert "USER/NAME --from" in run("deploy", folder, code=1).stderr


@pytest.mark.parametrize("copied", [True, False])
def test_deploying_without_a_token_says_how_to_sign_in_before_anything(
    folder: Path, copied: bool
) -> None:
    fill(FolderStore(folder), [])
    words = ("--from", folder) if copied else ()
    env = nobody_at(away())
    said = a_line(run("deploy", "ana/farming", *words, env=env, code=1).stderr)
    assert "hf auth login" in said
    assert "HF_TOKEN" in said


def test_a_dataset_may_have_the_name_of_the_folder_it_is_made_from(
    hub: HubServer, tmp_path: Path
) -> None:
    env = hub.client_env(hub.add_user("ana"))
    fill(FolderStore(tmp_path / "ana/farming"), [a_sample(1)])
    run("deploy", "ana/farming", "--from", "./ana/farming", cwd=tmp_path, env=env)
    assert "samples/run/00000.parquet" in hub.files("ana/farming")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_stopping_a_deploy_is_one_line(hub: HubServer, folder: Path, number: int) -> None:
    env = hub.client_env(hub.add_user("ana"))
    fill(FolderStore(folder), [a_sample(1)])
    slow = Fault("commit", latency=2, times=None)
    hub.fail(slow)
    running = subprocess.Popen(
        [sys.executable, "-m", "pipeline", "deploy", "ana/farming", "--from", str(folder)],
        cwd=ROOT,
        env={**os.environ, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    deadline = time.monotonic() + 60
    while not slow.hits and time.monotonic() < deadline:
        time.sleep(0.05)
    running.send_signal(number)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 1
    assert "the same command goes on from there" in a_line(said)
    hub.clear_faults()
    run("deploy", "ana/farming", "--from", folder, env=env)
    assert "app.py" in hub.files("ana/farming-annotate", "space")


def test_deploying_with_a_read_only_token_says_so(hub: HubServer, folder: Path) -> None:
    hub.add_user("ana")
    env = hub.client_env(hub.add_token("ana", "read"))
    fill(FolderStore(folder), [])
    assert "write" in run("deploy", "ana/farming", "--from", folder, env=env, code=1).stderr


def test_a_space_that_shows_something_else_is_refused(hub: HubServer, folder: Path) -> None:
    token = hub.add_user("ana")
    fill(FolderStore(folder), [])
    hub.create_repo("ana/farming-seed", "space")
    hub.write("ana/farming-seed", {"app.py": b"print()"}, repo_type="space")
    before = hub.head("ana/farming-seed", "space")
    said = run("deploy", "ana/farming", "--from", folder, env=hub.client_env(token), code=1)
    assert "ana/farming-seed is another Space already" in a_line(said.stderr)
    assert hub.head("ana/farming-seed", "space") == before


def test_a_space_left_by_a_deploy_that_broke_off_is_taken_up(hub: HubServer, folder: Path) -> None:
    token = hub.add_user("ana")
    fill(FolderStore(folder), [])
    hub.create_repo("ana/farming-seed", "space")
    hub.write("ana/farming-seed", {"app.py": assemble(SEED_SPACE)["app.py"]}, repo_type="space")
    run("deploy", "ana/farming", "--from", folder, env=hub.client_env(token))
    assert hub.variables("ana/farming-seed") == {"SEEDBED_PROJECT": "ana/farming"}


def test_what_is_made_public_needs_less_by_hand(hub: HubServer, folder: Path) -> None:
    token = hub.add_user("ana")
    fill(FolderStore(folder), [])
    said = run("deploy", "ana/farming", "--from", folder, "--public", env=hub.client_env(token))
    kinds = (("ana/farming", "dataset"), ("ana/farming-seed", "space"))
    assert {hub.repo(name, kind).visibility for name, kind in kinds} == {"public"}
    assert "may read" not in said.stdout
    assert "make the Space public" not in said.stdout
    assert "a token that may write to ana/farming" in said.stdout
    api = HfApi(endpoint=hub.url, token=token)
    api.add_space_secret("ana/farming-annotate", "HF_TOKEN", "hf_given")
    again = run("deploy", "ana/farming", env=hub.client_env(token)).stdout
    assert "HF_TOKEN" not in again


def test_what_remains_by_hand_is_said_in_five_languages() -> None:
    words = json.loads((ROOT / "pipeline" / "by_hand.json").read_text())
    for key, said in words.items():
        assert list(said) == ["en", "es", "pt", "fr", "de"], key
        places = {tuple(sorted(set(re.findall(r"\{\w+\}", text)))) for text in said.values()}
        assert len(places) == 1, key


@pytest.mark.browser
def test_a_space_with_a_setting_that_cannot_be_read_says_which(
    hub: HubServer, tmp_path: Path, new_page: NewPage
) -> None:
    place = lay_out(ANNOTATE_SPACE, tmp_path / "space")
    env = {**hub.client_env(), **hub.sign_in_env("ana/vines-x", "openid profile")}
    wrong = {**env, "SEEDBED_PROJECT": "ana/vines", "SEEDBED_COMMIT_SECONDS": "<b>soon"}
    with start(ANNOTATE_SPACE.package, place, wrong) as running:
        page = new_page(locale="pt-PT")
        page.goto(running.url)
        expect(page.get_by_text("SEEDBED_COMMIT_SECONDS is '<b>soon'")).to_be_visible()
        expect(page.get_by_role("heading", name="ainda não está configurado")).to_be_visible()
        expect(page.get_by_role("link", name="Abrir as definições")).to_be_visible()
