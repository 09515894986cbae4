"""Links that let somebody annotate without an account.

A link carries a token: who it is for, until when at first, and 128 random bits. Until when it is
good the project tells, so that it can be extended. The project keeps only the token's SHA-256, so
that a changed token never fits, reading the dataset lets nobody in, and a link works in every Space
of the dataset, whatever became of their disks and secrets.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import re
import secrets
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any, Final

from pydantic import BaseModel, ConfigDict, Field, PrivateAttr

from pipeline.core import layout
from pipeline.core.changing import change_file, load_file
from pipeline.core.errors import InvalidInput, InvitationNeeded
from pipeline.core.feedback import Moment, timestamp
from pipeline.core.schema import Stored
from pipeline.core.store import Store

MAX_TOKEN: Final = 300
MAX_NAME: Final = 40
MOST: Final = 5_000
SHORTEST: Final = timedelta(minutes=1)
LONGEST: Final = timedelta(days=366)

_VERSION: Final = 1
_UNITS: Final = {"m": "minutes", "h": "hours", "d": "days", "w": "weeks"}
_UNFIT: Final = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029\u202a-\u202e\u2066-\u2069~]")
"""Control characters, line breaks, marks that turn text around, and what sets a name apart."""
_ASK: Final = "Ask who sent it for a new one."


class Invitation(BaseModel):
    """One link, as the project keeps it; the link itself cannot be made out of this.

    Attributes:
        id: Also in the annotator's id in the dataset.
        name: Who it is for; empty where the dataset holds pseudonyms.
        revoked_at: When it was taken back, None while it is good.
        made_by: Who made it.
        digest: SHA-256 of the token, hexadecimal.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)

    id: str = Field(pattern=r"^[0-9a-f]{10}$")
    name: str = Field(default="", max_length=MAX_NAME)
    made_at: Moment
    expires_at: Moment
    revoked_at: Moment | None = None
    made_by: str = Field(default="", max_length=100)
    digest: str = Field(pattern=r"^[0-9a-f]{64}$")

    def ended(self, now: datetime) -> bool:
        """Tell whether it lets nobody in any more."""
        return self.revoked_at is not None or self.expires_at <= timestamp(now)


@dataclass(frozen=True, slots=True)
class Made:
    """A new invitation with its key."""

    token: str = field(repr=False)
    invitation: Invitation


class Invitations(Stored):
    """Every invitation of a project, in the order they were made."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    FILE = layout.INVITATIONS
    MOST_BYTES = 5_000_000

    invitations: Annotated[tuple[Invitation, ...], Field(max_length=MOST)] = ()
    _by_digest: dict[str, Invitation] = PrivateAttr(default_factory=dict)

    def model_post_init(self, context: Any, /) -> None:  # noqa: ANN401 - pydantic's own signature
        """Remember which digest is whose."""
        self._by_digest.update({one.digest: one for one in self.invitations})

    def check(self, token: str, now: datetime) -> Invitation:
        """The invitation that ``token`` is the key of, with the name that is in the token.

        Raises:
            InvitationNeeded: There is none, it was taken back or has expired.
        """
        found = self._by_digest.get(_digest(token)) if len(token) <= MAX_TOKEN else None
        if found is None:
            raise InvitationNeeded(
                "This invitation link is not known here; it may be incomplete.",
                "Open it again from where it was sent. If that does not help, ask who sent it for "
                "a new one.",
            )
        if found.revoked_at is not None:
            raise InvitationNeeded("This invitation was taken back.", _ASK)
        if found.ended(now):
            raise InvitationNeeded(
                f"This invitation was good until {found.expires_at[:10]} and has expired.", _ASK
            )
        return found.model_copy(update={"name": found.name or _name_in(token)})


def load(store: Store) -> Invitations:
    """The project's invitations; none if there is no file."""
    return load_file(store, Invitations, layout.INVITATIONS)


def make(store: Store, name: str, expires_in: timedelta, *, pseudonyms: bool, made_by: str) -> Made:
    """Make an invitation; its token is told here and never again.

    Args:
        store: The project; whoever acts here may write to it.
        name: Who it is for, as it will be shown to them.
        expires_in: From now.
        pseudonyms: Whether the dataset shall hold no names.
        made_by: Who makes it.

    Raises:
        InvalidInput: The name or the time cannot be used, or there are too many invitations.
    """
    name = checked_name(name)
    now = datetime.now(UTC)
    expires_at = now + _checked_time(expires_in)
    invitation_id = secrets.token_hex(5)
    token = _token(invitation_id, name, expires_at)
    made = Invitation(
        id=invitation_id,
        name="" if pseudonyms else name,
        made_at=timestamp(now),
        expires_at=timestamp(expires_at),
        made_by=made_by[:100],
        digest=_digest(token),
    )

    def add(there: Invitations) -> Invitations:
        others = [one for one in there.invitations if one.id != made.id]
        return Invitations(invitations=(*_with_room(others, now), made))

    _change(store, add, f"Invite {made.name or 'somebody'}")
    return Made(token, made)


