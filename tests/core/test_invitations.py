"""Links that let somebody in without an account, and nobody else."""

from __future__ import annotations

import base64
import json
import re
import string
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from pipeline.core import invitations, layout
from pipeline.core.errors import Conflict, InvalidInput, InvitationNeeded, StoreUnavailable
from pipeline.core.feedback import timestamp
from pipeline.core.invitations import MOST, Invitation, Invitations, parse_duration
from pipeline.core.projects import make_project
from pipeline.core.schema import Project
from pipeline.core.store import Store
from pipeline.core.store_folder import FolderStore
from pipeline.core.store_hub import HubStore
from tests.factories import a_seed
from tests.hub_server import Fault, HubServer

WEEK = timedelta(days=7)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def store(folder: Path) -> FolderStore:
    made = FolderStore(folder)
    make_project(made, a_seed(), Project())
    return made


def make(store: Store, name: str = "Ana María", *, pseudonyms: bool = False) -> invitations.Made:
    return invitations.make(store, name, WEEK, pseudonyms=pseudonyms, made_by="lead")


def test_an_invitation_lets_its_person_in_until_it_expires(store: FolderStore) -> None:
    made = make(store)
    known = invitations.load(store)
    found = known.check(made.token, now())
    assert (found.name, found.id, found.made_by) == ("Ana María", made.invitation.id, "lead")
    known.check(made.token, now() + WEEK - timedelta(minutes=1))
    with pytest.raises(InvitationNeeded, match=r"expired.*Ask who sent it"):
        known.check(made.token, now() + WEEK + timedelta(minutes=1))


def test_an_invitation_that_was_taken_back_lets_nobody_in(store: FolderStore) -> None:
    made, other = make(store), make(store, "Bo")
    gone = invitations.revoke(store, f" {made.invitation.id} ")
    assert invitations.revoke(store, gone.id) == gone
    known = invitations.load(store)
    with pytest.raises(InvitationNeeded, match="taken back"):
        known.check(made.token, now())
    assert known.check(other.token, now()).name == "Bo"
    with pytest.raises(InvalidInput, match="no invitation"):
        invitations.revoke(store, "0123456789")


def test_an_invitation_that_is_extended_lets_in_by_the_same_link(store: FolderStore) -> None:
    made, other = make(store), make(store, "Bo")
    month = timedelta(days=30)
    longer = invitations.extend(store, f" {made.invitation.id} ", month)
    known = invitations.load(store)
    assert known.check(made.token, now() + WEEK + month - timedelta(minutes=1)) == longer
    with pytest.raises(InvitationNeeded, match="expired"):
        known.check(made.token, now() + WEEK + month + timedelta(minutes=1))
    assert known.check(other.token, now()).expires_at == other.invitation.expires_at
    assert longer.id == made.invitation.id


def test_an_expired_invitation_is_extended_from_now(store: FolderStore) -> None:
    made = make(store)
    gone = made.invitation.model_copy(update={"expires_at": timestamp(now() - WEEK)})
    data = Invitations(invitations=(gone,)).to_json()
    store.commit({layout.INVITATIONS: data}, message="Let time pass")
    with pytest.raises(InvitationNeeded, match="expired"):
        invitations.load(store).check(made.token, now())
    invitations.extend(store, gone.id, WEEK)
    known = invitations.load(store)
    known.check(made.token, now() + WEEK - timedelta(minutes=1))
    with pytest.raises(InvitationNeeded, match="expired"):
        known.check(made.token, now() + WEEK + timedelta(minutes=1))


def test_only_what_may_be_is_extended(store: FolderStore) -> None:
    made = make(store)
    for time in (timedelta(0), timedelta(days=-1), timedelta(days=360)):
        with pytest.raises(InvalidInput, match="at most a year"):
            invitations.extend(store, made.invitation.id, time)
    with pytest.raises(InvalidInput, match="no invitation"):
        invitations.extend(store, "0123456789", WEEK)
    invitations.revoke(store, made.invitation.id)
    with pytest.raises(InvalidInput, match="taken back"):
        invitations.extend(store, made.invitation.id, WEEK)


