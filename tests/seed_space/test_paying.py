"""Whose credentials are used, and what a visitor is told about it, against a real loopback Hub."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from pathlib import Path

import pytest

from pipeline.core.errors import InvalidInput, NotAllowed, NotSignedIn
from pipeline.core.projects import make_project
from pipeline.core.schema import GenerationSettings, ModelChoice, Project
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from pipeline.web.visitor import Visitor
from seed_space.allowance import AllowanceUsed, allowance_of
from seed_space.paying import LentAccess, access_for, give_back, standing
from seed_space.standing import as_html, cannot_save, line
from tests.factories import a_seed
from tests.hub_server import HubServer

ROUTED = GenerationSettings(models=[ModelChoice(model="maker/model")])
SERVED = GenerationSettings(models=[ModelChoice(model="m", base_url="https://models.example/v1")])
STAND_IN = GenerationSettings()
SCOPES = frozenset({"openid", "profile", "inference-api", "write-repos"})
WORDS = Path(__file__).parents[2] / "seed_space" / "words"


@pytest.fixture
def space(hub: HubServer, request: pytest.FixtureRequest) -> Settings:
    """A Space of ana's; named after the test, so that each counts for itself."""
    name = re.sub(r"\W+", "-", request.node.name)[:80].strip("-")
    token = hub.add_user("ana", "hf_anatoken1")
    make_project(HubStore(f"ana/{name}", token=token, hub=hub.url), a_seed(), Project())
    return Settings(
        f"ana/{name}",
        hf_token="hf_owners",
        hub=hub.url,
        api_key="sk-owner",
        on_space=True,
        space_id=f"ana/{name}-seed",
    )


def ana() -> Visitor:
    return Visitor("ana", "hf_anatoken1", SCOPES)


def lending(space: Settings, each: int = 5) -> Settings:
    return replace(space, visitor_samples=each, visitor_samples_total=10 * each)


def test_a_visitors_own_sign_in_pays_and_nobody_elses(space: Settings) -> None:
    access = access_for(lending(space), ana(), ROUTED, samples=3)
    assert access.hf_token == "hf_anatoken1"
    assert access.api_key is None
    assert not isinstance(access, LentAccess)
    with pytest.raises(NotSignedIn, match="not signed in"):
        access_for(space, Visitor(), ROUTED, samples=3)
    unscoped = Visitor("ana", "hf_anatoken1", SCOPES - {"inference-api"})
    with pytest.raises(NotAllowed, match="Sign out"):
        access_for(space, unscoped, ROUTED, samples=3)


def test_the_stand_in_needs_nobody(space: Settings) -> None:
    assert access_for(space, Visitor(), STAND_IN, samples=3).api_key is None
    assert standing(space, Visitor(), STAND_IN).paying == "nobody"


def test_the_owner_pays_for_visitors_as_far_as_the_owner_allows(space: Settings) -> None:
    settings, guest = lending(space), Visitor(address="198.51.100.1")
    assert standing(settings, guest, ROUTED).paying == "lent"
    access = access_for(settings, guest, ROUTED, samples=4)
    assert (access.hf_token, access.api_key) == ("hf_owners", None)
    assert allowance_of(settings).left(guest).samples == 1
    with pytest.raises(AllowanceUsed):
        access_for(settings, guest, ROUTED, samples=2)
    give_back(access, 4)
    assert allowance_of(settings).left(guest).samples == 5
    access_for(settings, guest, ROUTED, samples=5)
    assert standing(settings, guest, ROUTED).paying == "used"


def test_an_owner_without_a_token_lends_none(space: Settings) -> None:
    bare = replace(lending(space), hf_token=None)
    with pytest.raises(NotSignedIn):
        access_for(bare, Visitor(), ROUTED, samples=1)
    assert standing(bare, Visitor(), ROUTED).paying == "anonymous"


def test_the_projects_server_is_for_those_who_may_write_and_for_whom_the_owner_allows(
    space: Settings, hub: HubServer
) -> None:
    assert access_for(space, ana(), SERVED, samples=1).api_key == "sk-owner"
    reader = Visitor("bo", hub.add_user("bo"), SCOPES)
    for who in (reader, Visitor()):
        with pytest.raises((NotAllowed, NotSignedIn)):
            access_for(space, who, SERVED, samples=1)
        lent = access_for(lending(space), who, SERVED, samples=1)
        assert (lent.hf_token, lent.api_key) == (who.token, "sk-owner")
    assert standing(space, reader, SERVED).paying == "writers"


