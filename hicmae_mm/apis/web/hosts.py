"""By which names a server may be called.

Another site can have its own name point to this machine. A browser then takes this server for a part of that site, and
lets the site read its answers. So requests are answered only if they call the server by a name that it knows.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

LOCAL_HOSTS = ('localhost', '127.0.0.1', '::1')
ANY_ADDRESS = '*'
"""Among allowed hosts: every numeric address. Names can be made to point elsewhere, numbers cannot."""


def is_allowed_host(address: str, allowed: Collection[str]) -> bool:
    """Whether the host of an address is one of those allowed.

    Args:
        address: ``http://name:port`` or ``//name:port``.
        allowed: Names in lower case, and possibly :data:`ANY_ADDRESS`.
    """
    try:
        host = urlsplit(address).hostname
    except ValueError:
        return False
    if host is None or host == ANY_ADDRESS:
        return False
    return host in allowed or (ANY_ADDRESS in allowed and _is_number(host))


def _is_number(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