def test_an_extension_that_is_repeated_extends_once(
    store: FolderStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    made = make(store)
    commit = store.commit

    def reply_lost(*given: Any, **words: Any) -> None:  # noqa: ANN401
        monkeypatch.setattr(store, "commit", commit)
        commit(*given, **words)
        raise Conflict(layout.INVITATIONS)

    monkeypatch.setattr(store, "commit", reply_lost)
    longer = invitations.extend(store, made.invitation.id, WEEK)
    whole = datetime.fromisoformat(longer.expires_at) - now()
    assert timedelta(days=13) < whole <= 2 * WEEK


def test_a_token_can_be_sent_in_an_address_and_is_short(store: FolderStore) -> None:
    for name in ("A", "😀" * 40, '"\\' * 20, "Ω" * 40):
        token = make(store, name).token
        assert len(token) < 300
        assert set(token) <= set(string.ascii_letters + string.digits + "-_.")
        assert invitations.load(store).check(token, now()).name == name


def test_a_token_that_was_changed_anywhere_does_not_fit(store: FolderStore) -> None:
    token = make(store).token
    known = invitations.load(store)
    for place, letter in enumerate(token):
        changed = token[:place] + ("A" if letter != "A" else "B") + token[place + 1 :]
        with pytest.raises(InvitationNeeded, match="not known"):
            known.check(changed, now())
    body, chance = token.split(".")
    payload = json.loads(base64.urlsafe_b64decode(body + "=="))
    payload[3] += 10**8
    forged = base64.urlsafe_b64encode(json.dumps(payload).encode()).rstrip(b"=").decode()
    for bad in (
        f"{forged}.{chance}",
        body,
        chance,
        "",
        ".",
        token + "=",
        " " + token,
        "\ud800" * 9,
    ):
        with pytest.raises(InvitationNeeded, match="not known"):
            known.check(bad, now())
    with pytest.raises(InvitationNeeded):
        known.check("x" * 1_000_000, now())


def test_the_dataset_gives_nobody_the_key(store: FolderStore, folder: Path) -> None:
    made = make(store)
    stored = (folder / layout.INVITATIONS).read_text()
    body, chance = made.token.split(".")
    assert body not in stored
    assert chance not in stored
    with pytest.raises(InvitationNeeded):
        invitations.load(store).check(made.invitation.digest, now())
    assert made.token not in repr(made)


def test_with_pseudonyms_the_dataset_holds_no_name_but_the_link_does(
    store: FolderStore, folder: Path
) -> None:
    made = make(store, pseudonyms=True)
    assert "Ana" not in (folder / layout.INVITATIONS).read_text()
    assert invitations.load(store).check(made.token, now()).name == "Ana María"


def test_an_invitation_is_to_one_project_only(store: FolderStore, tmp_path: Path) -> None:
    other = FolderStore(tmp_path / "other")
    make_project(other, a_seed(), Project())
    make(other, "Bo")
    with pytest.raises(InvitationNeeded, match="not known"):
        invitations.load(other).check(make(store).token, now())
    assert not layout.belongs(layout.INVITATIONS), "a copy of the project would let them in"


@pytest.mark.parametrize(
    "name", ["", "   ", "x" * 41, "a\nb", "a~b", "a\0b", "\u202eevil", "a\u2028b", "\ud800", "\x7f"]
)
def test_a_hostile_name_is_refused(store: FolderStore, name: str) -> None:
    with pytest.raises(InvalidInput, match="name on an invitation"):
        make(store, name)
    assert invitations.load(store) == Invitations()


@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("30m", timedelta(minutes=30)),
        ("12h", timedelta(hours=12)),
        ("7d", timedelta(days=7)),
        (" 2 W ", timedelta(weeks=2)),
    ],
)
def test_a_time_is_a_number_and_a_letter(text: str, time: timedelta) -> None:
    assert parse_duration(text) == time


@pytest.mark.parametrize("text", ["", "7", "d", "-7d", "7y", "1.5d", "7d7d", "٣d", "9" * 30 + "d"])
def test_what_is_no_time_is_refused_with_an_example(text: str) -> None:
    with pytest.raises(InvalidInput, match="such as 7d"):
        parse_duration(text)


@pytest.mark.parametrize("time", [timedelta(seconds=59), timedelta(0), timedelta(days=367)])
def test_an_invitation_is_good_for_a_minute_to_a_year(store: FolderStore, time: timedelta) -> None:
    with pytest.raises(InvalidInput, match="at least a minute"):
        invitations.make(store, "Ana", time, pseudonyms=False, made_by="")


def stored(number: int, expires_at: str, **changes: object) -> Invitation:
    fields = {
        "id": f"{number:010x}",
        "made_at": "2026-01-01T00:00:00Z",
        "expires_at": expires_at,
        "digest": f"{number:064x}",
    }
    return Invitation.model_validate({**fields, **changes})


def test_the_oldest_that_ended_make_room_and_none_that_is_good(store: FolderStore) -> None:
    later = timestamp(now() + WEEK)
    ended = stored(1, "2026-02-01T00:00:00Z")
    full = Invitations(
        invitations=(stored(0, later), ended, *(stored(i, later) for i in range(2, MOST)))
    )
    store.commit({layout.INVITATIONS: full.to_json()}, message="Fill")
    make(store, "Bo")
    ids = [one.id for one in invitations.load(store).invitations]
    assert len(ids) == MOST
    assert ended.id not in ids
    with pytest.raises(InvalidInput, match="Take some back"):
        make(store, "Cy")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"{", "not JSON"),
        (b"[]", "not an object"),
        (b'{"schema_version": 99}', "Update Seedbed"),
        (b'{"invitations": [{"id": "x"}]}', "invitations.0.id"),
        (b'{"invites": []}', "invites"),
    ],
)
def test_a_broken_file_is_named(store: FolderStore, data: bytes, said: str) -> None:
    store.commit({layout.INVITATIONS: data}, message="Break")
    with pytest.raises(InvalidInput, match=said) as caught:
        invitations.load(store)
    assert "invitations.json" in str(caught.value)


@pytest.fixture
def on_hub(hub: HubServer) -> HubStore:
    store = HubStore("ana/farming", token=hub.add_user("ana", "hf_ana"), hub=hub.url)
    make_project(store, a_seed(), Project())
    return store


def test_leads_who_invite_at_the_same_time_lose_nothing(hub: HubServer, on_hub: HubStore) -> None:
    failed: list[Exception] = []
    tokens: list[str] = []

    def one(number: int) -> None:
        store = HubStore("ana/farming", token="hf_ana", hub=hub.url)
        try:
            made = make(store, f"Expert {number}")
            tokens.append(made.token)
            if number % 2:
                invitations.revoke(store, made.invitation.id)
        except StoreUnavailable as error:
            failed.append(error)

    threads = [threading.Thread(target=one, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    known = invitations.load(on_hub)
    assert len(known.invitations) == 4
    assert sum(one.revoked_at is not None for one in known.invitations) == 2
    good = 0
    for token in tokens:
        try:
            good += bool(known.check(token, now()))
        except InvitationNeeded as error:
            assert re.search("taken back", str(error))
    assert good == 2


def test_a_commit_whose_reply_was_lost_invites_once(hub: HubServer, on_hub: HubStore) -> None:
    hub.fail(Fault("commit", drop=True, applied=True))
    make(on_hub)
    assert len(invitations.load(on_hub).invitations) == 1
