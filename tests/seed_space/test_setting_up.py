"""The page of a Space that cannot open its project, and the same for the Annotate Space."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotate_space import handlers as annotate
from annotate_space.handlers import Caller, Opening
from pipeline.core.projects import make_project
from pipeline.core.schema import Project
from pipeline.core.settings import Settings
from pipeline.core.store_hub import HubStore
from pipeline.web.visitor import Visitor
from seed_space.handlers import open_page
from seed_space.session import Session
from tests.factories import a_seed
from tests.hub_server import HubServer

NOT_SET_UP = "This Space is not set up yet"


def space(hub: HubServer, project: str, token: str | None = None) -> Settings:
    return Settings(project, hf_token=token, hub=hub.url, on_space=True, space_id="ana/x-seed")


def shown(settings: Settings, who: Visitor | None = None) -> str:
    return open_page(settings, None, Session(), who or Visitor()).setup


@pytest.mark.parametrize(
    ("project", "token", "words"),
    [
        ("", None, "which project it shows"),
        ("ana/none", None, "does not exist, or it is private"),
        ("ana/private", None, "does not exist, or it is private"),
        ("ana/private", "hf_runout123", "does not accept its token"),
    ],
)
def test_each_lack_is_told_with_what_to_set_and_where(
    hub: HubServer, project: str, token: str | None, words: str
) -> None:
    owner = hub.add_user("ana")
    make_project(HubStore("ana/private", token=owner, hub=hub.url), a_seed(), Project())
    settings = space(hub, project, token)
    page = shown(settings)
    assert NOT_SET_UP in page
    assert words in page
    assert f'href="{hub.url}/spaces/ana/x-seed/settings"' in page
    assert "HF_TOKEN" in page
    assert ("SEEDBED_PROJECT" in page) == (token is None)
    assert ("data-page-open" in page) == (token is None)
    assert "restarts by itself" in page
    opening = Opening(settings)
    reply = annotate.hello(opening, {}, Caller())
    opening.close()
    assert reply["kind"] == "setup"
    assert reply["setup"]["settings"] == settings.space_settings
    lack = "project" if not project else "token" if token else "sight"
    assert reply["setup"]["lack"] == lack


def test_who_is_not_signed_in_may_sign_in_to_see_a_private_project(hub: HubServer) -> None:
    assert "sign in above" in shown(space(hub, "ana/private"))
    signed_in = Visitor("bo", hub.add_user("bo"))
    assert "sign in above" not in shown(space(hub, "ana/private"), signed_in)


def test_an_outage_is_no_missing_setting(hub: HubServer) -> None:
    with hub.outage():
        page = shown(space(hub, "ana/private"))
    assert "cannot be reached right now" in page
    assert "HF_TOKEN" not in page
    assert "data-reload" in page


def test_on_a_laptop_the_command_is_told(folder: Path) -> None:
    page = shown(Settings(str(folder)))
    assert "python -m pipeline init" in page


def test_a_hostile_name_is_harmless(hub: HubServer) -> None:
    page = shown(space(hub, "<img src=x onerror=alert(1)>"))
    assert "<img" not in page
