"""What is brought along gets onto the screen as a person chose, and from nowhere else."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from pipeline.core.errors import InvalidInput, ProjectNotFound
from pipeline.core.importing import read
from pipeline.core.projects import make_project
from pipeline.core.schema import Project, Seed
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.web.visitor import Visitor
from seed_space.importing import from_project, from_upload, outlook, put, with_roles
from seed_space.screen import FIELDS, show
from seed_space.screen import read as read_screen
from tests.core.test_importing import GROWER
from tests.factories import a_seed
from tests.hub_server import HubServer


def on_screen(values: list[Any]) -> Seed:
    return read_screen(values, Seed()).require("en")


def test_adding_keeps_what_is_there_and_doubles_nothing() -> None:
    found = read(GROWER.read_bytes()).take()
    once = put(found, show(a_seed()), {"topics": "add", "examples": "add", "domain": "add"})
    assert put(found, once, {"topics": "add", "examples": "add"}) == once
    seed = on_screen(once)
    assert seed.domain == "Farming"  # adding to a text that is there leaves it
    assert seed.topics == [*a_seed().topics, *found.lists["topics"]]
    assert len(seed.examples) == 5
    assert seed.perspectives == a_seed().perspectives


def test_replacing_takes_only_the_chosen_fields() -> None:
    found = read(GROWER.read_bytes()).take()
    modes = {"domain": "replace", "topics": "replace", "perspectives": "leave", "examples": "x"}
    seed = on_screen(put(found, show(a_seed()), modes))
    assert (seed.domain, seed.topics) == ("beekeeping", found.lists["topics"])
    assert seed.perspectives == a_seed().perspectives
    assert seed.examples == a_seed().examples


def test_the_outlook_counts_what_putting_does() -> None:
    found = read(b"Topic,Sprache,Domain\nclay SOILS,Deutsch,Bees\nWater,,\nFire,,\n").take()
    told = {row["field"]: row for row in outlook(found, show(a_seed()))}
    assert list(told) == ["domain", "language", "topics"]
    assert [told["topics"][name] for name in ("count", "new", "known", "now")] == [3, 2, 1, 2]
    assert told["topics"]["samples"] == ["Water", "Fire"]
    # A name that was given stays unless the person says so; English is nobody's choice.
    assert (told["domain"]["mode"], told["language"]["mode"]) == ("leave", "replace")
    many = read(("topic\n" + "\n".join(f"t{n}" for n in range(499))).encode()).take()
    assert outlook(many, show(a_seed()))[0]["over"] == 500


def test_an_upload_that_is_broken_or_too_large_is_refused() -> None:
    good = from_upload("a.csv", base64.b64encode(b"topic\nSoil").decode())
    assert good.brought.take().lists == {"topics": ["Soil"]}
    for data in ("%%%", 5, None, "A" * 7_000_000):
        with pytest.raises(InvalidInput):
            from_upload("a.csv", data)


def test_columns_are_read_as_told_and_nothing_else_is_believed() -> None:
    brought = read(b"a,b\nSoil,x\nWater,y\n")
    named = with_roles(brought, [{"roles": ["topic", "__class__"], "headed": True}])
    assert named.take().lists == {"topics": ["Soil", "Water"]}
    wrong: list[object] = [None, [], [{}], [{"roles": ["topic"]}], ["x"]]
    for told in wrong:
        with pytest.raises(InvalidInput, match="did not arrive"):
            with_roles(brought, told)


def test_another_project_is_read_with_the_visitors_rights_only(
    hub: HubServer, folder: Path
) -> None:
    owner = hub.add_user("ana", "hf_owner")
    make_project(HubStore("ana/private", token=owner, hub=hub.url), a_seed(), Project())
    # The Space's own token would be let in.
    settings = Settings("ana/farm", hf_token=owner, hub=hub.url, on_space=True)
    with pytest.raises(ProjectNotFound):
        from_project(settings, Visitor(), "ana/private")
    stranger = Visitor("bob", hub.add_user("bob"))
    with pytest.raises(ProjectNotFound):
        from_project(settings, stranger, "ana/private")
    mine = from_project(settings, Visitor("ana", owner), f"{hub.url}/datasets/ana/private")
    assert mine.brought.take().seed() == a_seed()
    make_project(FolderStore(folder), a_seed(), Project())
    with pytest.raises(InvalidInput, match="names no project"):
        from_project(settings, Visitor("ana", owner), str(folder))  # a Space's disk is nobody's
    laptop = Settings("./x", hub=hub.url)
    assert from_project(laptop, Visitor(), str(folder)).brought.take()


def test_all_fields_of_the_screen_stay_in_place() -> None:
    values = show(a_seed())
    assert len(put(read(b"topic\nSoil").take(), values, {})) == len(FIELDS)
    assert put(read(b"topic\nSoil").take(), values, {}) == values
