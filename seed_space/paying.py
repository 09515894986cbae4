"""Whose credentials a visitor's samples and suggestions are made with, and what they may save.

On a Space each visitor pays with their own sign-in. The owner pays in two cases: on a model server
of the project's own for those who may write to the project, and for as many samples a day as the
owner allows their visitors.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final, Literal

from pipeline.core.errors import NotAllowed, NotSignedIn, SeedbedError
from pipeline.core.projects import is_folder
from pipeline.core.schema import STAND_INS, GenerationSettings
from pipeline.core.settings import Settings
from pipeline.core.store_hub import HubStore
from pipeline.generation.access import ModelAccess
from pipeline.web.visitor import Visitor, writing_store
from seed_space.allowance import Left, Receipt, allowance_of
from seed_space.words import Spoken, say

INFERENCE: Final = "inference-api"
_WRITING: Final = ("write-repos", "manage-repos")

Saving = Literal[
    "machine", "barred", "anonymous", "writer", "perhaps", "reader", "unscoped", "untold"
]
CANNOT_SAVE: Final = frozenset({"barred", "anonymous", "reader", "unscoped"})
Paying = Literal[
    "machine", "nobody", "own", "server", "lent", "used", "anonymous", "unscoped", "writers"
]


class SignInToPay(Spoken, NotSignedIn):
    """Samples are made on the account of whoever asks, and nobody is signed in."""


class MayNotPay(Spoken, NotAllowed):
    """Neither the visitor nor the owner can have samples made for this visitor."""


@dataclass(frozen=True, slots=True)
class LentAccess(ModelAccess):
    """The owner's credentials, for as many samples as were counted."""

    receipt: Receipt | None = field(default=None, repr=False)


@dataclass(frozen=True, slots=True)
class Standing:
    """What a visitor may do here, and at whose expense.

    Attributes:
        saving: ``machine``: their own machine; ``barred``: their own, where their token may not
            write; ``perhaps``: the Hub decides when they save;
            ``unscoped``: their sign-in leaves it out; ``untold``: the Hub cannot be asked now.
        paying: ``nobody``: no model that costs anything; ``server``: the project's own;
            ``lent``: the owner, as long as some are ``left``; ``used``: no more today;
            ``writers``: only those who may write have any made.
        left: Of what the owner lends.
    """

    saving: Saving
    paying: Paying
    left: Left | None = None


def access_for(
    settings: Settings, who: Visitor, generation: GenerationSettings, *, samples: int
) -> ModelAccess:
    """The credentials for ``samples`` samples, or as many calls of another kind.

    What the owner pays is counted here, before anything is called; ``give_back`` takes off the
    count what never was. Does I/O: where a project has a model server of its own, the Hub is asked
    what the visitor may do.

    Raises:
        AllowanceUsed: The owner pays, and not for as many today.
        SeedbedError: The visitor may not have them made, or the Hub cannot be reached.
    """
    needs = _Needs.of(settings, generation)
    if not settings.on_space:
        key = settings.api_key if needs.server else None
        return ModelAccess(who.token, key, api_hosts=settings.api_hosts)
    own = who.token if who.may(INFERENCE) else None
    key = settings.api_key if needs.server and _surely_writes(settings, who) else None
    lacks_token = needs.hub and own is None
    lacks_key = needs.server and key is None
    if settings.visitor_samples and _lendable(settings, lacks_token, lacks_key):
        return LentAccess(
            settings.hf_token if lacks_token else own,
            settings.api_key if needs.server else None,
            api_hosts=settings.api_hosts,
            receipt=allowance_of(settings).take(who, samples),
        )
    if lacks_token or lacks_key:
        raise _cannot_pay(settings, who)
    return ModelAccess(own, key, api_hosts=settings.api_hosts)


def give_back(access: ModelAccess, samples: int) -> None:
    """Take samples off the count for which nothing was called; only what the owner pays counts."""
    if isinstance(access, LentAccess) and access.receipt is not None:
        access.receipt.give_back(samples)


def standing(settings: Settings, who: Visitor, generation: GenerationSettings) -> Standing:
    """How ``who`` stands; asks the Hub, and never fails."""
    if not settings.on_space:
        return Standing("machine" if _can_write(settings, who) else "barred", "machine")
    saving = _saving(settings, who)
    needs = _Needs.of(settings, generation)
    lacks_token = needs.hub and not who.may(INFERENCE)
    lacks_key = needs.server and saving != "writer"
    if not (needs.hub or needs.server):
        return Standing(saving, "nobody")
    if not (lacks_token or lacks_key):
        return Standing(saving, "own" if needs.hub else "server")
    if settings.visitor_samples and _lendable(settings, lacks_token, lacks_key):
        left = allowance_of(settings).left(who)
        return Standing(saving, "lent" if left.samples else "used", left)
    if who.token is None:
        return Standing(saving, "anonymous")
    return Standing(saving, "unscoped" if lacks_token else "writers")


@dataclass(frozen=True, slots=True)
class _Needs:
    """What the project's models are called with: a token, and the key of its own server."""

    hub: bool
    server: bool

    @classmethod
    def of(cls, settings: Settings, generation: GenerationSettings) -> _Needs:
        models = [one for one in generation.all_models() if one.model not in STAND_INS]
        return cls(
            hub=any(one.base_url is None for one in models),
            server=settings.api_key is not None and any(one.base_url for one in models),
        )


def _lendable(settings: Settings, lacks_token: bool, lacks_key: bool) -> bool:
    """Whether the owner has what a visitor lacks."""
    return settings.hf_token is not None if lacks_token else lacks_key


def _surely_writes(settings: Settings, who: Visitor) -> bool:
    """Whether it is sure that ``who`` may write: for spending somebody else's money."""
    if who.token is None:
        return False
    if is_folder(settings.project):
        owner = (settings.space_id or "").split("/")[0]
        return bool(owner) and who.name is not None and who.name.casefold() == owner.casefold()
    return HubStore(settings.project, token=who.token, hub=settings.hub).surely_writes()


def _can_write(settings: Settings, who: Visitor) -> bool:
    """Whether a save on one's own machine can be tried."""
    try:
        return writing_store(settings, who).can_write()
    except NotSignedIn:
        return False
    except SeedbedError:
        return True  # it is not known now


def _saving(settings: Settings, who: Visitor) -> Saving:
    if who.token is None:
        return "anonymous"
    if not any(map(who.may, _WRITING)):
        return "unscoped"
    try:
        if _surely_writes(settings, who):
            return "writer"
        return "perhaps" if writing_store(settings, who).can_write() else "reader"
    except NotSignedIn:
        return "anonymous"  # their sign-in has run out
    except SeedbedError:
        return "untold"


def _cannot_pay(settings: Settings, who: Visitor) -> SeedbedError:
    if who.token is None:
        kind: type[SeedbedError] = SignInToPay
        why = "anonymous"
    else:
        kind = MayNotPay
        why = "writers" if who.may(INFERENCE) else "unscoped"
    told = say(who.language, f"who.pay_{why}", project=settings.project)
    return kind(told, say(who.language, f"who.pay_{why}_next"))
