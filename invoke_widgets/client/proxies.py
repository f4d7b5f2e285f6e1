"""Which proxy of the environment leads to an address: the same for requests and for the socket."""

from __future__ import annotations

import ipaddress
import urllib.request
from urllib.parse import urlsplit


def is_loopback(host: str) -> bool:
    """Whether a host is this machine: 127.0.0.0/8, ::1 or localhost."""
    if host.rstrip(".").lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def proxy_for(url: str) -> str | None:
    """The environment's proxy for a server (HTTP_PROXY, HTTPS_PROXY, ALL_PROXY, NO_PROXY); None for none.

    None for this machine always: what listens here is not to be reached from anywhere else.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    proxies = urllib.request.getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or is_loopback(host):
        return None
    # NO_PROXY may name a host with its port or without; an IPv6 address has brackets only in an address.
    if any(urllib.request.proxy_bypass(name) for name in (parts.netloc.rpartition("@")[2], host)):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"


def shown(proxy: str) -> str:
    """A proxy's address without its user and password."""
    parts = urlsplit(proxy)
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
