"""Who may annotate, under which name, and who leads."""

from __future__ import annotations

import hashlib
import stat
import threading
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from annotate_space.people import (
    AskName,
    Door,
    HubUser,
    Tokens,
    secret_of,
    token_in,
    user_of_profile,
)
from pipeline.core import invitations
from pipeline.core.errors import (
    InvitationNeeded,
    NotAllowed,
    NotSignedIn,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.invitations import Invitations
from pipeline.core.projects import make_project
from pipeline.core.schema import AccessSettings, Project
from pipeline.core.settings import Settings
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_seed
from tests.hub_server import Fault, HubServer

KEY = "0123456789abcdef" * 2
GUEST = {"guest": {"name": "Ana", "key": KEY}}
OWNER = HubUser("ana")
BO = HubUser("Bo", ("growers",))
CY = HubUser("cy")
MODES = ("open", "signed_in", "named", "invitation")


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def store(folder: Path) -> FolderStore:
    made = FolderStore(folder)
    make_project(made, a_seed(), Project())
    return made


def door(
    store: FolderStore, *, on_space: bool, invited: Invitations | None = None, **access: object
) -> Door:
    made = Door(Settings(project=str(store.name), on_space=on_space), store, b"secret")
    made.configure(AccessSettings.model_validate(access), invited or Invitations())
    return made


# For each mode: a guest, nobody, somebody named, a member of a named organisation, somebody else.
ON_SPACE: dict[str, tuple[object, ...]] = {
    "open": ("guest", AskName, "hub", "hub", "hub"),
    "signed_in": (NotSignedIn, NotSignedIn, "hub", "hub", "hub"),
    "named": (NotSignedIn, NotSignedIn, "hub", "hub", NotAllowed),
    "invitation": (InvitationNeeded,) * 5,
}


@pytest.mark.parametrize("mode", MODES)
def test_who_may_come_in_on_a_space(store: FolderStore, mode: str) -> None:
    one = door(store, on_space=True, annotate=mode, people=["DI", "Growers"])
    visitors: list[tuple[dict[str, Any], HubUser | None]] = [
        (GUEST, None),
        ({}, None),
        (GUEST, HubUser("di")),
        ({}, BO),
        ({}, CY),
    ]
    for (who, user), expected in zip(visitors, ON_SPACE[mode], strict=True):
        if isinstance(expected, str):
            assert one.admit(who, user).kind == expected
        else:
            assert isinstance(expected, type)
            assert issubclass(expected, SeedbedError)
            with pytest.raises(expected) as caught:
                one.admit(who, user)
            assert caught.value.next_step


@pytest.mark.parametrize("mode", MODES)
def test_who_may_come_in_on_a_laptop(store: FolderStore, mode: str) -> None:
    one = door(store, on_space=False, annotate=mode, people=["bo"])
    if mode == "invitation":
        for who, user in ((GUEST, None), ({}, None), ({}, BO)):
            with pytest.raises(InvitationNeeded, match="invitation link"):
                one.admit(who, user)
        return
    assert one.admit(GUEST, BO).kind == "guest", "nobody is signed in off a Space"
    with pytest.raises(AskName):
        one.admit({}, None)


@pytest.mark.parametrize("on_space", [True, False])
@pytest.mark.parametrize("mode", MODES)
def test_a_good_invitation_always_lets_in(store: FolderStore, mode: str, on_space: bool) -> None:
    made = invitations.make(store, "Eva", timedelta(days=1), pseudonyms=False, made_by="")
    known = invitations.load(store)
    one = door(store, on_space=on_space, invited=known, annotate=mode)
    person = one.admit({"invite": made.token}, None)
    assert (person.annotator, person.name, person.kind) == (
        f"Eva~{made.invitation.id}", "Eva", "invitation",
    )  # fmt: skip
    signed_in = one.admit({"invite": made.token}, CY)
    welcome = on_space and mode in ("open", "signed_in")
    assert signed_in.kind == ("hub" if welcome else "invitation")


@pytest.mark.parametrize("mode", MODES)
def test_a_bad_invitation_says_why_and_lets_in_only_where_all_may(
    store: FolderStore, mode: str
) -> None:
    made = invitations.make(store, "Eva", timedelta(days=1), pseudonyms=False, made_by="")
    invitations.revoke(store, made.invitation.id)
    one = door(store, on_space=True, invited=invitations.load(store), annotate=mode)
    for token, said in (
        (made.token, "taken back"),
        (made.token[:-1], "not known"),
        (7, "not known"),
    ):
        with pytest.raises(AskName if mode == "open" else InvitationNeeded, match=said):
            one.admit({"invite": token}, None)


@pytest.mark.parametrize(
    "guest",
    [
        None, 5, "ana", [], {}, {"name": "Ana"}, {"key": KEY}, {"name": "", "key": KEY},
        {"name": "~\n\t", "key": KEY}, {"name": "Ana", "key": KEY[:-1]}, {"name": "Ana", "key": 5},
        {"name": "Ana", "key": KEY.upper()}, {"name": 5, "key": KEY},
        {"name": "\ud800", "key": KEY},
    ],
)  # fmt: skip
def test_a_guest_who_does_not_say_who_they_are_is_asked(store: FolderStore, guest: object) -> None:
    with pytest.raises(AskName):
        door(store, on_space=False).admit({"guest": guest}, None)


@pytest.mark.parametrize(
    ("name", "cleaned"),
    [
        (" Ana  María ", "Ana María"),
        ("cy~0123", "cy 0123"),
        ("a\0b\nc", "a b c"),
        ("x" * 500, "x" * 40),
        ("\u202eevil", "evil"),
    ],
)
def test_a_name_cannot_pass_for_another_kind_of_id(
    store: FolderStore, name: str, cleaned: str
) -> None:
    person = door(store, on_space=False).admit({"guest": {"name": name, "key": KEY}}, None)
    assert person.name == cleaned
    assert person.annotator.rpartition("~")[0] == cleaned
    assert person.annotator.count("~") == 1


def test_a_guest_stays_the_same_and_their_id_is_not_their_key(store: FolderStore) -> None:
    one, other = door(store, on_space=False), door(store, on_space=True)
    first = one.admit(GUEST, None).annotator
    assert first == other.admit(GUEST, None).annotator
    assert KEY not in first
    digits = first.partition("~")[2]
    assert hashlib.sha256(KEY.encode()).hexdigest().startswith(digits)
    somebody = one.admit({"guest": {"name": "Ana", "key": "f" * 32}}, None)
    assert somebody.annotator != first
    with pytest.raises(AskName):
        one.admit({"guest": {"name": "Ana", "key": digits}}, None)


def test_pseudonyms_are_stable_different_and_need_the_secret(store: FolderStore) -> None:
    made = invitations.make(store, "Ana", timedelta(days=1), pseudonyms=True, made_by="")
    known = invitations.load(store)

    def everyone(secret: bytes) -> list[str]:
        one = Door(Settings(project=store.name, on_space=True), store, secret)
        one.configure(AccessSettings(pseudonyms=True), known)
        people = [
            one.admit(GUEST, None),
            one.admit({}, CY),
            one.admit({"invite": made.token}, None),
        ]
        assert [person.name for person in people] == ["Ana", "cy", "Ana"]
        return [person.annotator for person in people]

    given = everyone(b"secret")
    assert given == everyone(b"secret")
    assert len(set(given)) == 3
    assert not set(given) & set(everyone(b"other"))
    for name in given:
        assert name.startswith("annotator-")
        assert len(name) == len("annotator-") + 10


def test_a_lead_is_named_in_the_dataset_as_annotators_are(store: FolderStore) -> None:
    named = door(store, on_space=True)
    assert named.annotator(BO) == "Bo"
    assert named.annotator(None) == ""
    hidden = door(store, on_space=True, pseudonyms=True)
    assert hidden.annotator(BO) == hidden.admit({}, BO).annotator
    assert hidden.annotator(BO).startswith("annotator-")
    for pseudonyms in (False, True):
        laptop = door(store, on_space=False, pseudonyms=pseudonyms)
        assert laptop.annotator(None) == laptop.annotator(BO) == "owner"


def test_everybody_at_a_laptop_is_lead_and_no_stranger_on_a_space(store: FolderStore) -> None:
    assert door(store, on_space=False).is_lead(None)
    with pytest.raises(NotAllowed, match="leads"):
        door(store, on_space=True).require_lead(None)


@pytest.fixture
def project(hub: HubServer) -> HubStore:
    hub.add_user("ana", "hf_anatoken1")
    made = HubStore("ana/farming", token="hf_anatoken1", hub=hub.url)
    make_project(made, a_seed(), Project())
    return made


def test_the_owner_the_named_and_who_may_write_lead(hub: HubServer, project: HubStore) -> None:
    space = Settings(project="ana/farming", hub=hub.url, on_space=True)
    one = Door(space, project, b"s")
    one.configure(AccessSettings(leads=["Bo"]), Invitations())
    assert one.is_lead(OWNER)
    assert one.is_lead(HubUser("bo"))
    assert not one.is_lead(CY)
    cy = replace(CY, token=hub.add_user("cy", "hf_cytoken12"))
    assert not one.is_lead(cy)
    hub.add_user("growers", "hf_growers12")
    shared = HubStore("growers/farming", token="hf_growers12", hub=hub.url)
    make_project(shared, a_seed(), Project())
    other = Door(replace(space, project="growers/farming"), shared, b"s")
    member = HubUser("di", token=hub.add_user("di", "hf_ditoken12", orgs=["growers"]))
    reader = HubUser("di2", token=hub.add_token("di", "read"))
    assert other.is_lead(member)
    assert not other.is_lead(reader)
    assert not other.is_lead(cy)


@pytest.mark.parametrize(
    ("role", "leads"),
    [("admin", True), ("write", True), ("contributor", False), ("read", False), (None, False)],
)
def test_only_who_surely_may_write_to_what_an_organisation_has_leads(
    hub: HubServer, role: str | None, leads: bool
) -> None:
    hub.add_user("growers", "hf_growers12")
    shared = HubStore("growers/farming", token="hf_growers12", hub=hub.url)
    make_project(shared, a_seed(), Project())
    one = Door(Settings(project="growers/farming", hub=hub.url, on_space=True), shared, b"s")
    token = hub.add_user("di", "hf_ditoken12", orgs=["growers"], org_role=role)
    assert one.is_lead(HubUser("di", token=token)) == leads


def test_write_access_is_remembered_a_while_without_the_token(
    hub: HubServer, project: HubStore, caplog: pytest.LogCaptureFixture
) -> None:
    clock = Clock()
    one = Door(
        Settings(project="ana/farming", hub=hub.url, on_space=True), project, b"s", clock=clock
    )
    one.configure(AccessSettings(), Invitations())
    token = hub.add_user("cy", "hf_cytoken12")
    cy = HubUser("cy", token=token)
    hub.clear_requests()
    for _ in range(20):
        assert not one.is_lead(cy)
    assert len(hub.requests) == 1
    assert token not in repr(vars(one._writers)) + repr(cy)
    clock.now += 301
    hub.fail(Fault("whoami", status=500, times=None))
    assert not one.is_lead(cy)
    assert "cannot be asked" in caplog.text
    assert "cy" not in caplog.text.split()
    hub.clear_faults()
    hub.clear_requests()
    clock.now += 21
    assert not one.is_lead(cy)
    assert len(hub.requests) == 1


def test_a_program_is_known_by_its_token(hub: HubServer) -> None:
    clock = Clock()
    tokens = Tokens(hub.url, clock=clock)
    token = hub.add_user("cy", "hf_cytoken12", orgs=["growers"])
    for _ in range(3):
        assert tokens.user(token) == HubUser("cy", ("growers",), token)
    assert len(hub.requests) == 1
    assert tokens.user("hf_unknown99") is None
    assert tokens.user("hf_unknown99") is None
    assert len(hub.requests) == 2
    assert tokens.user("no token\n") is None
    assert token not in repr(vars(tokens._known))
    clock.now += 301
    with hub.outage(), pytest.raises(StoreUnavailable):
        tokens.user(token)


def test_invented_tokens_cost_the_hub_few_questions(hub: HubServer) -> None:
    clock = Clock()
    tokens = Tokens(hub.url, clock=clock)
    token = hub.add_user("cy", "hf_cytoken12")
    assert tokens.user(token) is not None
    refused = 0
    for number in range(40):
        try:
            assert tokens.user(f"hf_invented{number}") is None
        except StoreUnavailable:
            refused += 1
    assert (refused, len(hub.requests)) == (36, 5)
    assert tokens.user(token) is not None, "who is known is not held up"
    clock.now += 1
    assert tokens.user("hf_invented99") is None


@pytest.mark.parametrize(
    ("headers", "token"),
    [
        ({"authorization": "Bearer hf_0123456789"}, "hf_0123456789"),
        ({"x-hf-authorization": "bearer hf_0123456789"}, "hf_0123456789"),
        ({"authorization": "Basic hf_0123456789"}, None),
        ({"authorization": "Bearer secret"}, None),
        ({"authorization": "hf_0123456789"}, None),
        ({}, None),
    ],
)
def test_only_a_hugging_face_token_counts(headers: dict[str, str], token: str | None) -> None:
    assert token_in(headers) == token


def test_the_profile_of_a_sign_in_tells_name_and_organisations() -> None:
    profile = {
        "name": "Bo B", "preferred_username": "bo",
        "orgs": [{"name": "The Growers", "preferred_username": "growers"}, {"name": "x"}, 5],
    }  # fmt: skip
    assert user_of_profile(profile, "t") == HubUser("bo", ("growers",), "t"), "any can be called x"
    assert user_of_profile({"preferred_username": "bo"}, None) == HubUser("bo")


def test_the_secret_is_the_one_configured_or_follows_the_token(
    hub: HubServer, project: HubStore
) -> None:
    settings = Settings(project="ana/farming", hub=hub.url, hf_token="hf_one")
    mine = replace(settings, secret="mine")
    assert secret_of(mine, project) == secret_of(replace(mine, hf_token="two"), project)
    assert secret_of(mine, project) != secret_of(replace(mine, secret="yours"), project)
    assert b"mine" not in secret_of(mine, project)
    assert secret_of(settings, project) == secret_of(settings, project)
    assert secret_of(settings, project) != secret_of(replace(settings, hf_token="two"), project)
    assert b"hf_one" not in secret_of(settings, project)
    other = HubStore("ana/other", token=None, hub=hub.url)
    for one in (settings, mine):
        assert secret_of(one, project) != secret_of(replace(one, project="ana/other"), other)


def test_a_shared_secret_is_another_for_each_folder_however_it_is_written(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)

    def secret(name: str) -> bytes:
        return secret_of(Settings(project=name, secret="mine"), FolderStore(name))

    assert secret("./one") == secret(str(tmp_path / "one")) != secret("./two")


def test_a_folder_keeps_a_secret_that_all_its_servers_share(store: FolderStore) -> None:
    settings = Settings(project=store.name)
    found: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: found.append(secret_of(settings, store))) for _ in range(8)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 8
    assert len(set(found)) == 1
    assert len(found[0]) == 32
    path = store.work_folder / "secret"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    path.write_bytes(b"cut short")
    assert len(secret_of(settings, store)) == 32
    assert [file.path for file in store.files() if "secret" in file.path] == []


def test_a_disk_that_refuses_the_secret_is_told(store: FolderStore) -> None:
    (store.work_folder / "secret").mkdir(parents=True)
    with pytest.raises(StoreUnavailable, match="secret of this project"):
        secret_of(Settings(project=store.name), store)
