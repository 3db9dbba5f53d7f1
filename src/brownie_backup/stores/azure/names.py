"""Names of blobs: Azure drops dots at the end of a name's parts, so there they are guarded."""

_GUARD = "%"


def blob_name(key: str) -> str:
    """Return a name that Azure keeps as it is: a part that ends with ``.`` gets a ``%``.

    So does one that ends with ``%``, by which `key_of` knows that it has one too many.
    """
    return "/".join(_guarded(part) for part in key.split("/"))


def name_prefix(prefix: str) -> str:
    """Return how the names of all keys begin that begin with `prefix`; others may do so too."""
    folder, slash, rest = prefix.rpartition("/")
    return f"{blob_name(folder)}{slash}{rest}" if slash else rest


def key_of(name: str) -> str:
    """Return the key of which `blob_name` has made a name."""
    return "/".join(part.removesuffix(_GUARD) for part in name.split("/"))


def _guarded(part: str) -> str:
    return part + _GUARD if part.endswith((".", _GUARD)) else part
