"""Where a request comes from, as far as it tells: for limits on people who have no name here."""

from __future__ import annotations

from ipaddress import IPv4Address, IPv6Address, ip_address

import gradio as gr

_LONGEST = 100


def address_of(request: gr.Request | None) -> str | None:
    """The machine that a request comes from; on a Space its proxy tells."""
    if request is None:
        return None
    forwarded = str(request.headers.get("x-forwarded-for") or "")
    client = getattr(request, "client", None)
    return forwarded.split(",", maxsplit=1)[0].strip()[:_LONGEST] or getattr(client, "host", None)


def network_of(address: str) -> str:
    """What one customer of a provider has: of the newer kind of address, a whole network."""
    try:
        known = ip_address(address)
    except ValueError:
        return address[:64]
    if isinstance(known, IPv4Address):
        return str(known)
    return str(known.ipv4_mapped or IPv6Address(int(known) >> 64 << 64))
