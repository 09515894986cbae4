"""Who is at the other end of a request: whether they may annotate, and under which name.

Ways to be somebody, from the surest: signed in with Hugging Face, an invitation link, a name typed
by a guest with a key that stays in their browser. What the dataset holds of each lets nobody else
pass for them: an invitation's id is not its token, and a guest's id is a digest of their key.
"""

from __future__ import annotations

import hashlib
import hmac
import logging
import re
import secrets
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, Generic, Literal, TypeVar

from filelock import FileLock, Timeout

from pipeline.core import hub as hub_client
from pipeline.core.disk import replace_durably
from pipeline.core.errors import (
    InvitationNeeded,
    NotAllowed,
    NotSignedIn,
    SeedbedError,
    StoreUnavailable,
)
from pipeline.core.invitations import MAX_TOKEN, Invitations, cleaned_name
from pipeline.core.projects import is_folder, work_folder
from pipeline.core.schema import AccessSettings
from pipeline.core.settings import Settings
from pipeline.core.store import Store
from pipeline.core.store_hub import HubStore

_log = logging.getLogger(__name__)

_KEY: Final = re.compile(r"[0-9a-f]{32}")
_TOKEN: Final = re.compile(r"hf_[A-Za-z0-9_]{8,200}")
_REMEMBERED: Final = 300.0
_ASK_AGAIN: Final = 20.0
_UNKNOWN_A_SECOND: Final = 5
_MOST_REMEMBERED: Final = 2_000
_SECRET_BYTES: Final = 32
_GUEST_DIGITS: Final = 16
"""Of the digest of a guest's key: a key that gives the same ones cannot be searched for."""
_LOCK_SECONDS: Final = 10

Known = TypeVar("Known")


class AskName(SeedbedError):
    """Everybody may annotate here, and this browser did not say who is at it."""


@dataclass(frozen=True, slots=True)
class HubUser:
    """Somebody signed in with Hugging Face.

    Attributes:
        name: User name on the Hub.
        orgs: Names of their organisations, as far as the sign-in told.
        token: Their own token; it lives as long as their request and is stored nowhere.
    """

    name: str
    orgs: tuple[str, ...] = ()
    token: str | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Person:
    """Somebody who may annotate.

    Attributes:
        annotator: Who they are in the dataset.
        name: Shown to themselves.
        kind: How they are known.
    """

    annotator: str
    name: str
    kind: Literal["hub", "invitation", "guest"]