def revoke(store: Store, invitation_id: str) -> Invitation:
    """Take an invitation back; one that was taken back before stays as it is.

    Raises:
        InvalidInput: There is no such invitation.
    """
    now = timestamp(datetime.now(UTC))
    asked = invitation_id.strip()

    def mark(there: Invitations) -> Invitations:
        _find(there, asked)
        return Invitations(
            invitations=tuple(
                one.model_copy(update={"revoked_at": one.revoked_at or now})
                if one.id == asked
                else one
                for one in there.invitations
            )
        )

    return _find(_change(store, mark, "Take an invitation back"), asked)


def extend(store: Store, invitation_id: str, expires_in: timedelta) -> Invitation:
    """Let the same link be good for longer: than until now, or if it has expired, than from now.

    A new link would be somebody else in the dataset, and what a browser keeps for the old one would
    never get there.

    Raises:
        InvalidInput: There is no such invitation, it was taken back, or the time cannot be used.
    """
    now = datetime.now(UTC)
    asked = invitation_id.strip()
    longer = _checked_time(expires_in)
    wanted: list[str] = []

    def later(one: Invitation) -> Invitation:
        if one.id != asked:
            return one
        if one.revoked_at is not None:
            raise InvalidInput("This invitation was taken back.", "Make a new one.")
        if not wanted:  # at a repetition it may have been extended already
            until = max(now, datetime.fromisoformat(one.expires_at)) + longer
            _checked_time(until - now)
            wanted.append(timestamp(until))
        return one.model_copy(update={"expires_at": max(one.expires_at, *wanted)})

    def prolong(there: Invitations) -> Invitations:
        _find(there, asked)
        return Invitations(invitations=tuple(later(one) for one in there.invitations))

    return _find(_change(store, prolong, "Extend an invitation"), asked)


def parse_duration(text: str) -> timedelta:
    """Read a time such as ``30m``, ``12h``, ``7d`` or ``2w``.

    Raises:
        InvalidInput: It is none.
    """
    match = re.fullmatch(r"([0-9]{1,6})\s*([mhdw])", text.strip().lower())
    if match is None:
        raise InvalidInput(
            f"{text[:40]!r} is no time that an invitation can be good for.",
            "Write a number and m, h, d or w for minutes, hours, days or weeks, such as 7d.",
        )
    return timedelta(**{_UNITS[match[2]]: int(match[1])})


def checked_name(name: str) -> str:
    """``name`` without the spaces around it.

    Raises:
        InvalidInput: It is empty, too long, or holds what a name cannot.
    """
    name = name.strip()
    if not 1 <= len(name) <= MAX_NAME or _UNFIT.search(name) or not _encodes(name):
        raise InvalidInput(
            f"{name[:60]!r} cannot be the name on an invitation.",
            f"Use 1 to {MAX_NAME} characters, without ~ and without control characters.",
        )
    return name


def cleaned_name(name: str) -> str:
    """``name`` with everything taken out that a name cannot hold; may be empty."""
    text = _UNFIT.sub(" ", name.encode(errors="ignore").decode())
    return " ".join(text.split())[:MAX_NAME].strip()


def _checked_time(time: timedelta) -> timedelta:
    """How long from now an invitation is good.

    Raises:
        InvalidInput: Too short or too long.
    """
    if SHORTEST <= time <= LONGEST:
        return time
    raise InvalidInput(
        "An invitation is good for at least a minute and at most a year.",
        "Choose another time, such as 7d.",
    )


def _encodes(name: str) -> bool:
    return name == name.encode(errors="ignore").decode()


def _with_room(invitations: list[Invitation], now: datetime) -> list[Invitation]:
    """The invitations without so many of the oldest that have ended that one more can be added."""
    excess = len(invitations) + 1 - MOST
    if excess <= 0:
        return invitations
    leaving = {one.id for one in [one for one in invitations if one.ended(now)][:excess]}
    if len(leaving) < excess:
        raise InvalidInput(
            f"There are {len(invitations)} invitations that have not ended, which is the most.",
            "Take some back first.",
        )
    return [one for one in invitations if one.id not in leaving]


def _find(there: Invitations, invitation_id: str) -> Invitation:
    for one in there.invitations:
        if one.id == invitation_id:
            return one
    raise InvalidInput(
        f"There is no invitation {invitation_id[:40]!r}.",
        "See which there are with: python -m pipeline invite PROJECT --list",
    )


def _change(
    store: Store, change: Callable[[Invitations], Invitations], message: str
) -> Invitations:
    return change_file(store, Invitations, layout.INVITATIONS, change, message)


def _token(invitation_id: str, name: str, expires_at: datetime) -> str:
    payload = [_VERSION, invitation_id, name, int(expires_at.timestamp())]
    text = json.dumps(payload, ensure_ascii=False, separators=(",", ":"))
    return f"{_encoded(text.encode())}.{_encoded(secrets.token_bytes(16))}"


def _name_in(token: str) -> str:
    """The name in a token that is known to be good; empty in one that another tool made."""
    part = token.split(".", maxsplit=1)[0]
    try:
        payload = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    except (ValueError, binascii.Error):
        return ""
    name = payload[2] if isinstance(payload, list) and len(payload) > 2 else ""
    return cleaned_name(name) if isinstance(name, str) else ""


def _encoded(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode(errors="replace")).hexdigest()
