"""Which network addresses are on the public internet, so that a URL cannot reach into the account."""

import ipaddress

# Global by the registry, but each leads to other addresses: translators and tunnels carry an IPv4 address inside,
# 192.88.99.0/24 is the tunnels' anycast, 192.0.0.0/24 and 3fff::/20 are not for traffic at all.
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
# Everything that is routed on the IPv6 internet; leaves out mapped and compatible IPv4, NAT64 and site-local.
_IPV6_INTERNET = ipaddress.ip_network("2000::/3")


def is_public(address: str) -> bool:
    """True if the numeric address is a unicast address of the public internet; False for anything else or unclear.

    Source: the IANA special-purpose address registries, through ipaddress.is_global, narrowed.
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
