"""Which hosts are this one: only there may a data key go without TLS."""

import ipaddress


def is_loopback(host: str) -> bool:
    """Whether a host's name or address means this host alone."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False
