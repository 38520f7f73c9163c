"""Web addresses that are never read: link-local ones, and those of clouds' metadata servers.

A listing or a redirect from elsewhere could name them to read the credentials of this machine.
Loopback and private addresses are allowed.
"""

import ipaddress
import socket
from urllib.parse import urlsplit

_METADATA_HOSTS = ("metadata", "metadata.google.internal", "metadata.goog")
_FORBIDDEN = tuple(
    map(
        ipaddress.ip_network,
        (
            "169.254.0.0/16", "100.100.100.200/32", "168.63.129.16/32", "fe80::/10",
            "fd00:ec2::254/128", "fd20:ce::254/128",
        ),
    )
)  # fmt: skip
"""Link-local addresses, and the metadata servers of Alibaba, Azure, Amazon and Google that are
elsewhere."""

_WITH_IPV4 = tuple(map(ipaddress.IPv6Network, ("::/96", "::ffff:0:0/96", "64:ff9b::/96")))
"""IPv6 addresses that stand for the IPv4 address in their last 32 bits."""


class ForbiddenAddress(ValueError):
    """The address is never read. A retry would not help."""


def is_forbidden_host(host: str) -> bool:
    """Whether a host, by name or by address in any spelling, is never read from."""
    host = host.strip("[]").rstrip(".").lower()
    if host in _METADATA_HOSTS:
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        try:  # as a C library reads it: decimal, hexadecimal, octal, with fewer dots
            address = ipaddress.IPv4Address(socket.inet_aton(host))
        except (OSError, ValueError):
            return False
    return _is_forbidden(address)


def _is_forbidden(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    if isinstance(address, ipaddress.IPv6Address):
        if address.sixtofour is not None and _is_forbidden(address.sixtofour):
            return True
        if any(address in network for network in _WITH_IPV4):
            return _is_forbidden(ipaddress.IPv4Address(int(address) & 0xFFFFFFFF))
    return any(address in network for network in _FORBIDDEN)


def is_forbidden(url: str) -> bool:
    """Whether a web address names such a host. What its name resolves to is not looked up."""
    try:
        return is_forbidden_host(urlsplit(url).hostname or "")
    except ValueError:  # no address at all: the request will say so
        return False