class Door:
    """Who may come in, as the project says now.

    Args:
        settings: Whether this is a Space, where people sign in for themselves.
        store: The project.
        secret: What pseudonyms are made with; see ``secret_of``.
        clock: Seconds, for what is remembered about people.
    """

    def __init__(
        self,
        settings: Settings,
        store: Store,
        secret: bytes,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._settings = settings
        self._store = store
        self._secret = secret
        self._access = AccessSettings()
        self._invitations = Invitations()
        self._writers: _Memory[bool] = _Memory(clock)

    def configure(self, access: AccessSettings, invitations: Invitations) -> None:
        """Take the project's settings and invitations as they are now."""
        self._access, self._invitations = access, invitations

    @property
    def mode(self) -> Literal["open", "signed_in", "named", "invitation"]:
        """Who may annotate here: off a Space nobody can sign in, so such projects are open."""
        asked = self._access.annotate
        needs_hub = asked in ("signed_in", "named")
        return "open" if needs_hub and not self._settings.on_space else asked

    def admit(self, who: Mapping[str, Any], user: HubUser | None) -> Person:
        """Tell who sends a request.

        Args:
            who: What the browser says: ``{"invite": token}``, ``{"guest": {"name", "key"}}`` or
                nothing.
            user: Who is signed in with Hugging Face; nobody is, off a Space.

        Raises:
            AskName: Anybody may come in; they only have to give a name.
            NotSignedIn: They have to sign in with Hugging Face first.
            NotAllowed: They are signed in and not among those who may.
            InvitationNeeded: They have to open a link that is good.
        """
        user = user if self._settings.on_space else None
        if user is not None and self._welcome(user):
            return Person(self.annotator(user), user.name, "hub")
        problem: InvitationNeeded | None = None
        if token := who.get("invite"):
            try:
                return self._invited(str(token)[: MAX_TOKEN + 1])
            except InvitationNeeded as error:
                problem = error
        if self.mode == "open":
            return self._guest(who.get("guest"), problem)
        raise problem or self._refusal(user)

    def annotator(self, user: HubUser | None) -> str:
        """Who somebody signed in is in the dataset, also in what they make as a lead.

        Off a Space it is the owner; on one, nobody who is not signed in has a name: empty.
        """
        if not self._settings.on_space:
            return "owner"
        return "" if user is None else self._id(user.name)

    def is_lead(self, user: HubUser | None) -> bool:
        """Tell whether the lead's view is for them.

        It is for whoever runs this machine, the dataset's owner, the leads that the project names,
        and those of whom the Hub says that they may write to the dataset: what they do here is
        done with the owner's token.
        """
        if not self._settings.on_space:
            return True
        if user is None:
            return False
        owner = self._store.name.split("/")[0]
        if user.name.casefold() in {owner.casefold(), *map(str.casefold, self._access.leads)}:
            return True
        return self._may_write(user)

    def require_lead(self, user: HubUser | None) -> None:
        """Refuse everybody else.

        Raises:
            NotAllowed: They are no lead of this project.
        """
        if not self.is_lead(user):
            raise NotAllowed(
                "This view is for the leads of the project.",
                "Sign in as the dataset's owner, or ask them to add you to the leads.",
            )

    def _welcome(self, user: HubUser) -> bool:
        if self.mode in ("open", "signed_in"):
            return True
        named = {name.casefold() for name in self._access.people}
        return self.mode == "named" and not named.isdisjoint(
            name.casefold() for name in (user.name, *user.orgs)
        )

    def _invited(self, token: str) -> Person:
        invitation = self._invitations.check(token, datetime.now(UTC))
        name = cleaned_name(invitation.name) or "guest"
        # With pseudonyms the file holds no name, and so must the id.
        return Person(self._id(f"{name}~{invitation.id}"), name, "invitation")

    def _guest(self, guest: object, problem: InvitationNeeded | None) -> Person:
        if isinstance(guest, Mapping):
            name, key = guest.get("name"), guest.get("key")
            if isinstance(name, str) and isinstance(key, str) and _KEY.fullmatch(key):
                name = cleaned_name(name[:200])
                if name:
                    digest = hashlib.sha256(key.encode()).hexdigest()[:_GUEST_DIGITS]
                    return Person(self._id(f"{name}~{digest}"), name, "guest")
        if problem is not None:
            raise AskName(problem.problem, "You may go on here under a name.") from problem
        raise AskName("This browser did not say who is at it.", "Type your name to start.")

    def _refusal(self, user: HubUser | None) -> SeedbedError:
        if self.mode == "invitation":
            return InvitationNeeded(
                "Only people with an invitation link give feedback here.",
                "Open the page with the link you were sent, or ask the project's lead for one.",
            )
        if user is None:
            return NotSignedIn(
                "Only signed-in people give feedback here.",
                "Sign in with Hugging Face, or open the invitation link you were sent.",
            )
        return NotAllowed(
            f"{user.name} is not among the people who give feedback here.",
            "Ask the project's lead to add you, or for an invitation link.",
        )

    def _id(self, identity: str) -> str:
        """Who somebody is in the dataset."""
        if not self._access.pseudonyms:
            return identity
        digest = hmac.new(self._secret, b"annotator:" + identity.encode(), hashlib.sha256)
        return f"annotator-{digest.hexdigest()[:10]}"

    def _may_write(self, user: HubUser) -> bool:
        if user.token is None:
            return False
        known = self._writers.get(user.name)
        if known is not None:
            return known
        store = HubStore(self._store.name, token=user.token, hub=self._settings.hub)
        try:
            may = store.surely_writes()
        except NotSignedIn:
            may = False  # their sign-in has run out
        except SeedbedError as error:
            _log.warning("Whether somebody may write cannot be asked: %s", error)
            self._writers.put(user.name, False, _ASK_AGAIN)
            return False
        self._writers.put(user.name, may, _REMEMBERED)
        return may


class Tokens:
    """Who a Hugging Face token belongs to, for programs that call the Space with one.

    Args:
        hub: Base URL of the Hub.
        clock: Seconds, for what is remembered.
    """

    def __init__(self, hub: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._hub = hub
        self._clock = clock
        self._known: _Memory[HubUser | Literal["nobody"]] = _Memory(clock)
        self._guard = threading.Lock()
        self._asked: deque[float] = deque(maxlen=_UNKNOWN_A_SECOND)

    def user(self, token: str) -> HubUser | None:
        """The user of ``token``; None if the Hub does not accept it.

        Raises:
            StoreUnavailable: The Hub cannot be asked now.
        """
        if not _TOKEN.fullmatch(token):
            return None
        digest = hashlib.sha256(token.encode()).hexdigest()
        found = self._known.get(digest)
        if found is None:
            self._take_turn()
            found = _whoami(token, self._hub) or "nobody"
            self._known.put(digest, found, _REMEMBERED)
        return None if found == "nobody" else replace(found, token=token)

    def _take_turn(self) -> None:
        """Keep invented tokens from spending what the Hub lets this Space ask."""
        with self._guard:
            now = self._clock()
            if len(self._asked) == _UNKNOWN_A_SECOND and now - self._asked[0] < 1:
                raise StoreUnavailable(
                    "More people with a token came at once than can be looked up.",
                    "Try again in a few seconds; nothing is lost.",
                )
            self._asked.append(now)


def token_in(headers: Mapping[str, str]) -> str | None:
    """The Hugging Face token that a program sent along, if it did."""
    for name in ("x-hf-authorization", "authorization"):
        kind, _, token = headers.get(name, "").partition(" ")
        if kind.lower() == "bearer" and _TOKEN.fullmatch(token.strip()):
            return token.strip()
    return None


def user_of_profile(profile: Mapping[str, Any], token: str | None) -> HubUser:
    """Somebody signed in on the page, from the profile that the Hub gave to the Space."""
    orgs = profile.get("orgs")
    named = [org for org in orgs if isinstance(org, Mapping)] if isinstance(orgs, list) else []
    # Never its "name": that is what anybody may write above an organisation of their own.
    names = (org.get("preferred_username") for org in named)
    return HubUser(
        str(profile["preferred_username"]), tuple(str(name) for name in names if name), token
    )


def secret_of(settings: Settings, store: Store) -> bytes:
    """What the Space signs with and makes pseudonyms of, another for each project.

    It is made of the one that is configured; else on the Hub of the project's token, so that
    whoever has that can make it again, and it changes when the token does; else it is one among the
    working files, which stays with the project wherever its folder is moved.

    Raises:
        StoreUnavailable: The disk refuses.
    """
    local = is_folder(settings.project)
    if shared := settings.secret or ("" if local else settings.hf_token):
        # However a folder's path is written, it is the same folder.
        name = str(Path(store.name).expanduser().resolve()) if local else store.name
        return hmac.digest(shared.encode(), f"seedbed:{name}".encode(), hashlib.sha256)
    path = work_folder(store, settings) / "secret"
    try:
        return _read_secret(path) or _make_secret(path)
    except (OSError, Timeout) as error:
        raise StoreUnavailable(
            f"The secret of this project cannot be kept at {path}: {error}.",
            "Free some space, or check who may write there.",
        ) from error


class _Memory(Generic[Known]):
    """What is known for a while, bounded; thread safe."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._guard = threading.Lock()
        self._kept: OrderedDict[str, tuple[Known, float]] = OrderedDict()

    def get(self, key: str) -> Known | None:
        with self._guard:
            found = self._kept.get(key)
            return found[0] if found is not None and self._clock() < found[1] else None

    def put(self, key: str, value: Known, seconds: float) -> None:
        with self._guard:
            self._kept[key] = (value, self._clock() + seconds)
            self._kept.move_to_end(key)
            while len(self._kept) > _MOST_REMEMBERED:
                self._kept.popitem(last=False)


def _whoami(token: str, hub: str) -> HubUser | None:
    try:
        with hub_client.errors("your account", signed_in=True):
            told = hub_client.client(hub, token).whoami()
    except NotSignedIn:
        return None
    orgs = told.get("orgs") or []
    return HubUser(str(told["name"]), tuple(str(org["name"]) for org in orgs))


def _read_secret(path: Path) -> bytes | None:
    try:
        data = path.read_bytes()
    except FileNotFoundError:
        return None
    return data if len(data) == _SECRET_BYTES else None


def _make_secret(path: Path) -> bytes:
    """Make the file, unless another process just did; it appears whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with FileLock(f"{path}.lock", timeout=_LOCK_SECONDS):
        if made := _read_secret(path):
            return made
        data = secrets.token_bytes(_SECRET_BYTES)
        replace_durably(path, data, mode=0o600)
        return data
