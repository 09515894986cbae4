"""The endpoints for scripts, through the real client."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import httpx2
import pytest
from gradio_client import Client
from gradio_client.exceptions import AppError

from pipeline.core import invitations
from pipeline.core.projects import load_feedback
from pipeline.core.schema import Project
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_sample, fill
from tests.hub_server import HubServer
from tests.spaces import RunningSpace

SAMPLES = [a_sample(number) for number in range(6)]


def client(space: RunningSpace, headers: dict[str, str] | None = None) -> Client:
    return Client(space.url, headers=headers, verbose=False, analytics_enabled=False)


def invitation(store: FolderStore, name: str) -> str:
    day = timedelta(days=1)
    return invitations.make(store, name, day, pseudonyms=False, made_by="lead").token


@pytest.fixture
def invited(folder: Path) -> Iterator[RunningSpace]:
    """A project that takes answers by invitation only."""
    project = Project()
    project.access.annotate = "invitation"
    fill(FolderStore(folder), SAMPLES, project)
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as running:
        yield running


def test_a_script_with_an_invitation_votes_and_takes_back(
    invited: RunningSpace, folder: Path
) -> None:
    store = FolderStore(folder)
    invite = invitation(store, "Ana")
    api = client(invited)
    reply = api.predict(invite=invite, count=4, api_name="/next_samples")
    assert len(reply["items"]) == 4
    assert reply["items"][0]["answers"][0]["text"].startswith("Answer")
    assert "maker/" not in str(reply)
    events = [
        {"event_id": f"e{number}", "ticket": item["ticket"], **answer(item)}
        for number, item in enumerate(reply["items"])
    ]
    told = api.predict(invite=invite, events=events, api_name="/submit_feedback")
    assert told["received"] == ["e0", "e1", "e2", "e3"]
    told = api.predict(invite=invite, event_ids=["e0", "x"], api_name="/undo_feedback")
    assert (told["received"], list(told["rejected"])) == (["e0"], ["x"])
    after = api.predict(invite=invite, api_name="/progress")
    assert sum(task["done"] for task in after["progress"].values()) == 3
    invited.stop()
    given = list(load_feedback(store).current())
    assert len(given) == 3
    assert {event.annotator for event in given} == {after["annotator"]}


def answer(item: dict[str, Any]) -> dict[str, Any]:
    return {"label": True} if item["task"] == "thumbs" else {"preference": "left"}


def test_checks_are_those_of_the_screen(invited: RunningSpace, folder: Path) -> None:
    store = FolderStore(folder)
    invite, other = invitation(store, "Ana"), invitation(store, "Bob")
    api = client(invited)
    with pytest.raises(AppError, match="invitation"):
        api.predict(invite="", count=1, api_name="/next_samples")
    with pytest.raises(AppError, match="invitation"):
        api.predict(invite="made up", count=1, api_name="/next_samples")
    item = api.predict(invite=invite, count=1, api_name="/next_samples")["items"][0]
    wrong = [{"event_id": "e", "ticket": item["ticket"], "lable": True}]
    told = api.predict(invite=invite, events=wrong, api_name="/submit_feedback")
    assert "no field 'lable'" in told["rejected"]["e"]
    stolen = [{"event_id": "e", "ticket": item["ticket"], **answer(item)}]
    told = api.predict(invite=other, events=stolen, api_name="/submit_feedback")
    assert "not belong to a question" in told["rejected"]["e"]
    with pytest.raises(AppError, match="list"):
        api.predict(invite=invite, events="x", api_name="/submit_feedback")

    # A message longer than any that could be kept is refused before it is read.
    huge = f"{invited.url}/gradio_api/component_server"
    assert httpx2.post(huge, content=b" " * 40_000_000, timeout=60).status_code == 413


def test_an_open_project_needs_no_invitation_and_each_client_is_a_person(folder: Path) -> None:
    fill(FolderStore(folder), SAMPLES)
    with RunningSpace("annotate_space", {"SEEDBED_PROJECT": str(folder)}) as space:
        names = set()
        for _ in range(2):
            api = client(space)
            names.add(api.predict(invite="", api_name="/progress")["annotator"])
            api.predict(invite="", count=1, api_name="/next_samples")
        assert len(names) == 2


def test_a_hugging_face_token_signs_a_script_in(hub: HubServer, tmp_path: Path) -> None:
    token, bob = hub.add_user("ana"), hub.add_user("bob")
    project = Project()
    project.access.annotate = "named"
    project.access.people = ["bob"]
    store = HubStore("ana/farming", token=token, hub=hub.url)
    fill(store, SAMPLES, project)
    env = {
        **hub.client_env(token),
        "SEEDBED_PROJECT": "ana/farming",
        "SEEDBED_WORK_DIR": str(tmp_path / "work"),
        "SYSTEM": "spaces",
    }
    with RunningSpace("annotate_space", env) as space:
        api = client(space, headers={"Authorization": f"Bearer {bob}"})
        assert api.predict(invite="", api_name="/progress")["annotator"] == "bob"
        item = api.predict(invite="", count=1, api_name="/next_samples")["items"][0]
        events = [{"event_id": "e", "ticket": item["ticket"], **answer(item)}]
        told = api.predict(invite="", events=events, api_name="/submit_feedback")
        assert told["received"] == ["e"]
        for header in ({}, {"Authorization": "Bearer hf_nobody"}):
            with pytest.raises(AppError, match=r"[Ss]ign"):
                client(space, headers=header).predict(invite="", count=1, api_name="/next_samples")
        carl = {"Authorization": f"Bearer {hub.add_user('carl')}"}
        with pytest.raises(AppError, match="carl is not among"):
            client(space, headers=carl).predict(invite="", count=1, api_name="/next_samples")
