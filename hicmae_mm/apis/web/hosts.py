"""Check the host names of requests.

Another web site can let its own host name point to this machine. A browser then treats this server as a part of that
site, and allows the site to read its answers. So a request is answered only if it uses an allowed name of the server.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection
from urllib.parse import urlsplit

LOCAL_HOSTS = ('localhost', '127.0.0.1', '::1')
ANY_ADDRESS = '*'
"""As an allowed host it stands for every numeric address. Others can redirect names, but not numeric addresses."""


def is_allowed_host(address: str, allowed: Collection[str]) -> bool:
    """Checks whether the host of an address is allowed.

    Args:
        address: ``http://name:port`` or ``//name:port``.
        allowed: Names in lower case. They may include :data:`ANY_ADDRESS`.

    Returns:
        Whether it is allowed.

    Example:
        >>> from hicmae_mm.apis.web.hosts import ANY_ADDRESS, is_allowed_host
        >>> is_allowed_host('http://localhost:7860', {'localhost'})
        True
        >>> is_allowed_host('http://example.org', {'localhost', ANY_ADDRESS})
        False
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
