"""What a new project holds once it is made."""

from __future__ import annotations

from pathlib import Path

from pipeline.core import layout
from pipeline.core.projects import make_project
from pipeline.core.schema import Project, Seed
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.web.visitor import Visitor
from seed_space.domains import make
from seed_space.handlers import open_page
from seed_space.session import Session
from tests.factories import a_seed
from tests.hub_server import HubServer

TOKEN = "hf_anastoken"


def test_a_new_folder_has_its_card_from_the_start(folder: Path) -> None:
    make_project(FolderStore(folder), a_seed(), Project())
    wish = {"place": "folder", "name": "vines", "start": "seed", "part": "dataset"}
    reply = make(Settings(str(folder)), None, Visitor(), wish)
    assert "error" not in reply
    assert "Farming" in (folder.parent / "vines" / layout.CARD).read_text(encoding="utf-8")


def test_a_new_dataset_has_its_card_from_the_start_also_when_it_is_made_in_two_goes(
    hub: HubServer,
) -> None:
    hub.add_user("ana", TOKEN)
    settings = Settings("ana/farming", hub=hub.url, on_space=True)
    make_project(HubStore("ana/vines", token=TOKEN, hub=hub.url), Seed(), Project())
    assert layout.CARD not in hub.files("ana/vines")
    who = Visitor("ana", TOKEN, frozenset({"manage-repos"}))
    wish = {"place": "hub", "owner": "ana", "name": "vines", "start": "empty", "part": "dataset"}
    reply = make(settings, None, who, wish)
    assert reply["made"] is False
    assert b"pretty_name: ana/vines" in hub.files("ana/vines")[layout.CARD]


def test_a_project_that_says_nothing_yet_is_not_marked_as_published(folder: Path) -> None:
    make_project(FolderStore(folder), Seed(), Project())
    opened = open_page(Settings(str(folder)), None, Session(), Visitor())
    assert opened.view.marks["publish"]["mark"] == "open"
