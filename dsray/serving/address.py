"""Who can reach an address that is listened on, in words."""

from __future__ import annotations

import ipaddress


def reach(host: str) -> str:
    """Who can reach an address, as the start line says it."""
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host)
    except ValueError:
        return f"reachable from wherever {host} is"
    if address.is_loopback:
        return "reachable from this machine only, --host opens another address"
    return "reachable on every address of this machine" if address.is_unspecified else f"reachable on {host}"