@pytest.mark.parametrize("role", [None, "contributor", "read"])
def test_somebody_elses_money_needs_a_right_that_is_sure(hub: HubServer, role: str | None) -> None:
    owner = hub.add_user("boss", orgs=["growers"])
    member = hub.add_user("mia", orgs=["growers"], org_role=role)
    make_project(HubStore("growers/farm", token=owner, hub=hub.url), a_seed(), Project())
    settings = Settings("growers/farm", hub=hub.url, api_key="sk-owner", on_space=True)
    mia = Visitor("mia", member, SCOPES)
    with pytest.raises(NotAllowed):
        access_for(settings, mia, SERVED, samples=1)
    assert standing(settings, mia, SERVED).saving == ("reader" if role == "read" else "perhaps")
    boss = Visitor("boss", owner, SCOPES)
    assert access_for(settings, boss, SERVED, samples=1).api_key == "sk-owner"


def test_a_folder_on_a_space_belongs_to_the_spaces_owner(folder: Path) -> None:
    settings = Settings(str(folder), api_key="sk", on_space=True, space_id="ana/farm-seed")
    assert access_for(settings, ana(), SERVED, samples=1).api_key == "sk"
    with pytest.raises(NotAllowed):
        access_for(settings, Visitor("bo", "hf_botoken12", SCOPES), SERVED, samples=1)


def test_on_a_laptop_its_owner_pays(folder: Path) -> None:
    make_project(FolderStore(folder), a_seed(), Project())
    settings = Settings(str(folder), hf_token="hf_mine", api_key="sk")
    access = access_for(settings, Visitor(None, "hf_mine"), SERVED, samples=99)
    assert (access.hf_token, access.api_key) == ("hf_mine", "sk")
    assert standing(settings, Visitor(None, "hf_mine"), ROUTED).saving == "machine"


def test_what_a_visitor_is_told_they_may_do(space: Settings, hub: HubServer) -> None:
    def saving(who: Visitor) -> str:
        return standing(space, who, ROUTED).saving

    assert saving(Visitor()) == "anonymous"
    assert saving(ana()) == "writer"
    assert saving(Visitor("bo", hub.add_user("bo"), SCOPES)) == "reader"
    assert saving(Visitor("ana", "hf_anatoken1", SCOPES - {"write-repos"})) == "unscoped"
    assert saving(Visitor("ana", "hf_runout123", SCOPES)) == "anonymous"
    with hub.outage():
        assert saving(ana()) == "untold"
    unscoped = Visitor("ana", "hf_anatoken1", SCOPES - {"inference-api"})
    assert standing(space, unscoped, ROUTED).paying == "unscoped"


@pytest.mark.parametrize("language", ["en", "es", "pt", "fr", "de"])
def test_the_line_is_safe_html_in_the_visitors_language(space: Settings, language: str) -> None:
    settings = lending(replace(space, project="ana/<b>"))
    guest = Visitor(address=f"host-{language}", language=language)
    shown = as_html(standing(settings, guest, ROUTED), settings, guest)
    assert 'data-saving="anonymous" data-paying="lent"' in shown
    assert "<b>" not in shown
    assert "{" not in shown
    assert "hf_" not in line(settings, replace(guest, token="hf_runout123"), ROUTED)


@pytest.mark.parametrize("language", ["en", "es", "pt", "fr", "de"])
def test_only_who_cannot_save_is_told_why(space: Settings, hub: HubServer, language: str) -> None:
    def told(who: Visitor) -> str:
        here = replace(who, language=language)
        return cannot_save(standing(space, here, ROUTED), space, here)

    assert told(ana()) == ""
    assert "ana/" in told(Visitor())
    assert "bo" in told(Visitor("bo", hub.add_user("bo"), SCOPES))


def test_every_word_of_this_area_is_there_in_five_languages() -> None:
    for area in ("who", "domains", "setup"):
        for key, said in json.loads((WORDS / f"{area}.json").read_text()).items():
            assert key.startswith(f"{area}."), key
            assert list(said) == ["en", "es", "pt", "fr", "de"], key
            places = {tuple(sorted(set(re.findall(r"\{\w+\}", text)))) for text in said.values()}
            assert len(places) == 1, key
            assert all(said.values()), key


@pytest.mark.parametrize("text", ["-1", "many", "1.5", "1000000000"])
def test_a_number_of_samples_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InvalidInput, match="SEEDBED_VISITOR_SAMPLES"):
        Settings.from_env({"SEEDBED_VISITOR_SAMPLES": text})


def test_the_owner_sets_what_visitors_may_have() -> None:
    assert Settings.from_env({}).visitor_samples == 0
    some = Settings.from_env({"SEEDBED_VISITOR_SAMPLES": "20", "SPACE_ID": "ana/farm-seed"})
    assert (some.visitor_samples, some.visitor_samples_total) == (20, 200)
    assert some.space_settings == "https://huggingface.co/spaces/ana/farm-seed/settings"
