"""``invite``: links for people without an account."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from pipeline.commands.opening import opened
from pipeline.commands.options import AsJson, ProjectName
from pipeline.core import invitations
from pipeline.core.errors import InvalidInput
from pipeline.core.projects import is_folder, load_project
from pipeline.deploy import annotate_address
from pipeline.terminal import print_json, say, show_invitations


def invite(
    project: ProjectName,
    *,
    name: Annotated[str | None, typer.Option(help="Who it is for.")] = None,
    expires: Annotated[
        str, typer.Option(metavar="TIME", help="How long it is good: 30m, 12h, 7d, 2w.")
    ] = "7d",
    url: Annotated[
        str | None,
        typer.Option(metavar="ADDRESS", help="Where the Annotate Space is, if not where deployed."),
    ] = None,
    revoke: Annotated[
        str | None, typer.Option(metavar="ID", help="Take this invitation back instead.")
    ] = None,
    listed: Annotated[bool, typer.Option("--list", help="Show all invitations instead.")] = False,
    as_json: AsJson = False,
) -> None:
    """Make a link with which somebody can annotate without an account."""
    at = opened(project)
    store = at.store
    if listed:
        everyone = invitations.load(store).invitations
        if as_json:
            print_json({"invitations": [one.model_dump(exclude={"digest"}) for one in everyone]})
        else:
            show_invitations(everyone)
        return
    if revoke is not None:
        gone = invitations.revoke(store, revoke)
        if as_json:
            print_json(gone.model_dump(exclude={"digest"}))
        else:
            say(f"Invitation {gone.id} lets nobody in any more.")
        return
    if name is None:
        raise InvalidInput("An invitation is for somebody.", 'Say for whom: --name "Ana".')
    address = _address(url or annotate_address(at.settings))
    made = invitations.make(
        store,
        name,
        invitations.parse_duration(expires),
        pseudonyms=load_project(store).access.pseudonyms,
        made_by="the command line",
    )
    link = f"{address}/?invite={made.token}"
    if as_json:
        print_json({"link": link, **made.invitation.model_dump(exclude={"digest"})})
        return
    say(
        link,
        "",
        f"Good until {made.invitation.expires_at[:16].replace('T', ' ')} UTC. Whoever has this "
        "link annotates with it; it is not shown again.",
        f"Take it back: python -m pipeline invite {store.name} --revoke {made.invitation.id}",
    )
    if is_folder(store.name) and url is None:
        say("If your Annotate Space is not on this port of this machine, say where with --url.")
    elif not is_folder(store.name):
        say("Somebody without an account can open it once the Annotate Space is public.")


def _address(url: str) -> str:
    """The address of a page, without what follows it."""
    if not re.fullmatch(r"https?://[^\s?#]+/?", url):
        raise InvalidInput(
            f"{url!r} is no address of a page.",
            "Write it as https://ana-farming-annotate.hf.space.",
        )
    return url.rstrip("/")
