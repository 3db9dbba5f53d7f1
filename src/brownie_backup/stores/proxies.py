"""The proxy through which a store is reached, from the environment."""

from collections.abc import Iterable, Iterator
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from brownie_backup.model.findings import Finding, Level
from brownie_backup.stores.location import Location
from brownie_backup.stores.registry import STORE_TYPES


def diagnose_proxies(locations: Iterable[Location]) -> Iterator[Finding]:
    """Yield, for each store in a cloud, the proxy that it is reached through; never a password."""
    for location in locations:
        ours = STORE_TYPES.get(location.scheme)
        if ours is None or not ours.service_url:
            continue
        address = urlsplit(location.endpoint_url or ours.service_url)
        proxy = _proxy_for(address.scheme, address.hostname or "")
        way = f"through the proxy {proxy}" if proxy else "without a proxy"
        yield Finding(Level.OK, "network", f"{location.url} is asked {way}")


def _proxy_for(scheme: str, host: str) -> str | None:
    """Return the address of a proxy, without user and password; None if there is none."""
    proxies = getproxies()
    proxy = proxies.get(scheme) or proxies.get("all")
    if not proxy or proxy_bypass(host):
        return None
    parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
    return f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
