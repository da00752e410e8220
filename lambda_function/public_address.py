"""Decide whether an address is on the public internet, so that a URL cannot reach into the account."""

import ipaddress

# Global in IANA's registry, but not safe: translators and tunnels contain an IPv4 address, 192.88.99.0/24 is the anycast
# address of 6to4 relays, 192.0.0.0/24 and 3fff::/20 carry no traffic.
_REFUSED = [
    ipaddress.ip_network(network)
    for network in (
        "192.0.0.0/24",
        "192.88.99.0/24",
        "2001::/23",  # Teredo and other protocol assignments
        "2002::/16",  # 6to4
        "3fff::/20",
    )
]
# All routed IPv6 addresses. Excludes mapped and compatible IPv4, NAT64 and site-local addresses.
_IPV6_INTERNET = ipaddress.ip_network("2000::/3")


def is_public(address: str) -> bool:
    """Return whether a numeric address is a unicast address of the public internet.

    Source: IANA's special-purpose address registries, through ipaddress.is_global, with more exclusions.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if not ip.is_global or ip.is_multicast or ip.is_reserved:
        return False
    if ip.version == 6 and ip not in _IPV6_INTERNET:
        return False
    return not any(ip in network for network in _REFUSED)
