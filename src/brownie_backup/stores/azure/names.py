"""Names of blobs: Azure drops dots at the end of a name's parts, so they are escaped."""

_GUARD = "%"


def blob_name(key: str) -> str:
    """Return a name that Azure keeps as it is: a part that ends with ``.`` gets a ``%``.

    So does a part that ends with ``%``: `key_of` always removes one.
    """
    return "/".join(_guarded(part) for part in key.split("/"))


def name_prefix(prefix: str) -> str:
    """Return the common prefix of the names of all keys with `prefix`; other names may share it."""
    folder, slash, rest = prefix.rpartition("/")
    return f"{blob_name(folder)}{slash}{rest}" if slash else rest


def key_of(name: str) -> str:
    """Return the key for a name that `blob_name` has made."""
    return "/".join(part.removesuffix(_GUARD) for part in name.split("/"))


def _guarded(part: str) -> str:
    return part + _GUARD if part.endswith((".", _GUARD)) else part
